"""Compares networks at equal time on one configuration.

Each network is a section `model` of a configuration. It first trains for a few steps, which tell the time of one,
and then for as many steps as fit in the seconds given, with a schedule of that length. Of several learning rates
the one with the lowest validation loss counts. Prints a table of Markdown.

    launch/compare-networks configs/shakespeare.yaml --seconds 180 --ranks 2 \\
      "lstm={preset: lstm, width: 128, depth: 3}" "hawk={preset: hawk, width: 128, depth: 4}"
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def train(options, model, rate, steps, seed=None):
    """Returns the last validation loss, the seconds of the steps, the parameters and the symbols read."""
    folder = tempfile.mkdtemp()
    try:
        values = [f"model={model}", f"training.schedule.learning_rate={rate}", f"training.steps={steps}",
                  f"evaluation.every={steps}", "checkpoint.every=1000000000", "console.progress=none", *options.set]
        if seed is not None:
            values.append(f"seed={seed}")
        command = [str(ROOT / "launch/local"), str(options.ranks), options.config, "--run", folder + "/run"]
        command += [part for value in values for part in ("--set", value)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        parameters = next(
            (int(word) for line in done.stdout.splitlines() + done.stderr.splitlines()
             for word, after in zip(line.split(), line.split()[1:]) if after.startswith("parameters")), 0)
        losses, times, tokens = [], [], 0
        with open(folder + "/run/metrics.jsonl") as file:
            for line in file:
                row = json.loads(line)
                if "valid_loss" in row:
                    losses.append(row["valid_loss"])
                elif "loss" in row and "step" in row:
                    times.append(row["time"])
                    tokens = row.get("tokens", tokens)
        return losses[-1], times[-1] - times[0], len(times) - 1, parameters, tokens
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Parser(argparse.ArgumentParser):
    """One sentence and the exit code of wrong usage, as the program has it."""

    def error(self, message):
        self.exit(64, f"compare-networks: {message}\n")


def named(text):
    """Splits NAME=MODEL."""
    name, equals, model = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is no NAME=MODEL, such as 'hawk={{preset: hawk, width: 128, depth: 4}}'")
    return name, model


def main():
    parser = Parser(prog="launch/compare-networks", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("networks", nargs="+", type=named, metavar="NAME=MODEL", help="a name and a section `model`")
    parser.add_argument("--seconds", type=float, default=180, help="the time of each run's steps")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rates", default="0.003", help="learning rates, separated by commas")
    parser.add_argument("--seeds", type=lambda text: [int(word) for word in text.split(",")], default=[None],
                        help="seeds of the best rate, separated by commas; the median counts")
    parser.add_argument("--probe", type=int, default=30, help="the steps that tell the time of one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    print("| network | parameters | ms a step | symbols read | learning rates: validation loss | best |")
    print("|---|---|---|---|---|---|", flush=True)
    for name, model in options.networks:
        rates = options.rates.split(",")
        _, seconds, count, parameters, _ = train(options, model, rates[0], options.probe)
        steps = max(int(options.seconds / (seconds / count)), 2)
        runs = {}
        for rate in rates:
            runs[rate] = train(options, model, rate, steps)
        best = min(rates, key=lambda rate: runs[rate][0])
        losses = [runs[best][0]] if options.seeds == [None] else sorted(
            train(options, model, best, steps, seed)[0] for seed in options.seeds)
        loss, seconds, count, parameters, tokens = runs[best]
        found = ", ".join(f"{rate}: {runs[rate][0]:.4f}" for rate in rates)
        print(f"| {name} | {parameters:,} | {1000 * seconds / count:.0f} | {tokens:,} | {found} "
              f"| {losses[len(losses) // 2]:.4f} |", flush=True)


if __name__ == "__main__":
    main()
