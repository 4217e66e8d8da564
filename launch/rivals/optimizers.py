"""Compares optimizers, each with several learning rates, or learning rates over widths.

Runs one process after another on one thread each. Time is processor time of the process, so other programs on the
machine disturb it little. Prints a table of Markdown.
"""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile

# Name, settings, learning rates.
RULES = [
    ("adam", ["training.optimizer={rule: adam}"], [0.001, 0.002, 0.004, 0.008]),
    ("adamw", ["training.optimizer={rule: adamw, weight_decay: 0.1}"], [0.001, 0.002, 0.004, 0.008]),
    ("lion", ["training.optimizer={rule: lion, weight_decay: 0.1}"], [0.0003, 0.0006, 0.0012, 0.0024]),
    ("ademamix", ["training.optimizer={rule: ademamix, warmup: 1000}"], [0.001, 0.002, 0.004, 0.008]),
    ("schedule_free", ["training.optimizer={rule: schedule_free}"], [0.002, 0.004, 0.008, 0.016]),
    ("muon", ["training.optimizer={rule: muon, adamw_rate: 0.2}"], [0.005, 0.01, 0.02, 0.04]),
    ("sgd, trigger 5", ["training.optimizer={rule: sgd}", "training.average={trigger: 5}"], [2.5, 5, 10, 20]),
]


def settings(values):
    return [part for value in values for part in ("--set", value)]


def train(options, values, steps):
    """Returns the validation loss after so many steps, and the processor time."""
    folder = tempfile.mkdtemp()
    try:
        command = [
            options.binary, "train", options.config, "--run", folder + "/run", *settings(options.set),
            *settings(values), *settings([f"training.steps={steps}", f"evaluation.every={options.every or steps}",
                                          "checkpoint.every=1000000000", "console.progress=none"]),
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True,
                              env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        if done.returncode not in (0, 76, 79):
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        losses = []
        with open(folder + "/run/metrics.jsonl") as file:
            for line in file:
                loss = json.loads(line).get("valid_loss")
                losses += [] if loss is None else [loss]
        return (losses[-1] if losses and done.returncode != 76 else math.nan), seconds
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def perplexity(loss):
    return "diverged" if math.isnan(loss) else f"{math.exp(min(loss, 20)):.1f}"


def rules(options):
    print("| optimizer | ms a step | steps | learning rates: validation perplexity | best |")
    print("|---|---|---|---|---|", flush=True)
    for name, values, rates in RULES:
        if options.only and name.split(",")[0] not in options.only:
            continue
        first = values + [f"training.schedule.learning_rate={rates[0]}"]
        (_, short), (_, long) = train(options, first, 10), train(options, first, 40)
        step = max((long - short) / 30, 1e-4)
        steps = int(options.seconds / step)
        found = []
        for rate in rates:
            found.append(train(options, values + [f"training.schedule.learning_rate={rate}"], steps)[0])
        best = min((loss, rate) for loss, rate in zip(found, rates) if not math.isnan(loss))
        others = [train(options, values + [f"training.schedule.learning_rate={best[1]}", f"seed={seed}"], steps)[0]
                  for seed in options.seeds]
        shown = ", ".join(f"{rate:g}: {perplexity(loss)}" for rate, loss in zip(rates, found))
        more = "".join(f", {perplexity(loss)}" for loss in others)
        print(f"| {name} | {1000 * step:.0f} | {steps} | {shown} | {perplexity(best[0])}{more} |", flush=True)


def widths(options):
    rates = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032]
    print("| width | `mup_base` | " + " | ".join(f"{rate:g}" for rate in rates) + " |")
    print("|---|---|" + "---|" * len(rates), flush=True)
    for base in [options.base, None]:
        for width in options.widths:
            values = [f"model.embedding={width}", f"model.layers=[{{cell: lstm, hidden: {width}}}]"]
            values += [f"model.mup_base={base}"] if base else []
            losses = [train(options, values + [f"training.schedule.learning_rate={rate}"], options.steps)[0]
                      for rate in rates]
            least = min(loss for loss in losses if not math.isnan(loss))
            shown = [f"**{x:.3f}**" if x == least else f"{x:.3f}" for x in losses]
            print(f"| {width} | {base or '–'} | " + " | ".join(shown) + " |", flush=True)


class Parser(argparse.ArgumentParser):
    """One sentence and the exit code of wrong usage, as the program has it."""

    def error(self, message):
        self.exit(64, f"compare-optimizers: {message}\n")


def main():
    parser = Parser(prog="launch/compare-optimizers", description=__doc__)
    parser.add_argument("what", choices=["rules", "widths"])
    parser.add_argument("config")
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--set", action="append", default=[], help="a setting of every run")
    parser.add_argument("--seconds", type=float, default=60, help="processor time of a run of rules")
    parser.add_argument("--every", type=int, help="steps between evaluations; only one at the end without it")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="more seeds of the best rate")
    parser.add_argument("--only", nargs="*", help="these rules alone")
    parser.add_argument("--steps", type=int, default=300, help="steps of a run of widths")
    parser.add_argument("--base", type=int, default=64)
    parser.add_argument("--widths", type=int, nargs="*", default=[64, 128, 256, 512])
    options = parser.parse_args()
    rules(options) if options.what == "rules" else widths(options)


main()
