"""Compares networks on generated tasks: what each can learn in so many steps, and at lengths it has never seen.

Every network trains on every task with every learning rate, on one core. The rate with the highest accuracy on
validation data counts; the table has the median over the seeds of the accuracy on test data, whose strings are
longer where the task has it so. Runs that stand in the file of results are not run again, so that a comparison
that was ended goes on.

    launch/compare-tasks --results tasks.jsonl --tasks parity,word-problem --networks lstm,mamba2
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

BINARY = os.environ["UNROLL_BINARY"]
DIVERGED = 76


def preset(name):
    """Two blocks of a preset."""
    return f"{{preset: {name}, width: 64, depth: 2}}"


def block(mixer, mlp="{kind: swiglu, round: 8}"):
    """Two blocks of a cell, in the form of the presets."""
    part = f"{{block: {{mixer: {mixer}, mlp: {mlp}}}}}"
    return f"{{embedding: 64, layers: [{part}, {part}], final_norm: rmsnorm}}"


NETWORKS = {
    "lstm": preset("lstm"),
    "gru": block("{cell: gru, hidden: 64}"),
    "slstm": block("{cell: slstm, hidden: 64, heads: 4, forget_exponent: 1}"),
    "m2rnn": preset("m2rnn"),
    "rwkv7": preset("rwkv7"),
    "gated-deltanet": block("{cell: gated-deltanet, hidden: 64, heads: 2, kernel: 4, negative_eigenvalues: true}"),
    "xlstm": preset("xlstm"),
    "xlstm-7b": preset("xlstm-7b"),
    "mamba2": preset("mamba2"),
    "hawk": preset("hawk"),
    "minlm": preset("minlm"),
}

# The section `data` and the number of steps.
TASKS = {
    "parity": ("{task: parity, train_length: [3, 40], test_length: [40, 256]}", 3000),
    "word-problem": ("{task: word-problem, group: a5, train_length: [2, 20], test_length: [20, 40]}", 5000),
    "modular-arithmetic": ("{task: modular-arithmetic, train_length: [3, 39], test_length: [41, 255]}", 3000),
    "associative-recall": ("{task: associative-recall, alphabet: 64, length: 64, pairs: [4, 8]}", 3000),
    "selective-copy": ("{task: selective-copy, symbols: 8, alphabet: 16, length: 64}", 3000),
}


def train(task, model, rate, seed, steps):
    """Returns the accuracies on validation and test data, and the seconds."""
    data, usual = TASKS[task]
    steps = steps or usual
    data = data[:-1] + f", train_size: {64 * steps}, valid_size: 500, test_size: 1000}}"
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "task.yaml"
        config.write_text(
            f"name: task\nseed: {seed}\ndata: {data}\nmodel: {model}\n"
            f"training: {{batch_size: 64, steps: {steps}, optimizer: {{rule: adamw, weight_decay: 0.01}}, "
            f"schedule: {{shape: cosine, learning_rate: {rate}, warmup: 100}}, clip: {{norm: 1}}}}\n"
            f"evaluation: {{every: {steps}}}\ncheckpoint: {{every: {steps}}}\nconsole: {{progress: none}}\n")
        command = [BINARY, "train", str(config), "--run", folder + "/run"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        if done.returncode == DIVERGED:
            return 0.0, 0.0, 0.0
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        rows = [json.loads(line) for line in open(folder + "/run/metrics.jsonl")]
    found = {}
    for row in rows:
        for key in ("valid_accuracy", "test_accuracy"):
            if key in row:
                found[key] = row[key]
    times = [row["time"] for row in rows if "loss" in row and "step" in row]
    return found["valid_accuracy"], found["test_accuracy"], times[-1] - times[0]


def subject(task, network, steps):
    """Returns what a run is of: the names, what they stand for today, and the steps."""
    data, usual = TASKS[task]
    return task, network, data, NETWORKS[network], steps or usual


def positive(of):
    """The type of a number above zero."""
    def read(text):
        try:
            value = of(text)
        except ValueError:
            value = 0
        if not value > 0:
            raise argparse.ArgumentTypeError(f"'{text}' is no number above zero")
        return text if of is float else value
    return read


def several(type_of_one):
    """The type of a list separated by commas."""
    return lambda text: [type_of_one(word) for word in text.split(",")]


class Parser(argparse.ArgumentParser):
    """One sentence and the exit code of wrong usage, as the program has it."""

    def error(self, message):
        self.exit(64, f"compare-tasks: {message}\n")


def names(known, what):
    """The type of a list of names, separated by commas."""
    def split(text):
        for name in text.split(","):
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {what} is called '{name}'; there are {', '.join(known)}")
        return text.split(",")
    return split


def main():
    parser = Parser(prog="launch/compare-tasks", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=names(TASKS, "task"), default=list(TASKS), help="separated by commas; all by default")
    parser.add_argument("--networks", type=names(NETWORKS, "network"), default=list(NETWORKS),
                        help="separated by commas; all by default")
    parser.add_argument("--rates", type=several(positive(float)), default=["0.003", "0.001"],
                        help="learning rates, separated by commas")
    parser.add_argument("--seeds", type=several(positive(int)), default=[1, 2, 3], help="separated by commas")
    parser.add_argument("--steps", type=positive(int), help="the steps of every run, in place of each task's own number")
    parser.add_argument("--results", type=pathlib.Path, help="a file of JSON lines, a run each, that is read and added to")
    options = parser.parse_args()
    runs = {}
    if options.results and options.results.exists():
        for line in options.results.read_text().splitlines():
            row = json.loads(line)
            runs[tuple(row["run"])] = row
    for seed in options.seeds:
        for task in options.tasks:
            for network in options.networks:
                for rate in options.rates:
                    run = (*subject(task, network, options.steps), rate, seed)
                    if run in runs:
                        continue
                    valid, test, seconds = train(task, NETWORKS[network], rate, seed, options.steps)
                    runs[run] = {"run": run, "valid": valid, "test": test, "seconds": seconds}
                    print(json.dumps(runs[run]), file=sys.stderr, flush=True)
                    if options.results:
                        with open(options.results, "a") as file:
                            print(json.dumps(runs[run]), file=file)
    print("| network | " + " | ".join(options.tasks) + " |")
    print("|---|" + "---|" * len(options.tasks))
    for network in options.networks:
        cells = []
        for task in options.tasks:
            def median(rate, split):
                found = (runs[*subject(task, network, options.steps), rate, seed] for seed in options.seeds)
                return statistics.median(run[split] for run in found)

            best = max(options.rates, key=lambda rate: median(rate, "valid"))
            cells.append(f"{median(best, 'valid'):.2f} / {median(best, 'test'):.2f}")
        print(f"| `{network}` | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
