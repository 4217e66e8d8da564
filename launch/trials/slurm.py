"""One-node SLURM from Debian's packages: a job that is preempted queues itself again and ends as if undisturbed."""

import os
import re
import shutil
import socket
import subprocess
import time

from bench import Surprise, difference, lines, told

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "srun")
CONFIGURATION = """\
ClusterName=unroll
SlurmctldHost={host}
SlurmctldPort={port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={work}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={work}/state
SlurmdSpoolDir={work}/spool
SlurmctldPidFile={work}/slurmctld.pid
SlurmdPidFile={work}/slurmd.pid
SlurmctldLogFile={work}/slurmctld.log
SlurmdLogFile={work}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName={host} CPUs={cores} RealMemory=1000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def slurm(bench, quick):
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if os.getuid() != 0 or missing:
        bench.skip("a node with SLURM", "needs root, and slurmctld, slurmd, slurm-client and munge of Debian")
        return
    if os.cpu_count() < 2:
        bench.skip("a node with SLURM", "two ranks need two cores")
        return
    reference = bench.path("slurm-reference")
    bench.train(2, reference, "training.steps=2000")
    cluster = Cluster(bench)
    try:
        cluster.start()
        for launcher in ("mpirun",) if quick else ("mpirun", "srun"):
            preempted(bench, cluster, launcher, reference)
    finally:
        cluster.stop()


def preempted(bench, cluster, launcher, reference):
    """Asks the job for a checkpoint twice, as SLURM does before it takes the node away."""
    run, wrong, restarts = bench.path(f"slurm-{launcher}"), None, 0
    try:
        job = cluster.submit(launcher, run)
        for wanted in (1, 2):
            before = len(lines(run))
            cluster.until(lambda: len(lines(run)) > before + 20, 240, job, "it did not train")
            # As --signal=B:USR1@… does: the batch script alone gets the signal.
            cluster.call("scancel", "--batch", "--signal=USR1", job)
            cluster.until(lambda: cluster.facts(job).get("Restarts") == str(wanted), 60, job, "it was not queued again")
            restarts = wanted
        cluster.until(lambda: cluster.facts(job).get("JobState") == "COMPLETED", 600, job, "it did not end")
        wrong = difference(run, reference)
    except Exception as problem:
        wrong = told(problem)
    bench.row(
        f"SLURM, {launcher}: USR1 to the job, queued again by itself", restarts, [75] * restarts, [], None, [],
        "the bytes of an undisturbed run", wrong,
    )


class Cluster:
    """A controller and a node on this machine, in a folder of the trial's."""

    def __init__(self, bench):
        self.bench, self.work = bench, bench.path("slurm")
        self.daemons = []
        self.environment = dict(bench.environment, SLURM_CONF=f"{self.work}/slurm.conf")

    def start(self):
        for name in ("", "/state", "/spool"):
            os.mkdir(self.work + name)
        # munged wants no folder in which others may write.
        os.chmod(self.work, 0o755)
        host = socket.gethostname().split(".")[0]
        port = 16000 + os.getpid() % 8000 * 2
        with open(f"{self.work}/slurm.conf", "w") as file:
            file.write(
                CONFIGURATION.format(
                    work=self.work, host=host, port=port, node_port=port + 1, cores=os.cpu_count()
                )
            )
        key = f"{self.work}/munge.key"
        self.call("mungekey", "--create", f"--keyfile={key}")
        self.daemon(
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.work}/munge.socket",
            f"--pid-file={self.work}/munged.pid", f"--seed-file={self.work}/munge.seed",
            f"--log-file={self.work}/munged.log",
        )
        self.wait(lambda: os.path.exists(f"{self.work}/munge.socket"), 10, "munged did not start")
        self.daemon("slurmctld", "-D")
        self.daemon("slurmd", "-D", "-N", host)
        self.wait(lambda: self.state(host) == "IDLE", 60, "the node did not become idle")

    def daemon(self, *command):
        with open(f"{self.work}/{command[0]}.out", "wb") as out:
            self.daemons.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment)
            )

    def stop(self):
        subprocess.run(["scancel", "--state=RUNNING"], env=self.environment, capture_output=True, check=False)
        subprocess.run(["scancel", "--state=PENDING"], env=self.environment, capture_output=True, check=False)
        time.sleep(1)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def call(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            raise Surprise(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def state(self, host):
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T", f"--nodes={host}"], capture_output=True, text=True, env=self.environment
        )
        return done.stdout.strip().upper()

    def submit(self, launcher, run):
        """The number of a job that trains on two ranks."""
        words = self.call(
            "env", f"UNROLL_LAUNCHER={launcher}", "sbatch", "--parsable", "--nodes=1", "--ntasks-per-node=2",
            "--time=60", f"--output={run}.log", f"{self.bench.root}/launch/slurm.sbatch", self.bench.configuration,
            "--run", run, "--set", "training.steps=2000",
        )
        return words.strip()

    def facts(self, job):
        return dict(re.findall(r"(\w+)=(\S+)", self.call("scontrol", "show", "job", job)))

    def until(self, condition, seconds, job, problem):
        """Waits for a condition of a job, and no longer once it has failed."""

        def is_over():
            if self.facts(job).get("JobState") in ("FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"):
                raise Surprise(f"{problem}: {self.words(job)}")
            return condition()

        self.wait(is_over, seconds, lambda: f"{problem}: {self.words(job)}")

    def words(self, job):
        facts = self.facts(job)
        try:
            with open(facts["StdOut"]) as file:
                return f"{facts.get('JobState')}, {facts.get('Reason')}, {file.read()[-2000:]}"
        except OSError:
            return f"{facts}"

    @staticmethod
    def wait(condition, seconds, problem):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Surprise(problem() if callable(problem) else problem)
            time.sleep(0.2)
