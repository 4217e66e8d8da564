"""What all trials share: a folder, small texts and configurations, runs and their comparison, the table."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import traceback

from job import MARK, Job, marked, send


class Surprise(Exception):
    """Something that must not happen."""


def told(problem):
    """The words of a surprise; of any other error also where it came from."""
    if isinstance(problem, Surprise):
        return str(problem)
    return "".join(traceback.format_exception(type(problem), problem, problem.__traceback__)).strip()


class Bench:
    """The folder in which trials run, and the table of what was seen."""

    columns = (
        ("what", 58),
        ("times", 5),
        ("exit code", 9),
        ("gone after", 12),
        ("bound", 5),
        ("left behind", 11),
        ("afterwards", 0),
    )

    # What the runs of a trial may take, in bytes.
    space = 4 << 30

    def __init__(self, root, binary, seed, tests=None):
        self.root, self.binary = root, os.path.realpath(binary)
        self.seed, self.random = seed, random.Random(seed)
        # The program of the tests, of which some trials are parts.
        self.tests = os.environ.get("TESTS") or tests
        base = tempfile.gettempdir()
        if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > self.space:
            base = "/dev/shm"
        self.work = tempfile.mkdtemp(prefix="unroll-faults-", dir=base)
        self.mark = os.path.basename(self.work)
        self.environment = {key: value for key, value in os.environ.items() if key != MARK}
        self.environment.update(
            UNROLL_BINARY=self.binary,
            UNROLL_PROGRESS="lines",
            UNROLL_BACKOFF="0",
            OPENBLAS_NUM_THREADS="1",
            OMP_NUM_THREADS="1",
        )
        if os.getuid() == 0:
            self.environment.update(
                OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1"
            )
        self.mpirun = os.path.basename(os.path.realpath(shutil.which("mpirun") or "mpirun"))
        self.surprises, self.skipped = [], []
        with open(self.path("train.txt"), "w") as file:
            file.write(text(9000, 1))
        with open(self.path("valid.txt"), "w") as file:
            file.write(text(1500, 2))
        self.configuration = self.path("config.yaml")
        with open(self.configuration, "w") as file:
            file.write(CONFIGURATION.format(work=self.work))

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def long(self, name, of, times):
        """A file that repeats another."""
        path = self.path(name)
        if not os.path.exists(path):
            with open(self.path(of)) as file:
                words = file.read()
            with open(path, "w") as file:
                for _ in range(times):
                    file.write(words)
        return path

    def command(self, ranks, run, *settings, supervised=False):
        """The command that trains in a run's folder."""
        command = [f"{self.root}/launch/local", str(ranks), self.configuration, "--run", run]
        for setting in settings:
            command += ["--set", setting]
        if supervised:
            command = [f"{self.root}/launch/supervise", "--max-restarts", "100000"] + command
        return command

    def start(self, ranks, run, *settings, supervised=False):
        return Job(
            self, self.command(ranks, run, *settings, supervised=supervised), run + ".log"
        )

    def train(self, ranks, run, *settings, codes=(0,)):
        """Trains to the end; the words that it said."""
        job = self.start(ranks, run, *settings)
        if job.gone(900) is None:
            job.end()
            raise Surprise(f"a run of {ranks} ranks did not end: {job.words()}")
        if job.code not in codes:
            raise Surprise(f"a run ended with {job.code}: {job.words()}")
        return job.words()

    def verify(self, run):
        """Verifies the checkpoints of a run that has any."""
        if not steps(run):
            return
        done = subprocess.run(
            [self.binary, "checkpoint", "verify", run],
            capture_output=True,
            text=True,
            env=dict(self.environment, **{MARK: self.mark + ".0."}),
        )
        if done.returncode != 0:
            raise Surprise(f"a checkpoint is damaged: {done.stdout}{done.stderr}")

    # The table.

    def title(self):
        self._line([name for name, _ in self.columns])
        self._line(["-" * max(width, 3) for _, width in self.columns])

    def row(self, what, times, codes, seconds, bound, left, afterwards, wrong=None):
        """Prints a line of the table; a surprise if there is something wrong, or its bounds are not kept."""
        problems = [] if wrong is None else [wrong]
        if seconds and bound is not None and max(seconds) > bound:
            problems.append(f"gone after {max(seconds):.1f} s, and {bound} s are allowed")
        if left:
            problems.append("left behind: " + ", ".join(left))
        took = ""
        if seconds:
            took = f"{min(seconds):.1f} to {max(seconds):.1f} s" if len(seconds) > 1 else f"{seconds[0]:.1f} s"
        self._line(
            [
                what,
                str(times),
                " ".join(str(code) for code in sorted(set(codes))),
                took,
                "" if bound is None else f"{bound} s",
                str(len(left)) if left else "nothing",
                ("SURPRISE " if problems else "") + afterwards,
            ]
        )
        for problem in problems:
            self.surprise(f"{what}: {problem}")

    def skip(self, what, why):
        self.skipped.append(what)
        self._line([what, "0", "", "", "", "", f"skipped: {why}"])

    def surprise(self, words):
        self.surprises.append(words)
        print(f"SURPRISE {words}", flush=True)

    def _line(self, cells):
        words = (cell.ljust(width) for cell, (_, width) in zip(cells, self.columns))
        print("| " + " | ".join(words) + " |", flush=True)

    def clean_up(self):
        """Ends what trials have started and removes their folder."""
        for pid in marked(self.mark + "."):
            if pid != os.getpid():
                send(pid, signal.SIGKILL)
        if os.environ.get("KEEP_WORK"):
            return
        # What is on a disk that is still mounted is not ours to remove.
        for place in reversed(mounts(self.work)):
            subprocess.run(["umount", "-l", place], check=False)
        if mounts(self.work):
            print(f"{self.work} is left, because of what is mounted there: {mounts(self.work)}", flush=True)
        else:
            shutil.rmtree(self.work, ignore_errors=True)


def mounts(folder):
    """The places below a folder at which something is mounted."""
    with open("/proc/self/mountinfo") as file:
        places = [line.split()[4] for line in file]
    return [place for place in places if place.startswith(folder + "/")]


def text(characters, seed):
    """Letters of which one often follows the one before, in lines."""
    letters, place, words = "abcdefghijkl mnopqrst\n", 0, []
    for _ in range(characters):
        seed = seed * 16807 % 2147483647
        place = (place + 1) % len(letters) if seed % 100 < 65 else seed // 1000 % len(letters)
        words.append(letters[place])
    return "".join(words)


CONFIGURATION = """\
name: small
seed: 3
data: {{train: {work}/train.txt, valid: {work}/valid.txt, tokenizer: character}}
model:
  embedding: 20
  dropout: 0.2
  layers:
    - {{cell: lstm, hidden: 48}}
    - {{cell: gru, hidden: 40}}
training:
  batch_size: 8
  bptt: 16
  steps: 200
  optimizer: {{rule: adam}}
  schedule: {{learning_rate: 0.004}}
  clip: {{norm: 1}}
checkpoint: {{every: 9, keep: 3}}
evaluation: {{every: 50, batch_size: 4}}
"""


def latest(run):
    """The folder of the newest checkpoint; None if there is none."""
    try:
        with open(f"{run}/checkpoints/latest") as file:
            return f"{run}/checkpoints/{file.read().strip()}"
    except OSError:
        return None


def steps(run):
    """The steps of which there are checkpoints."""
    try:
        names = os.listdir(f"{run}/checkpoints")
    except OSError:
        return []
    return sorted(int(name[5:]) for name in names if re.fullmatch(r"step-\d+", name))


def is_saving(run):
    try:
        return any(name.startswith(".tmp-step-") for name in os.listdir(f"{run}/checkpoints"))
    except OSError:
        return False


def reported(words):
    """The step of the last checkpoint that a run has reported."""
    found = re.findall(r"^saved \S*/step-(\d+)", words, re.MULTILINE)
    return max(map(int, found), default=0)


def lines(run):
    """The objects of a run's metrics, without lines of checkpoints; a last line that is cut off is none."""
    try:
        with open(f"{run}/metrics.jsonl") as file:
            whole = [line for line in file if line.endswith("\n")]
    except OSError:
        return []
    return [line for line in map(json.loads, whole) if "checkpoint_step" not in line]


def losses(run):
    return {line["step"]: line["loss"] for line in lines(run) if "loss" in line}


def difference(run, other, names=("model", "optimizer", "hidden"), metrics=True):
    """What differs between the last checkpoints and losses of two runs; None if nothing does."""
    for name in names:
        contents = []
        for folder in (latest(run), latest(other)):
            if folder is None:
                return "there is no checkpoint"
            with open(f"{folder}/{name}.safetensors", "rb") as file:
                contents.append(file.read())
        if contents[0] != contents[1]:
            return f"{name}.safetensors has other bytes"
    if metrics and losses(run) != losses(other):
        return "the losses differ"
    return None
