"""A run that is killed, stopped, starved of disk and moved between numbers of ranks at random moments."""

import json
import os
import resource
import shutil
import signal
import struct
import time
from collections import Counter

from bench import Surprise, difference, latest, lines, losses, reported, told
from job import send

ENDLESS = ("training.steps=100000000", "watchdog=5s", "checkpoint.every=25")


def soak(bench, minutes):
    """Two runs share the time. Ranks that stay equal, and ranks whose sums are in one order, give the same bytes."""
    Soak(bench, "on 2 ranks", (2,), ENDLESS).run(minutes * 30)
    moved = ENDLESS + ("communication.reproducible=4",)
    Soak(bench, "moved between 1, 2 and 4 ranks, reproducible", (1, 2, 4), moved).run(minutes * 30)
    rounded(bench)


class Soak:
    def __init__(self, bench, name, ranks, settings):
        self.bench, self.name, self.ranks, self.settings = bench, name, ranks, settings
        self.events, self.codes, self.left = Counter(), [], []
        self.folder = bench.path(f"soak-{len(ranks)}")
        self.newest = 0

    def run(self, seconds):
        wrong, step = None, 0
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.one(min(end - time.monotonic(), self.bench.random.uniform(1, 12)))
            step = self.last()
            wrong = self.compare(step)
        except Exception as problem:
            wrong = told(problem)
        events = ", ".join(f"{number} × {event}" for event, number in sorted(self.events.items()))
        self.bench.row(
            f"soak of {seconds / 60:.1f} min {self.name}", sum(self.events.values()), self.codes, [], None, self.left,
            f"{events}; after {step} steps the bytes of an undisturbed run", wrong,
        )

    def one(self, seconds):
        """Starts the run, lets it train for a while and disturbs it once."""
        bench, run = self.bench, self.folder
        ranks = bench.random.choice(self.ranks)
        job = bench.start(ranks, run, *self.settings)
        try:
            job.until(lambda: False, seconds)
            if job.code is not None:
                raise Surprise(f"a run ended by itself with {job.code}: {job.words()}")
            job.note_memory()
            event, codes = self.disturb(job, ranks)
            gone = job.gone(60)
            if gone is None:
                raise Surprise(f"{event}: not gone after 60 s: {job.words()}")
            self.left += job.left()
            words, code = job.words(), job.code
        finally:
            job.end()
        self.events[event] += 1
        self.codes.append(code)
        if code not in codes:
            raise Surprise(f"{event}: exit code {code}: {words}")
        self.newest = max(self.newest, reported(words))
        at = latest(run)
        if self.newest and (at is None or int(at[-8:]) < self.newest):
            raise Surprise(f"{event}: step {self.newest} was reported, the newest is {at}")
        bench.verify(run)

    def disturb(self, job, ranks):
        """Disturbs a job; the name of it, and the exit codes that it may have."""
        bench = self.bench
        events = ["rank killed", "stopped", "starved of disk, stopped"]
        if ranks > 1:
            events += ["mpirun killed", "suspended"]
        event = bench.random.choice(events)
        # One process is no rank of mpirun.
        pid = job.rank(bench.random.randrange(ranks)) if ranks > 1 else job.pid
        if event == "rank killed":
            send(pid, signal.SIGKILL)
            return event, (137,)
        if event == "mpirun killed":
            send(job.mpirun(), signal.SIGKILL)
            return event, (137,)
        if event == "suspended":
            send(pid, signal.SIGSTOP)
            # Before the watchdog watches, nothing tells that a rank is suspended.
            if not job.until(lambda: job.code is not None, 15):
                send(pid, signal.SIGCONT)
                send(job.pid, signal.SIGTERM)
            return event, (79, 75)
        if event.startswith("starved"):
            root = job.rank(0) if ranks > 1 else job.pid
            if root and self.starve(root):
                job.until(lambda: "NOT SAVED" in job.words(), 5)
                time.sleep(bench.random.random())
                if bench.random.random() < 0.7:
                    self.starve(root, resource.RLIM_INFINITY)
        # One that is starved to the end says that its last checkpoint is missing.
        send(job.pid, signal.SIGTERM)
        return event, (75, 74) if event.startswith("starved") else (75,)

    @staticmethod
    def starve(pid, size=20000):
        """Lets a process write no file longer than this."""
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            return True
        except (ProcessLookupError, PermissionError):
            return False

    def last(self):
        """Ends with a stop, so that the last checkpoint is of the last step."""
        bench, run = self.bench, self.folder
        job = bench.start(self.ranks[-1], run, *self.settings)
        try:
            seen = len(lines(run))
            if not job.until(lambda: len(lines(run)) > seen + 5):
                raise Surprise(f"it does not train: {job.words()}")
            send(job.pid, signal.SIGTERM)
            if job.gone(60) is None or job.code != 75:
                raise Surprise(f"the last stop: {job.code}, {job.words()}")
        finally:
            job.end()
        return int(latest(run)[-8:])

    def compare(self, step):
        whole = self.folder + "-whole"
        self.bench.train(
            self.ranks[len(self.ranks) // 2], whole, *self.settings[1:], f"training.steps={step}"
        )
        # Lines of metrics were starved too.
        return difference(self.folder, whole, metrics=False)


def rounded(bench):
    """Moved between 1, 2 and 4 ranks whose sums are in another order: equal to rounding."""
    run, whole = bench.path("moved"), bench.path("moved-whole")
    tolerance, wrong, codes, distance = 1e-4, None, [], float("nan")
    try:
        bench.train(2, whole, "training.steps=60")
        for ranks, steps in ((1, 12), (4, 30), (2, 45), (4, 60)):
            bench.train(ranks, run, f"training.steps={steps}")
            codes.append(0)
        a, b = weights(latest(run)), weights(latest(whole))
        distance = max(abs(x - y) for x, y in zip(a, b)) / max(map(abs, b))
        if len(a) != len(b) or not distance < tolerance:
            wrong = f"the weights differ by {distance:.1e} of the largest, and {tolerance:.0e} is rounding"
    except Exception as problem:
        wrong = told(problem)
    bench.row(
        "60 steps moved between 1, 2 and 4 ranks", len(codes), codes, [], None, [],
        f"weights differ by {distance:.0e} of the largest from 2 ranks throughout", wrong,
    )


def weights(folder):
    """All numbers of a checkpoint's model."""
    with open(f"{folder}/model.safetensors", "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    numbers = []
    for name in sorted(header):
        if name != "__metadata__":
            begin, end = header[name]["data_offsets"]
            numbers += struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    return numbers
