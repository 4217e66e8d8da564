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


def preset(name, depth=2):
    """A preset's section `model` without what belongs to language models: tasks bring inputs and outputs."""
    return f"{{preset: {name}, width: 64, depth: {depth}}}"


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
    parser.add_argument("--rates", default="0.003,0.001", help="learning rates, separated by commas")
    parser.add_argument("--seeds", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2, 3])
    parser.add_argument("--steps", type=int, help="the steps of every run, in place of each task's own number")
    parser.add_argument("--results", type=pathlib.Path, help="a file of JSON lines, a run each, that is read and added to")
    options = parser.parse_args()
    runs = {}
    if options.results and options.results.exists():
        for line in options.results.read_text().splitlines():
            row = json.loads(line)
            runs[tuple(row["run"])] = row
    rates = options.rates.split(",")
    for seed in options.seeds:
        for task in options.tasks:
            for network in options.networks:
                for rate in rates:
                    run = (task, network, rate, seed, options.steps or TASKS[task][1])
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
            steps = options.steps or TASKS[task][1]

            def median(rate, split):
                return statistics.median(runs[task, network, rate, seed, steps][split] for seed in options.seeds)

            best = max(rates, key=lambda rate: median(rate, "valid"))
            cells.append(f"{median(best, 'valid'):.2f} / {median(best, 'test'):.2f}")
        print(f"| `{network}` | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
