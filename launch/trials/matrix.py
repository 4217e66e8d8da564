"""Deaths, signals and suspension of ranks, of mpirun and of the launcher, in every phase of a run."""

import os
import shutil
import signal
import time

from bench import Surprise, is_saving, lines, told
from job import Job, send

# What is allowed: seconds until nothing is left.
BOUND = 5
WATCHDOG = 5

TERM, INT, HUP, USR1 = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1
KILL, STOP, SEGV = signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV


class Phase:
    """A moment of a run: settings that make it long, and how to tell that it has come."""

    def __init__(self, name, settings, has_come, delay=0.0):
        self.name, self.settings, self.has_come, self.delay = name, settings, has_come, delay


def phases(bench):
    endless = ["training.steps=100000000", f"watchdog={WATCHDOG}s"]
    text = bench.long("long.txt", "train.txt", 4000)
    validation = bench.long("long-valid.txt", "valid.txt", 4000)
    return {
        "preparation": Phase(
            "preparation",
            endless + [f"data.train={text}"],
            lambda run: os.path.exists(f"{run}/data"),
            0.1,
        ),
        "training": Phase(
            "training", endless + ["evaluation.every=100000000"], lambda run: len(lines(run)) > 20
        ),
        "evaluation": Phase(
            "evaluation",
            endless + ["evaluation.every=15", "evaluation.batch_size=2", f"data.valid={validation}"],
            lambda run: len(lines(run)) >= 15,
            0.1,
        ),
        "checkpoint": Phase(
            "checkpoint",
            endless + ["checkpoint.every=2", "model.layers=[{cell: lstm, hidden: 900}]"],
            is_saving,
        ),
    }


# Of what, which signals, with which exit codes, in which phases.
EVERYWHERE = ("preparation", "training", "evaluation", "checkpoint")
TRAINING = ("training",)
ROWS = [
    ("rank 1", [KILL], (137,), EVERYWHERE),
    ("rank 0", [KILL], (137,), EVERYWHERE),
    ("rank 1", [SEGV], (139,), TRAINING),
    ("rank 1", [TERM], (75,), EVERYWHERE),
    ("rank 0", [TERM], (75,), TRAINING),
    ("rank 1", [INT], (75,), TRAINING),
    ("rank 1", [HUP], (75,), TRAINING),
    ("rank 1", [USR1], (75,), TRAINING),
    ("rank 1", [STOP], (79,), EVERYWHERE),
    ("rank 0", [STOP], (79,), EVERYWHERE),
    ("mpirun", [KILL], (137,), EVERYWHERE),
    ("mpirun", [TERM], (1,), EVERYWHERE),
    ("mpirun", [INT], (1,), TRAINING),
    ("mpirun", [HUP], (1,), TRAINING),
    ("mpirun", [USR1], (75,), EVERYWHERE),
    ("launch/local", [TERM], (75,), EVERYWHERE),
    ("launch/local", [INT], (75,), TRAINING),
    ("launch/local", [HUP], (75,), TRAINING),
    ("launch/local", [USR1], (75,), TRAINING),
    ("launch/local", [KILL], (137,), EVERYWHERE),
]
QUICK = {("rank 1", KILL), ("rank 1", STOP), ("mpirun", KILL), ("launch/local", TERM), ("launch/local", KILL)}


def matrix(bench, quick):
    every = phases(bench)
    for target, signals, codes, names in ROWS:
        if quick and (target, signals[0]) not in QUICK:
            continue
        for name in names:
            Cell(bench, every[name], target, signals, codes).run()
    for cell in (second_signals, ends_without_finalize):
        cell(bench, every["training"])


class Cell:
    """One disturbance in one phase."""

    number = 0

    def __init__(self, bench, phase, target, signals, codes):
        self.bench, self.phase, self.target = bench, phase, target
        self.signals, self.codes = signals, codes
        Cell.number += 1
        self.run_folder = bench.path(f"cell-{Cell.number}")

    def run(self, what=None, ranks=2, prepare=None, environment=None, bound=None):
        bench, run = self.bench, self.run_folder
        what = what or f"{'+'.join(name(s) for s in self.signals)} to {self.target}, in {self.phase.name}"
        if bound is None:
            bound = BOUND + (WATCHDOG if STOP in self.signals else 0)
        if SEGV in self.signals:
            # Swift's runtime would print a backtrace and go on, since no instruction has failed.
            environment = {"SWIFT_BACKTRACE": "enable=no"}
        job = Job(bench, bench.command(ranks, run, *self.phase.settings), run + ".log", environment)
        wrong, seconds, left = None, None, []
        try:
            if not job.until(lambda: self.phase.has_come(run)):
                raise Surprise(f"{self.phase.name} did not come: {job.words()}")
            time.sleep(self.phase.delay)
            pid = self.pid(job)
            job.note_memory()
            if prepare:
                prepare(job)
            for place, number in enumerate(self.signals):
                if place:
                    time.sleep(1.3)
                if not send(pid, number):
                    raise Surprise(f"{self.target} is not there: {job.words()}")
            seconds = job.gone(bound + 30)
            left = job.left()
            if seconds is None:
                raise Surprise(f"not gone after {bound + 30} s: {job.words()}")
            if job.code not in self.codes:
                raise Surprise(f"exit code {job.code}, and {self.codes} are documented: {job.words()}")
            if self.phase.name == "preparation" and lines(run):
                raise Surprise("it was not preparation any more")
        except Exception as problem:
            wrong = told(problem)
        finally:
            job.end()
        try:
            bench.verify(run)
        except Exception as problem:
            wrong = wrong or told(problem)
        whole = "its checkpoints are whole" if os.path.exists(f"{run}/checkpoints/latest") else ""
        shutil.rmtree(run, ignore_errors=True)
        bench.row(
            what, 1, [job.code], [] if seconds is None else [seconds], bound, left, whole, wrong
        )

    def pid(self, job):
        if self.target == "mpirun":
            return job.mpirun()
        if self.target.startswith("rank"):
            return job.rank(int(self.target[5:]))
        return job.pid


def second_signals(bench, training):
    """A second signal ends a run at once that cannot come to the end of its step."""
    # One step of this takes many seconds.
    slow = Phase(
        "a long step",
        [
            "training.steps=100000000",
            "training.bptt=1000",
            "training.batch_size=8",
            "model.layers=[{cell: lstm, hidden: 2500}]",
        ],
        lambda run: os.path.exists(f"{run}/metrics.jsonl"),
        2,
    )
    for number in (TERM, INT, HUP, USR1):
        Cell(bench, slow, "one process", [number, number], (128 + number,)).run(ranks=1, bound=1)
    Cell(bench, slow, "launch/local", [TERM, TERM], (1, 143)).run()
    # A stopped rank keeps the others from stopping.
    Cell(bench, training, "launch/local", [TERM, TERM], (1, 143)).run(
        "rank 1 stopped, then TERM+TERM to launch/local",
        prepare=lambda job: send(job.rank(1), STOP),
    )


def ends_without_finalize(bench, training):
    """A rank ends in the midst of training without a word to MPI."""
    script = bench.path("rank.sh")
    with open(script, "w") as file:
        file.write(
            f"""#!/usr/bin/env bash
"{bench.binary}" "$@" &
child=$!
trap 'kill -USR1 "$child"' USR1
trap 'kill -KILL "$child"; exit "$TRIAL_CODE"' TERM
until wait "$child"; code=$?; [ "$code" -lt 128 ]; do
  kill -0 "$child" 2>/dev/null || break
done
exit "$TRIAL_CODE"
"""
        )
    os.chmod(script, 0o755)
    # mpirun calls an end with 0 before MPI_Finalize an error of its own, 1.
    for given, told in ((0, 1), (3, 3)):
        environment = {"UNROLL_BINARY": script, "TRIAL_CODE": str(given)}
        Cell(bench, training, "rank 1", [KILL], (told,)).run(
            f"rank 1 exits with {given} without MPI_Finalize", environment=environment
        )


def name(number):
    return signal.Signals(number).name.removeprefix("SIG")
