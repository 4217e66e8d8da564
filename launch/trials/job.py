"""A training job that a trial starts, disturbs and watches until nothing of it is left."""

import glob
import os
import re
import signal
import subprocess
import time

# Every process of a trial carries this variable, so that what is ours can be told from all else.
MARK = "UNROLL_TRIAL"


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _state(pid):
    """The letter of a process's state, or nothing if it is gone."""
    line = _read(f"/proc/{pid}/stat")
    return line[line.rfind(b")") + 2 :][:1].decode()


def marked(mark):
    """The living processes whose mark begins so."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and any(
            entry.startswith(wanted) for entry in _read(f"/proc/{name}/environ").split(b"\0")
        ):
            if _state(name) not in ("", "Z", "X"):
                found.append(int(name))
    return found


def job_folders():
    """The folders of this user in which launch/local has ranks put what they share."""
    found = set()
    for path in glob.glob("/dev/shm/unroll-job-*"):
        try:
            if os.stat(path).st_uid == os.getuid():
                found.add(path)
        except OSError:
            pass
    return found


def in_use():
    """Those of these folders that a living process was told of."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            words = _read(f"/proc/{name}/cmdline") + _read(f"/proc/{name}/environ")
            found |= {path.decode() for path in re.findall(rb"/dev/shm/unroll-job-\w+", words)}
    return found


class Job:
    """A command and all the processes that it starts."""

    count = 0

    def __init__(self, bench, command, log, environment=None):
        Job.count += 1
        self.bench, self.log = bench, log
        # The last sign ends the number, so that job 1 is not taken for job 12.
        self.mark = f"{bench.mark}.{Job.count}."
        self.memory, self.before = set(), job_folders()
        self.folder = os.path.join(bench.work, f"tmp-{Job.count}")
        os.mkdir(self.folder)
        surroundings = dict(bench.environment, **(environment or {}))
        surroundings.update({MARK: self.mark, "TMPDIR": self.folder})
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=surroundings
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def code(self):
        """The exit code as a shell tells it; None while the command runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def processes(self):
        return marked(self.mark)

    def rank(self, number):
        """The process of a rank; None if it is not there."""
        return self.find(f"OMPI_COMM_WORLD_RANK={number}".encode())

    def find(self, entry=None, program=None, parent=None):
        """A process of this job: of the trainer, or of a program of that name."""
        for pid in self.processes():
            if program is None and os.path.basename(self.bench.binary) != self._program(pid):
                continue
            if program is not None and program != self._program(pid):
                continue
            if entry and entry not in _read(f"/proc/{pid}/environ").split(b"\0"):
                continue
            line = _read(f"/proc/{pid}/stat")
            if parent and line[line.rfind(b")") :].split()[2:3] != [str(parent).encode()]:
                continue
            return pid
        return None

    @staticmethod
    def _program(pid):
        try:
            return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
        except OSError:
            return ""

    def mpirun(self):
        return self.find(program=self.bench.mpirun)

    def note_memory(self):
        """Notes the files of /dev/shm that its processes have mapped."""
        for pid in self.processes():
            for path in re.findall(rb"\s(/dev/shm/\S+)", _read(f"/proc/{pid}/maps")):
                if not path.startswith(self.bench.work.encode()):
                    self.memory.add(path.decode())

    def until(self, condition, seconds=60):
        """Waits for a condition; false if the job ends, or the time, before it holds."""
        end = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                return condition()
            time.sleep(0.002)
        return True

    def gone(self, seconds):
        """Waits until no process is left; the seconds that it took, or None if some are left after these."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if self.process.poll() is not None and not self.processes():
                return time.monotonic() - begin
            time.sleep(0.02)
        return None

    def left(self):
        """What is left behind: processes, shared memory, own temporary files."""
        things = [f"process {pid} {self._program(pid)}" for pid in self.processes()]
        things += [path for path in sorted(self.memory) if os.path.exists(path)]
        things += [name for name in os.listdir(self.folder) if name.startswith("unroll")]
        # Of what came into /dev/shm meanwhile, some may be of other jobs of this user, which live or end themselves.
        folders = job_folders() - self.before - in_use()
        if folders:
            time.sleep(1)
            things += sorted(folders & job_folders() - in_use())
        return things

    def words(self):
        return _read(self.log).decode(errors="replace")

    def end(self, gently=False):
        """Kills what is left, and removes its shared memory; gently for what has disks to unmount first."""
        if gently and self.process.poll() is None:
            send(self.pid, signal.SIGTERM)
            self.gone(10)
        for pid in self.processes():
            send(pid, signal.SIGKILL)
        self.process.wait()
        for path in self.memory:
            if os.path.isfile(path):
                os.remove(path)
            if "/unroll-job-" in path and os.path.isdir(os.path.dirname(path)):
                os.rmdir(os.path.dirname(path))


def send(pid, what):
    """Sends a signal to a process that may be gone; true if it was there."""
    if not pid:
        return False
    try:
        os.kill(pid, what)
        return True
    except ProcessLookupError:
        return False
