"""The folder in which `launch/check-docs` runs the commands of the pages, and what it does not run."""

import gzip
import json
import random
import re
import shutil

# Commands that are parsed and not run: a pattern of `PAGE: COMMAND`, and the reason.
only_parsed = {
    r": (MARCH=\S+ )?launch/(install|build|test|quickstart|package|docs|check-docs)\b": "installs or builds",
    r": launch/(bench|faults|check-plan|compare-\S+)\b": "measures or disturbs for minutes",
    r"--hostfile|: sbatch|supervise|mpirun unroll": "needs several machines or a scheduler",
    r"configs/(?!copy|reber|parity)": "needs the data of that configuration, or minutes",
    r": python3? ": "needs packages of Python",
    r"--update-gate candidate": "needs a GRU",
    r"linux-source.md: |import tiny-rwkv": "needs data from elsewhere",
    r"embedded-reber|narma|mackey-glass|runs/jsb": "needs a run of minutes",
    r"start\.safetensors": "needs numpy and safetensors; examples.sh runs it",
    r"out/initial|theirs.safetensors|exported.safetensors": "needs a file of PyTorch",
    r"mine.gguf|mine --format huggingface": "needs a model of an architecture that others have",
    r"--task lambada": "needs the test set",
    r": unroll doctor": "says what is wrong with this machine",
    r"performance.md: unroll bench|README.md: unroll bench|--scaling": "measures this machine for a minute",
}

# Pieces of commands and files of a page that are replaced, so that they take seconds.
smaller = {
    "README.md": [("hidden: 256", "hidden: 32"), ("epochs: 10", "epochs: 2"), ("epochs=12", "epochs=3")],
    "docs/configuration.md": [("hidden=256", "hidden=16")],
    "docs/commands.md": [("--size 1000", "--size 300"), ("/usr/share/common-licenses/BSD", "other.txt")],
    "docs/data.md": [("valid=0.01", "valid=0.3")],
    "docs/diagnostics.md": [("chrono=100", "chrono=10")],
    "docs/tokenizers.md": [("--size 16000", "--size 300")],
    "docs/tutorial.md": [("--rate-steps 150", "--rate-steps 100"), ("epochs=6", "epochs=1")],
    "docs/language-models.md": [
        ("--size 16000", "--size 300"), ("valid=0.01", "valid=0.3"), ("512", "16"), ("tokens: 2e8", "steps: 6"), ("warmup: 500", "warmup: 2"),
        ("batch_size: 64", "batch_size: 4"), ("bptt: 128", "bptt: 8"), ("local 4", "local 2"),
    ],
}

# What the commands of a page make by themselves.
ABSENT = {"docs/tutorial.md": ["licences.yaml", "runs/licences"]}

# The runs that pages speak of; all are the same small one.
RUNS = ("mine", "licences", "quickstart", "small", "shakespeare", "language-model", "elman", "lstm", "sweep/a", "sweep/b")

CONFIGURATION = """\
name: mine
data: {train: mytext.txt, valid: 0.2, tokenizer: character}
model: {embedding: 16, layers: [{cell: lstm, hidden: 16}]}
training: {batch_size: 4, bptt: 16, steps: 30, schedule: {learning_rate: 0.01}, clip: {norm: 1}}
evaluation: {every: 10}
checkpoint: {every: 10}
"""

ADDING = """\
name: adding
data: {task: adding, length: 10, train_size: 100, valid_size: 20, test_size: 20}
model: {layers: [{cell: lstm, hidden: 8}]}
training: {batch_size: 10, steps: 20, schedule: {learning_rate: 0.01}}
"""


def reason(page, text, used):
    """Returns why a command is only parsed, or nothing; notes the pattern."""
    for pattern, why in only_parsed.items():
        if re.search(pattern, f"{page}: {text}"):
            used.add(pattern)
            return why
    return None


def sentences(count, seed):
    """Returns lines of words that a program draws."""
    draw = random.Random(seed)
    words = "once upon a time the kernel and an old network learnt to write what it had read in books".split()
    return "".join(" ".join(draw.choices(words, k=draw.randint(3, 9))).capitalize() + ".\n" for _ in range(count))


def make(folder, root, unroll):
    """Writes the texts, the configurations and the small run that pages may use."""
    (folder / "texts").mkdir(parents=True)
    for place, name in enumerate(["mytext.txt", "other.txt", "texts/a.txt", "texts/b.txt", "texts/c.txt", "texts/d.txt",
                                  "licences.txt", "pages.txt"]):
        (folder / name).write_text(sentences(150, place))
    (folder / "line.txt").write_text("Once upon a time.\n")
    (folder / "mine.yaml").write_text(CONFIGURATION)
    for name in ("small", "base", "lines"):
        (folder / f"{name}.yaml").write_text(CONFIGURATION.replace("name: mine", f"name: {name}"))
    shutil.copytree(root / "configs", folder / "configs")
    shutil.copytree(root / "docs" / "clusters", folder / "docs" / "clusters")
    shutil.copytree(root / "docs" / "examples", folder / "docs" / "examples", ignore=shutil.ignore_patterns(".build*"))
    shutil.copy(root / "docs" / "clusters" / "home.yaml", folder / "cluster.yaml")
    for name in ("licences", "pages"):
        (folder / f"{name}.yaml").write_text(CONFIGURATION.replace("mytext", name).replace("mine", name).replace("steps: 30", "epochs: 2"))
    (folder / "adding.yaml").write_text(ADDING)
    for name in ("data", "src", "more"):
        (folder / name).mkdir()
    shutil.copy(folder / "mytext.txt", folder / "data" / "shakespeare.txt")
    shutil.copy(folder / "mytext.txt", folder / "src" / "main.txt")
    with gzip.open(folder / "more" / "a.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({"text": line}) + "\n" for line in sentences(20, 9).splitlines())
    done = unroll("train", "mine.yaml", "--diagnose", "gradients", "--diagnose-every", "10")
    if done.returncode:
        raise SystemExit(f"check-docs: a small run cannot be trained: {done.stderr}")
    shutil.copy(next((folder / "runs/mine/checkpoints").glob("step-*/vocabulary.json")), folder)
    for name in RUNS[1:]:
        shutil.copytree(folder / "runs" / "mine", folder / "runs" / name)


def write_files(text, page, folder):
    """Writes the YAML blocks of a page that have a name, made smaller, where its commands look for them."""
    for name in ABSENT.get(page, []):
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    for name, block in re.findall(r"`([\w/.-]+\.yaml)`[^`\n]*:\n\n```yaml\n(.*?)```", text, re.S):
        for old, new in smaller.get(page, []):
            block = block.replace(old, new)
        (folder / name).write_text(block)
        if run := re.search(r"^name: ([\w-]+)$", block, re.M):
            # That of another configuration is in the way.
            shutil.rmtree(folder / "runs" / run[1], ignore_errors=True)
