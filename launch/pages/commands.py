"""Checks the commands of README.md, CONTRIBUTING.md and docs/*.md, so that none is stale.

A command is a line of an indented block, or of a fenced one without a language or with `sh`, that begins with
`unroll`, `mpirun … unroll` or `launch/…`, after `$` in a block that shows output. Each is parsed: the subcommand and
the options exist, values are among those that an option names, the files of configs/, docs/ and launch/ are there,
and `--set` is accepted by its configuration. Those that are small are run as well, in a temporary folder with
generated texts and a small run under every name that the pages use; `only_parsed` in world.py has the others, and why. A page's
YAML blocks below a line with `` `name.yaml`: `` are files there, made smaller by `smaller`.

Links of the pages lead to files and headings that are there.

Prints how many were run and parsed. The exit code is 1 if a command fails, with its page and line.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
import world  # noqa: E402

binary = pathlib.Path(os.environ.get("UNROLL_BINARY", root / ".build/release/unroll"))
PLACEHOLDER = re.compile(r"^\[?[A-Z_]{1,}…?(\.[a-z]+|=[A-Z_]+)?\]?$|…|^\[.*\]$|\w\|\w")
OWN = re.compile(r"^(\S*/)?unroll$|^launch/[\w.-]+$")


class Stale(Exception):
    """A command that the program or the checkout no longer has."""


def blocks(page):
    """Yields the blocks of a page that may hold commands: lists of line numbers and lines."""
    block, fence, last_blank = [], None, True
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if fence is None and (match := re.match(r"^ {0,3}```(\w*)$", line)):
            fence = match[1]
        elif fence is not None and re.match(r"^ {0,3}```$", line):
            yield block
            block, fence = [], None
        elif fence is not None:
            if fence in ("", "sh", "bash", "console"):
                block.append((number, line))
        elif line.startswith("    ") and (block or last_blank):
            block.append((number, line[4:]))
        elif block and line.strip():
            yield block
            block = []
        last_blank = not line.strip()
    yield block


def commands(page):
    """Yields the line numbers and texts of a page's commands, joined where they go on behind a backslash."""
    for block in blocks(page):
        shows_output = any(line.startswith("$ ") for _, line in block)
        lines = iter(block)
        for number, line in lines:
            if shows_output and not line.startswith("$ "):
                continue
            text = line.removeprefix("$ ").strip()
            while text.endswith("\\"):
                text = text[:-1] + next(lines)[1].strip()
            if re.match(r"^([A-Z_]+=\S+ )*(mpirun |srun |sbatch |echo .*\| )?(\S*/)?(unroll( |$)|launch/)", text):
                yield number, without_comment(text)
            elif re.match(r"^(mpirun|srun|sbatch|echo) .*(unroll|launch/)|^python3? .*\w/", text):
                yield number, without_comment(text)


def without_comment(text):
    """Cuts what stands behind a command: `# …`, or anything after several blanks."""
    quote = None
    for place, letter in enumerate(text):
        if quote:
            quote = None if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif text[place:place + 2] in ("  ", " #"):
            return text[:place]
    return text


def simple_commands(text):
    """Splits a line of the shell into the words of its simple commands."""
    text = re.sub(r"(?<=\w)\|(?=\w)", "\x00", text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|;<>&")
    lexer.whitespace_split, lexer.commenters = True, ""
    found, skips = [[]], False
    for word in lexer:
        if set(word) <= set("|;&"):
            found.append([])
        elif set(word) <= set("<>&"):
            skips = True
        elif skips:
            skips = False
        else:
            found[-1].append(word.replace("\x00", "|"))
    return found


def anchors(page):
    """Returns the anchors of a page: its own, and those of headings as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    own = re.findall(r'<a id="([^"]+)">', text)
    return {*own, *(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)}


def dead_links(page):
    """Yields the line numbers and targets of a page's links to files and headings that are not there."""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"^[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = page.parent / name if name else page
            if not file.exists() or anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield number, target


class Grammar:
    """The subcommands and options of the program, as it tells them itself."""

    def __init__(self):
        told = subprocess.run([binary, "--experimental-dump-help"], capture_output=True, check=True)
        self.whole = json.loads(told.stdout)["command"]

    def check(self, words):
        """Checks words behind `unroll`; returns the subcommand, its positional words and its options."""
        command = self.whole
        words, path = list(words), []
        while command.get("subcommands"):
            if not words or words[0].startswith("--"):
                break
            if "|" in words[0]:
                for name in words[0].split("|"):
                    self.sub(command, name)
                return "", [], []
            path = [*path, words[0]]
            command = self.sub(command, words.pop(0))
        name, positional, options = command["commandName"], [], []
        known = {n["name"]: a for a in command.get("arguments", []) for n in a.get("names", [])}
        while words:
            word = words.pop(0)
            match = re.match(r"^--?([a-zA-Z][\w-]*)(=.*)?$", word)
            if not match:
                positional.append(word)
                continue
            argument = known.get(match[1])
            if argument is None and command is self.whole and match[1] == "generate-completion-script":
                return "", [], []
            if argument is None:
                raise Stale(f"unroll {name} has no option {word}")
            if argument["kind"] == "flag":
                continue
            if not match[2] and not words:
                raise Stale(f"{word} needs a value")
            values = [match[2][1:]] if match[2] else [words.pop(0)]
            if argument["parsingStrategy"] == "upToNextOption":
                while words and not words[0].startswith("--"):
                    values.append(words.pop(0))
            for value in values:
                for one in value.split("|"):
                    if argument.get("allValues") and one not in argument["allValues"] and not PLACEHOLDER.search(one):
                        raise Stale(f"{word} may be {', '.join(argument['allValues'])}, and not {one}")
                options.append((match[1], value))
        wanted = [a for a in command.get("arguments", []) if a["kind"] == "positional"]
        if len(positional) > len(wanted) and not any(a["isRepeating"] for a in wanted):
            raise Stale(f"unroll {name} has no argument for {positional[len(wanted)]}")
        return " ".join(path), positional, options

    @staticmethod
    def sub(command, name):
        """Returns the subcommand of a name."""
        for one in command["subcommands"]:
            if one["commandName"] == name:
                return one
        raise Stale(f"{command['commandName']} has no command {name}")


def check_script(script, words):
    """Checks a script of launch/ and its options; returns the words behind `unroll` that it passes on."""
    path = root / script
    if not path.exists():
        raise Stale(f"there is no {script}")
    name = path.name
    if name == "supervise":
        rest = [i for i, word in enumerate(words) if OWN.match(word) or word == "mpirun"]
        own, words = (words[: rest[0]], words[rest[0] :]) if rest else (words, [])
        check_options(script, own)
        return unroll_words(words)
    if name in ("local", "slurm.sbatch"):
        return ["train", *words[1 if name == "local" else 0 :]]
    check_options(script, words)
    return None


def check_options(script, words):
    """Checks that a script, or a file of launch/ that it names, has the options."""
    texts = [(root / script).read_text()]
    for helper in (root / "launch").glob("*/*.py"):
        if helper.name in texts[0] or helper.stem.replace("_", "-") == pathlib.Path(script).name:
            texts.append(helper.read_text())
    texts += [h.read_text() for h in (root / "launch").glob("*/*.py") if any(h.stem in t for t in texts)]
    for word in words:
        if word.startswith("--") and not any(word.split("=")[0] in text for text in texts):
            raise Stale(f"{script} has no option {word}")


def unroll_words(words):
    """Returns the words behind `unroll` in a simple command, of its own or passed on by a script; None without one."""
    for place, word in enumerate(words):
        if OWN.match(word):
            if "launch/" in word:
                return check_script(word, words[place + 1 :])
            return words[place + 1 :]
    return None


def check(text, grammar, page, folder):
    """Parses a command; checks its files and its settings."""
    for words in simple_commands(text):
        for word in words:
            for name in re.findall(r"(?:^|=|@)((?:configs|docs|launch|Tests)/[\w./-]+)", word):
                if name not in ("configs/NAME.yaml", "docs/gradients.svg") and not (root / name).exists():
                    raise Stale(f"there is no {name}")
        told = unroll_words(words)
        if told is None:
            continue
        name, positional, options = grammar.check(told)
        if name in ("train", "tune") and positional and not any(PLACEHOLDER.search(w) for w in told):
            if all((folder / file).exists() for file in positional):
                sets = [w for key, value in options if key == "set" for w in ("--set", value)]
                done = run_program([binary, "train", *positional, *sets, "--print-config"], folder)
                if done.returncode:
                    raise Stale(f"the settings are refused: {done.stderr.strip()}")


def run_program(command, folder, **more):
    """Runs a command in a folder, for a minute at most."""
    environment = dict(
        os.environ, UNROLL_BINARY=str(binary), UNROLL_PROGRESS="lines", OPENBLAS_NUM_THREADS="1",
        OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
        PATH=f"{binary.parent}:{os.environ['PATH']}")
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", timeout=60,
        stdin=subprocess.DEVNULL, **more)


def run(text, page, folder):
    """Runs a command as the shell does, made smaller."""
    for old, new in world.smaller.get(page, []):
        text = text.replace(old, new)
    text = re.sub(r"(?<![\w/.])launch/", f"{root}/launch/", text)
    text = re.sub(r"mpirun -np \d+", "mpirun -np 2 --oversubscribe --bind-to none", text)
    done = run_program(["bash", "-o", "pipefail", "-c", text], folder)
    allowed = (0, 75) if "--stop-at" in text or "--time-limit" in text else (0,)
    if done.returncode not in allowed:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Stale(f"exit code {done.returncode}: {said[-1] if said else 'nothing is said'}")


def main():
    """Checks the pages that are named, or all of them."""
    names = sys.argv[1:] or ["README.md", "CONTRIBUTING.md", *sorted(
        str(p.relative_to(root)) for p in (root / "docs").glob("*.md"))]
    if not os.access(binary, os.X_OK):
        sys.exit(f"check-docs: there is no program {binary}; run launch/build.")
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    parsed, ran, failed, used = 0, 0, 0, set()
    grammar = Grammar()
    with tempfile.TemporaryDirectory(prefix="unroll-docs-", dir=base) as temporary:
        start = pathlib.Path(temporary) / "start"
        world.make(start, root, lambda *words: run_program([binary, *words], start))
        for page in names:
            folder = pathlib.Path(temporary) / "page"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(start, folder)
            world.write_files((root / page).read_text(), page, folder)
            for line, target in dead_links(root / page):
                failed += 1
                print(f"{page}:{line}: the link to {target} is dead")
            for line, text in commands(root / page):
                try:
                    check(text, grammar, page, folder)
                    reason = world.reason(page, text, used)
                    if reason is None and not any(PLACEHOLDER.search(w) for w in text.split()):
                        run(text, page, folder)
                        ran += 1
                    else:
                        parsed += 1
                except (Stale, subprocess.TimeoutExpired, ValueError) as error:
                    failed += 1
                    print(f"{page}:{line}: {text}\n    {error}")
    if len(sys.argv) == 1:
        for pattern in set(world.only_parsed) - used:
            failed += 1
            print(f"launch/pages/world.py: no command of the pages has {pattern!r}")
    print(f"{ran} commands were run, {parsed} parsed only, {failed} failed")
    sys.exit(1 if failed or (len(sys.argv) == 1 and ran < 40) else 0)


if __name__ == "__main__":
    main()
