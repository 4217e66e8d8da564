"""Runs the shapes of launch/bench, in turn with PyTorch where asked for, and prints a table.

Called by launch/bench, which builds the program and makes the rival's environment. Each round starts
every program anew and takes a few steps, so that a machine whose speed drifts is fair to all;
figures are medians over the rounds. Standard library only.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))


def shape(title, steps, warm_up=2, rounds=None, task="train", **flags):
    return {
        "title": title, "steps": steps, "warm_up": warm_up, "rounds": rounds, "task": task,
        "flags": {"cell": "lstm", "layers": 2, "vocabulary": 10000, "batch-size": 20, "bptt": 35, **flags},
    }  # fmt: skip


# Few steps each: a round is to be short against the drift of a machine's speed.
SHAPES = {
    "lstm-200": shape("LSTM 2 × 200, V 10,000, 20 × 20", 30, hidden=200, bptt=20),
    "lstm-650": shape("LSTM 2 × 650, V 10,000, 20 × 35", 5, hidden=650),
    "lstm-1500": shape("LSTM 2 × 1500, V 10,000, 20 × 35", 3, hidden=1500),
    "gru-650": shape("GRU 2 × 650, V 10,000, 20 × 35", 5, cell="gru", hidden=650),
    "elman-650": shape("RNN (tanh) 2 × 650, V 10,000, 20 × 35", 8, cell="elman", hidden=650),
    "characters": shape(
        "LSTM 1 × 512, V 256, 64 × 128", 3,
        layers=1, hidden=512, vocabulary=256, **{"batch-size": 64, "bptt": 128},
    ),
    "generate": shape("drawing, LSTM 2 × 650, V 10,000, one stream", 300, task="generate", hidden=650),
    "evaluate": shape("evaluation, LSTM 2 × 650, V 10,000, 20 × 35", 10, task="evaluate", hidden=650),
    "memory": shape(
        "LSTM 1 × 512, V 10,000, 20 × 2,000", 1, warm_up=1, rounds=1, layers=1, hidden=512, bptt=2000,
    ),
}  # fmt: skip
DISTRIBUTED = ["lstm-650"]
MODES = [("float32", False), ("float32", True), ("bfloat16", False), ("bfloat16", True)]


class Parser(argparse.ArgumentParser):
    """One sentence and the exit code of wrong usage, as the program has it."""

    def error(self, message):
        self.exit(64, f"bench: {message}\n")


def parse():
    parser = Parser(prog="launch/bench", description="Measures training, evaluation and drawing.")
    parser.add_argument("--against", choices=["pytorch"], help="run the same in PyTorch, in turn")
    parser.add_argument("--shape", action="append", choices=list(SHAPES), help="only this; may be repeated")
    parser.add_argument("--rounds", type=int, default=3, help="fresh processes of each program (3)")
    parser.add_argument("--quick", action="store_true", help="one round of few steps: for trying out")
    parser.add_argument("--ranks", type=int, default=1, help="ranks against one rank, and against DDP over gloo")
    parser.add_argument("--core", type=int, help="the processor for what runs alone (the first allowed)")
    parser.add_argument("--json", metavar="FILE", help="write every run and the medians here")
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--python", help=argparse.SUPPRESS)
    parser.add_argument("--mpirun", default="mpirun", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1.")
    if options.ranks < 1 or options.ranks > len(os.sched_getaffinity(0)):
        parser.error(f"--ranks is from 1 to the processors here, {len(os.sched_getaffinity(0))}.")
    return options


class Failure(Exception):
    """A program that did not end as it should; its last words."""


def finish(processes, seconds=3600):
    """What the first process printed, once all have ended; one that fails ends the others."""
    deadline = time.monotonic() + seconds
    try:
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes) or time.monotonic() > deadline:
                break
            time.sleep(0.02)
    finally:
        is_late = time.monotonic() > deadline
        failed = next((process for process in processes if process.poll()), None)
        for process in processes:
            if process.poll() is None:
                process.kill()
    outputs = [process.communicate() for process in processes]
    if is_late:
        raise Failure(f"no end after {seconds} s")
    if failed is not None:
        words = outputs[processes.index(failed)][1].decode(errors="replace").strip().splitlines()
        words = [word for word in words if "Error" in word][-1:] or words
        raise Failure(words[-1].removeprefix("unroll: ") if words else f"exit code {failed.returncode}")
    return outputs[0][0].decode().splitlines()[-1]


def start(command, core=None, **environment):
    if core is not None:
        command = ["taskset", "-c", str(core)] + command
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


class Runner:
    """Starts one program once on a shape and returns what it printed."""

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        allowed = sorted(os.sched_getaffinity(0))
        self.core = options.core if options.core is not None else allowed[0]
        self.cores = allowed
        self.meetings = 0

    def arguments(self, shape):
        steps = 2 if self.options.quick and shape["task"] != "generate" else shape["steps"]
        flags = {**shape["flags"], "task": shape["task"], "steps": steps, "warm-up": shape["warm_up"]}
        return [word for name, value in flags.items() for word in (f"--{name}", str(value))]

    def ours(self, shape, precision, ranks=1, inputs=None):
        command = [self.options.binary, "bench", "--json", "--precision", precision]
        command += self.arguments(shape) + (inputs or [])
        if ranks > 1:
            process = start(self.options.mpirun.split() + ["--quiet"] + command)
        else:
            process = start(command, self.core)
        return json.loads(finish([process]))

    def pytorch(self, shape, precision, compiled, text, weights, ranks=1):
        command = [self.options.python, os.path.join(here, "pytorch.py"), "--precision", precision]
        command += ["--text", text, "--weights", weights] + self.arguments(shape)
        if compiled:
            command.append("--compile")
        if ranks == 1:
            return json.loads(finish([start(command, self.core)]))
        self.meetings += 1
        meeting = os.path.join(self.folder, f"meeting-{self.meetings}")
        world = {"WORLD_SIZE": str(ranks), "MEETING_FILE": meeting, "GLOO_SOCKET_IFNAME": "lo"}
        processes = [start(command, self.cores[rank], RANK=str(rank), **world) for rank in range(ranks)]
        return json.loads(finish(processes, 600))


def contenders(runner, options, shape, text, weights):
    """The programs of one table row each: a name, a precision, whether ours, and what runs it once."""
    found = []
    many = f", {options.ranks} ranks" if options.ranks > 1 else ""
    for precision in ("float32", "bfloat16"):
        for ranks in sorted({1, options.ranks}):
            words = f"Unroll {precision}" + (many if ranks > 1 else "")
            run = lambda p=precision, r=ranks: runner.ours(shape, p, r)  # noqa: E731
            found.append({"name": words, "precision": precision, "ours": True, "ranks": ranks, "run": run})
    if options.against:
        for precision, compiled in MODES:
            if options.ranks > 1 and compiled:
                continue
            words = f"PyTorch {precision}" + (", compile" if compiled else "") + many
            run = lambda p=precision, c=compiled: runner.pytorch(  # noqa: E731
                shape, p, c, text, weights, options.ranks)
            found.append({"name": words, "precision": precision, "ours": False, "ranks": options.ranks,
                          "run": run})  # fmt: skip
    for contender in found:
        contender.update(runs=[], failure=None)
    return found


def middle(contender, key):
    return statistics.median(run[key] for run in contender["runs"])


def line(contender):
    if contender["failure"]:
        return f"  {contender['name']:<28} {contender['failure'][:90]}"
    words = f"  {contender['name']:<28} {middle(contender, 'tokens_per_second'):>10,.0f}"
    words += f" {statistics.median(run['step_milliseconds']['median'] for run in contender['runs']):>10,.2f}"
    words += f" {middle(contender, 'peak_memory_bytes') / 2**20:>9,.0f}"
    words += f" {middle(contender, 'start_memory_bytes') / 2**20:>7,.0f}"
    words += f" {middle(contender, 'setup_seconds'):>7.2f} {contender['runs'][-1]['last_loss']:>9.5f}"
    if contender["ours"]:
        words += f" {middle(contender, 'gflops'):>8.1f} {100 * middle(contender, 'fraction_of_peak'):>4.0f} %"
    return words


def verdicts(found, ranks):
    """Ratios of ours to the best mode of PyTorch in the same precision, and of ranks to one rank."""
    done = [c for c in found if c["runs"]]
    words = []
    for precision in ("float32", "bfloat16"):
        ours = [c for c in done if c["ours"] and c["precision"] == precision]
        theirs = [c for c in done if not c["ours"] and c["precision"] == precision]
        same = [c for c in ours if c["ranks"] == ranks]
        if same and theirs:
            best = max(theirs, key=lambda c: middle(c, "tokens_per_second"))
            least = min(theirs, key=lambda c: middle(c, "peak_memory_bytes"))
            speed = middle(same[0], "tokens_per_second") / middle(best, "tokens_per_second")
            memory = middle(same[0], "peak_memory_bytes") / middle(least, "peak_memory_bytes")
            words.append(f"{precision}: {speed:.2f} × the speed of {best['name']}, "
                         f"{memory:.2f} × the memory of {least['name']}")  # fmt: skip
            plain = [c for c in theirs if c["precision"] == "float32"]
            if plain and same[0]["runs"][-1]["first_loss"] and ranks == 1:
                a, b = same[0]["runs"][-1]["last_loss"], plain[0]["runs"][-1]["last_loss"]
                words.append(f"losses of the last step differ by {abs(a - b) / abs(b):.1e} of themselves")
        if ranks > 1 and len(ours) == 2:
            gain = middle(ours[1], "tokens_per_second") / middle(ours[0], "tokens_per_second")
            words.append(f"{precision}: {ranks} ranks are {gain:.2f} × as fast as one")
    return words


def measure(runner, options, name):
    shape = SHAPES[name]
    text, weights = os.path.join(runner.folder, "text"), os.path.join(runner.folder, "weights")
    if options.against:
        # The rival reads our symbols and starts from our weights.
        once = {**shape, "steps": 1, "warm_up": 1}
        runner.ours(once, "float32", options.ranks, ["--write-text", text, "--write-weights", weights])
    found = contenders(runner, options, shape, text, weights)
    rounds = 1 if options.quick else min(shape["rounds"] or options.rounds, options.rounds)
    for number in range(rounds):
        for contender in found:
            if contender["failure"]:
                continue
            if sys.stderr.isatty():
                print(f"\r\033[K{name}, round {number + 1} of {rounds}: {contender['name']}", end="", file=sys.stderr)
            # Processes of gloo do not always find each other; once more is fair.
            for attempt in range(1 if contender["ours"] or options.ranks == 1 else 3):
                try:
                    contender["runs"].append(contender["run"]())
                    contender["failure"] = None
                    break
                except Failure as failure:
                    contender["failure"] = str(failure)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(f"\n{shape['title']}, {rounds} round{'s' if rounds > 1 else ''}" + (
        f", batch size of each of {options.ranks} ranks" if options.ranks > 1 else ""))  # fmt: skip
    print(f"  {'':<28} {'symbols/s':>10} {'ms a step':>10} {'MiB used':>9} {'+ start':>7} {'start s':>7}"
          f" {'loss':>9} {'GFLOP/s':>8} {'of peak':>6}")  # fmt: skip
    for contender in found:
        print(line(contender))
    words = verdicts(found, options.ranks)
    for sentence in words:
        print("  " + sentence)
    sys.stdout.flush()
    kept = ("name", "precision", "ours", "ranks", "failure", "runs")
    return {"shape": name, "title": shape["title"], "verdicts": words,
            "programs": [{key: c[key] for key in kept} for c in found]}  # fmt: skip


def processor():
    with open("/proc/cpuinfo") as file:
        names = [text.split(":", 1)[1].strip() for text in file if text.startswith("model name")]
    return names[0] if names else platform.machine()


def main():
    options = parse()
    names = options.shape or (DISTRIBUTED if options.ranks > 1 else list(SHAPES))
    load = os.getloadavg()[0]
    print(f"{time.strftime('%Y-%m-%d')}, {processor()}, load {load:.1f}, "
          f"{'one thread on one core' if options.ranks == 1 else f'{options.ranks} ranks'}")  # fmt: skip
    if load > 0.5:
        print("Something else is running: absolute figures are not to be trusted.")
    with tempfile.TemporaryDirectory(prefix="unroll-bench-") as folder:
        runner = Runner(options, folder)
        results = [measure(runner, options, name) for name in names]
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"date": time.strftime("%Y-%m-%d"), "processor": processor(), "load": load,
                       "shapes": results}, file, indent=1)  # fmt: skip
    if any(c["failure"] and c["ours"] and c["precision"] == "float32" for r in results for c in r["programs"]):
        sys.exit(70)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(70)
