"""Measures two hosts against one rank, mode by mode, and prints a table. Called by launch/scaling.

Each round runs one rank and then every mode anew, so that a machine whose speed drifts is fair to all; figures
are medians over the rounds, and ratios are those of the same round. Standard library only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
SHAPES = {"2x200": ["--hidden", "200", "--bptt", "20"], "2x650": ["--hidden", "650"], "2x1500": ["--hidden", "1500"]}
ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Parser(argparse.ArgumentParser):
    """One sentence and the exit code of wrong usage, as the program has it."""

    def error(self, message):
        self.exit(64, f"scaling: {message}\n")


def parse():
    parser = Parser(prog="launch/scaling", description="Measures two hosts on a link of a given speed against one rank.")
    parser.add_argument("modes", nargs="*", metavar="MODE", help="settings of communication, joined by commas, as in wire=bfloat16,overlap=true; 'default' for none")
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rate", default="1gbit", help="the speed of the link each way (1gbit); 'local' for two ranks on one host")
    parser.add_argument("--shape", default="2x650", choices=list(SHAPES), help="the LSTM (2x650)")
    parser.add_argument("--steps", type=int, default=10, help="steps of each measurement (10)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (3)")
    parser.add_argument("--json", metavar="FILE", help="write all measurements here")
    return parser.parse_args()


def split(mode):
    """The assignments of a mode; commas inside braces do not count."""
    parts, depth = [""], 0
    for letter in mode:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [] if mode == "default" else ["communication." + part.strip() for part in parts]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_CORE})
    if done.returncode:
        sys.exit(f"scaling: {' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    options = parse()
    modes = options.modes or ["default", "wire=bfloat16"]
    bench = [options.binary, "bench", "--json", "--steps", str(options.steps)] + SHAPES[options.shape]
    launcher = (
        ["bash", "-c", 'source "$0"; prepare_mpirun 2; exec "${mpirun_command[@]}" "$@"', os.path.join(here, "..", "library.sh")]
        if options.rate == "local"
        else [os.path.join(here, "..", "two-hosts"), "--rate", options.rate]
    )
    found = {"one rank": [], **{mode: [] for mode in modes}}
    for _ in range(options.rounds):
        found["one rank"].append(run(["taskset", "-c", "0"] + bench))
        for mode in modes:
            settings = [word for assignment in split(mode) for word in ("--set", assignment)]
            found[mode].append(run(launcher + bench + settings))
    print(f"LSTM {options.shape}, {options.rate}, {options.rounds} rounds of {options.steps} steps")
    print(f"{'mode':48} tokens/s   ratio  MB a step  hidden")
    for mode, reports in found.items():
        speed = statistics.median(report["tokens_per_second"] for report in reports)
        ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(reports, found["one rank"])]
        sent = statistics.median(report["bytes_per_step"] for report in reports) / 1e6
        hidden = statistics.median(report["hidden_share"] for report in reports)
        print(f"{mode:48} {speed:8,.0f}   {statistics.median(ratios):5.2f}  {sent:9.2f}  {100 * hidden:5.0f} %")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(found, file, indent=1)


main()
