"""Two hosts that this machine plays: the link goes down, a rank or a daemon of the other host dies."""

import os
import shutil
import signal
import subprocess
import time

from bench import Surprise, lines, told
from job import Job, send

KEEP_ALIVE = (
    "--mca oob_tcp_keepalive_time 5 --mca oob_tcp_keepalive_intvl 2 --mca oob_tcp_keepalive_probes 3"
)


def link(bench, quick):
    if os.getuid() != 0 or not shutil.which("ip"):
        bench.skip("two hosts", "network namespaces need root, and iproute2")
        return
    # The keep-alive options say 11 seconds; as with the watchdog, 5 more to end all.
    down = Trial(bench, "the link goes down, keep-alive options", (205,), 16, 600)
    down.run(lambda job: down.set_link(job, "down"))
    if not quick:
        # The launcher cannot tell the other host, and is killed 15 s after the watchdog's verdict.
        down = Trial(bench, "the link goes down, a watchdog of 5 s", (79, 137, 205), 25, 5)
        down.run(lambda job: down.set_link(job, "down"))
        trial = Trial(bench, "KILL to the rank of the other host", (137,), 5, 600)
        trial.run(lambda job: send(job.rank(1), signal.SIGKILL))
        trial = Trial(bench, "STOP to the rank of the other host", (79,), 10, 5)
        trial.run(lambda job: send(job.rank(1), signal.SIGSTOP))
        trial = Trial(bench, "KILL to the daemon of the other host", (205,), 5, 600)
        trial.run(lambda job: send(job.find(program="orted"), signal.SIGKILL))
    back = Trial(bench, "the link is down for 3 s, then USR1 to mpirun", (75,), 10, 600)
    back.run(back.interrupt)


class Trial:
    number = 0

    def __init__(self, bench, what, codes, bound, watchdog):
        Trial.number += 1
        self.bench, self.what, self.codes, self.bound = bench, what, codes, bound
        self.watchdog, self.run_folder = watchdog, bench.path(f"hosts-{Trial.number}")

    def set_link(self, job, state):
        # launch/two-hosts names them after its process.
        subprocess.run(
            ["ip", "-n", f"unroll-{job.pid}-b", "link", "set", "ve-b", state], check=True
        )
        return True

    def interrupt(self, job):
        self.set_link(job, "down")
        time.sleep(3)
        self.set_link(job, "up")
        seen = len(lines(self.run_folder))
        if not job.until(lambda: len(lines(self.run_folder)) > seen + 20, 30):
            raise Surprise(f"the run did not go on: {job.words()}")
        return send(job.mpirun(), signal.SIGUSR1)

    def run(self, disturb):
        bench, run = self.bench, self.run_folder
        command = [
            f"{bench.root}/launch/two-hosts", bench.binary, "train", bench.configuration,
            "--run", run, "--set", "training.steps=100000000", "--set", f"watchdog={self.watchdog}s",
        ]
        job = Job(bench, command, run + ".log", {"UNROLL_MPIRUN_ARGS": KEEP_ALIVE})
        wrong, seconds, left = None, None, []
        try:
            if not job.until(lambda: len(lines(run)) > 20):
                if "does not allow" in job.words():
                    bench.skip(self.what, job.words().strip())
                    return
                raise Surprise(f"two hosts did not train: {job.words()}")
            job.note_memory()
            if not disturb(job):
                raise Surprise("what was to be killed is not there")
            seconds = job.gone(self.bound + 60)
            left = job.left()
            if seconds is None:
                raise Surprise(f"not gone after {self.bound + 60} s: {job.words()}")
            if job.code not in self.codes:
                raise Surprise(f"exit code {job.code}, and {self.codes} are documented: {job.words()}")
        except Exception as problem:
            wrong = told(problem)
        finally:
            self.remove_hosts(job)
        try:
            bench.verify(run)
        except Exception as problem:
            wrong = wrong or told(problem)
        bench.row(
            self.what, 1, [job.code], [] if seconds is None else [seconds], self.bound, left,
            "its checkpoints are whole", wrong,
        )

    @staticmethod
    def remove_hosts(job):
        job.end()
        for letter in "ab":
            host = f"unroll-{job.pid}-{letter}"
            if os.path.exists(f"/run/netns/{host}"):
                subprocess.run(["ip", "netns", "del", host], check=False)
            shutil.rmtree(f"/etc/netns/{host}", ignore_errors=True)
