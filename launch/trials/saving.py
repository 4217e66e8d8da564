"""Errors and kills at the system calls that write a checkpoint while training goes on, and a full disk."""

import os
import shutil
import signal
import subprocess
import time

from bench import Surprise, difference, latest, reported, told
from job import MARK, Job, send

SETTINGS = ("training.steps=500", "checkpoint.every=20")
# Every call of fsync and rename, and some of the many of write.
CALLS = {"fsync": range(1, 40), "rename": range(1, 20), "write": (1, 2, 3, 5, 8, 12, 17, 25, 40, 70, 110)}


def saving(bench, quick):
    if not may_trace():
        bench.skip("errors and kills at the calls of a save", "there is no strace that may trace here: run launch/install")
    else:
        whole = bench.path("whole-saving")
        bench.train(1, whole, *SETTINGS)
        for call, numbers in CALLS.items():
            for what in ("error=EIO", "error=ENOSPC", "signal=KILL"):
                if quick and what == "error=ENOSPC":
                    continue
                Injection(bench, whole, call, what, quick).run(numbers)
    script(bench, "full-disk", "a full disk, a quota that is used up")
    if os.getuid() == 0 and not quick:
        script(bench, "power-cut", "a power cut at every fsync of saves, on ext4")
    elif not quick:
        bench.skip("a power cut at every fsync of saves, on ext4", "mounting disks needs root")


def may_trace():
    """Whether strace may attach to a process that it has not started."""
    if not shutil.which("strace"):
        return False
    other = subprocess.Popen(["sleep", "60"])
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-p", str(other.pid)], stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 10
        while not is_traced(other.pid, tracer.pid):
            if tracer.poll() is not None or time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True
    finally:
        send(tracer.pid, signal.SIGTERM)
        tracer.wait()
        other.kill()
        other.wait()


def is_traced(pid, tracer):
    """Whether a process traces every thread of another one."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as file:
                if f"\nTracerPid:\t{tracer}\n" not in file.read():
                    return False
        return True
    except OSError:
        return False


class Injection:
    """A fault at the n-th call of its kind of every thread, from the first checkpoint on."""

    def __init__(self, bench, whole, call, what, quick):
        self.bench, self.whole, self.call, self.what, self.quick = bench, whole, call, what, quick
        self.codes, self.left, self.seconds = [], [], []
        self.missed = self.later = 0

    @property
    def kills(self):
        return self.what == "signal=KILL"

    def run(self, numbers):
        wrong, times = None, 0
        try:
            for number in numbers:
                if self.quick and times == 3:
                    break
                if not self.one(number):
                    break
                times += 1
            if not self.codes:
                wrong = "no call was hit, so nothing was shown"
        except Exception as problem:
            wrong = told(problem)
        if self.kills:
            afterwards = "resumed from the last that was reported or later, to the same bytes"
            what = f"kill -9 at the n-th {self.call} of a save, n = 1, 2, …"
        else:
            afterwards = f"training went on to the same bytes; {self.missed} checkpoints failed, {self.later} runs saved later"
            what = f"{self.what.removeprefix('error=')} at the n-th {self.call} of every save, n = 1, 2, …"
        self.bench.row(what, len(self.codes), self.codes, self.seconds, 5 if self.kills else None, self.left, afterwards, wrong)

    def one(self, number):
        """False if no save has so many calls."""
        bench, run = self.bench, self.bench.path("injected")
        shutil.rmtree(run, ignore_errors=True)
        job = bench.start(1, run, *SETTINGS)
        tracer = None
        try:
            if not job.until(lambda: latest(run)):
                raise Surprise(f"no checkpoint: {job.words()}")
            tracer = subprocess.Popen(
                ["strace", "-f", "-o", "/dev/null", "-e", f"trace={self.call}",
                 "-e", f"inject={self.call}:{self.what}:when={number}", "-p", str(job.pid)],
                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                env=dict(bench.environment, **{MARK: job.mark}),
            )
            attached = job.until(lambda: is_traced(job.pid, tracer.pid) or tracer.poll() is not None, 10)
            attached = attached and is_traced(job.pid, tracer.pid)
            if self.kills:
                job.until(lambda: False, 1.5)
            else:
                # Until it is said, and the next one has failed too.
                job.until(lambda: job.words().count("NOT SAVED") > 1, 1.5)
            begin = time.monotonic()
            send(tracer.pid, signal.SIGTERM)
            tracer.wait()
            seconds = job.gone(60)
            if seconds is None:
                raise Surprise(f"{self.call} {number}: it did not end: {job.words()}")
            words, code = job.words(), job.code
            self.left += job.left()
        finally:
            job.end()
        known = reported(words)
        if known and int((latest(run) or "0" * 8)[-8:]) < known:
            raise Surprise(f"{self.call} {number}: step {known} was reported, the newest is {latest(run)}")
        bench.verify(run)
        hit = code == 137 if self.kills else "NOT SAVED" in words
        if code not in ((0, 137) if self.kills else (0, 74)):
            raise Surprise(f"{self.call} {number}: exit code {code}: {words}")
        # A process that was killed at once may not have been seen while it was traced.
        if not attached and not hit:
            raise Surprise(f"{self.call} {number}: strace did not attach: {words}")
        if not hit and self.call != "write":
            return False
        if hit:
            self.codes.append(code)
        self.missed += words.count("NOT SAVED")
        self.later += code == 0 and hit
        if code != 0:
            bench.train(1, run, *SETTINGS)
        different = difference(run, self.whole, metrics=self.call != "write")
        if different:
            raise Surprise(f"{self.call} {number}: {different}: {words}")
        return True


def script(bench, name, what):
    """One of the scripts of Tests/EndToEndTests."""
    job = Job(
        bench, [f"{bench.root}/Tests/EndToEndTests/{name}.sh"], bench.path(name + ".log"), {"TESTS": bench.tests}
    )
    try:
        if job.gone(1800) is None:
            raise Surprise(f"{name}.sh did not end")
        wrong = None if job.code == 0 else job.words()
        skipped = [line for line in job.words().splitlines() if line.startswith("skip")]
        said = [line for line in job.words().splitlines() if line.startswith(("ok", "fsync"))]
        bench.row(what, len(said), [job.code], [], None, job.left(), f"{name}.sh {' '.join(skipped)}", wrong)
    except Exception as problem:
        bench.row(what, 1, [], [], None, [], "", told(problem))
    finally:
        job.end(gently=True)
