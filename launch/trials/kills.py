"""Kills at random moments: of a rank, of mpirun, of a supervisor's command; then the same command again."""

import os
import shutil
import signal
import time

from bench import Surprise, difference, is_saving, latest, reported, told
from job import send

BOUND = 5
# The moments one after another at which there was nothing to kill: often the run has just ended.
MISSES = 20


def kills(bench, number):
    """Kills so many jobs; the bytes must be those of a run that nothing happened to."""
    whole = bench.path("whole")
    begin = time.monotonic()
    bench.train(2, whole)
    duration = time.monotonic() - begin
    victims = ("rank", "mpirun", "command")
    shares = [number // 3 + (place < number % 3) for place in range(3)]
    for victim, share in zip(victims, shares):
        if share == 0:
            continue
        Kills(bench, victim, whole, duration).run(share)


class Kills:
    names = {
        "rank": "kill -9 of a rank",
        "mpirun": "kill -9 of mpirun",
        "command": "kill -9 of the command of launch/supervise",
    }

    def __init__(self, bench, victim, whole, duration):
        self.bench, self.victim, self.whole, self.duration = bench, victim, whole, duration
        self.codes, self.seconds, self.left = [], [], []
        self.killed = self.saving = self.same = self.runs = self.missed = 0

    def run(self, number):
        wrong = None
        try:
            while self.killed < number:
                self.one_run(number)
        except Exception as problem:
            wrong = told(problem)
        self.bench.row(
            self.names[self.victim],
            self.killed,
            self.codes,
            self.seconds,
            None if self.victim == "command" else BOUND,
            self.left,
            f"{self.saving} during a save; {self.same} of {self.runs} runs end with the bytes of an undisturbed one",
            wrong,
        )

    def one_run(self, number):
        """A run that is killed again and again until it is complete."""
        self.runs += 1
        run = self.bench.path(f"killed-{self.victim}-{self.runs}")
        newest = 0
        while True:
            job = self.bench.start(2, run, supervised=self.victim == "command")
            try:
                if self.victim == "command":
                    while self.killed < number and self.strike(job, run):
                        newest = self.check(run, newest, job)
                else:
                    hit = self.killed < number and self.strike(job, run)
                seconds = job.gone(120)
                if seconds is None:
                    raise Surprise(f"the job did not end: {job.words()}")
                words, code, left = job.words(), job.code, job.left()
            finally:
                job.end()
            self.left += left
            newest = self.check(run, newest, job)
            if code == 0:
                break
            if self.victim == "command":
                # It gives up after two kills without a checkpoint between them, and may be started again.
                if "giving up" not in words:
                    raise Surprise(f"launch/supervise ended with {code}: {words}")
                continue
            if not hit:
                raise Surprise(f"a run that was not killed ended with {code}: {words}")
            self.codes.append(code)
            self.seconds.append(seconds)
            if code != 137:
                raise Surprise(f"exit code {code} after a kill: {words}")
        different = difference(run, self.whole)
        if different:
            raise Surprise(f"after {self.killed} kills in all, {different}")
        self.same += 1
        shutil.rmtree(run)

    def strike(self, job, run):
        """Waits for a random moment, every other time for one in which a checkpoint is written, and kills."""
        saves = self.bench.random.random() < 0.5
        before = latest(run)
        time.sleep(self.bench.random.random() * self.duration * 0.8)
        if saves:
            saves = job.until(lambda: is_saving(run), 5)
            time.sleep(self.bench.random.random() * 0.03)
        job.note_memory()
        number = self.bench.random.randrange(2)
        if self.victim == "command":
            # In a session of its own, it is a child of the supervisor all the same.
            pid = job.find(program="bash", parent=job.pid)
            others = job.processes()
        else:
            pid = job.mpirun() if self.victim == "mpirun" else job.rank(number)
        if not send(pid, signal.SIGKILL):
            self.missed += 1
            if self.missed == MISSES:
                raise Surprise(f"{MISSES} times there was nothing to kill: {job.words()}")
            return False
        self.missed = 0
        self.killed += 1
        self.saving += saves
        if self.victim == "command":
            # Until the supervisor has seen it, and what was started by the killed command has ended.
            job.until(lambda: pid not in job.processes(), 5)
            job.until(lambda: job.mpirun() not in others, 60)
            if latest(run) == before:
                # Two kills without a checkpoint between them are its end.
                job.until(lambda: latest(run) != before, 60)
        return True

    def check(self, run, newest, job):
        """The newest checkpoint is whole, and not older than the last that was reported."""
        newest = max(newest, reported(job.words()))
        at = latest(run)
        if newest and (at is None or int(at[-8:]) < newest):
            raise Surprise(f"step {newest} was reported as saved, and the newest is {at}")
        if not job.processes():
            self.bench.verify(run)
        if os.path.exists(f"{run}/checkpoints") and newest:
            newest = int(at[-8:])
        return newest
