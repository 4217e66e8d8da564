"""Compares the step times that unroll plan predicts with measured ones, and prints a table. Called by launch/check-plan.

For every shape and line, unroll plan --measure describes the hosts, and unroll bench measures each mode right after
it, so that a machine whose speed drifts is fair to both. Of several rounds each figure is the median. Standard
library only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
SHAPES = {"2x200": (200, 20), "2x650": (650, 35), "2x1500": (1500, 35)}
# The name of a mode in a plan, and the settings that bench needs for it; compressions begin at the first step.
MODES = {
    "default": ("default", []),
    "overlap=false": ("overlap: false", ["overlap=false"]),
    "bfloat16": ("wire: bfloat16", ["wire=bfloat16"]),
    "powersgd": ("powersgd 4", ["compression={powersgd: {rank: 4, start: 0}}"]),
    "top_k": ("top_k 0.001", ["compression={top_k: {share: 0.001, warmup: 0}}"]),
    "one_bit": ("one_bit", ["compression={one_bit: {start: 0}}"]),
    "outer": ("outer 50", ["outer={every: 50}"]),
    "outer-bfloat16": ("outer 50 bfloat16", ["wire=bfloat16", "outer={every: 50}"]),
}
SETTINGS = [
    "2x200:local:default", "2x650:local:default",
    "2x200:1gbit:default", "2x650:1gbit:default", "2x200:1gbit:bfloat16", "2x650:1gbit:bfloat16",
    "2x200:100mbit:bfloat16", "2x650:100mbit:powersgd",
]


class Parser(argparse.ArgumentParser):
    """One sentence and the exit code of wrong usage, as the program has it."""

    def error(self, message):
        self.exit(64, f"check-plan: {message}\n")


def parse():
    parser = Parser(prog="launch/check-plan", description="Compares the step times of unroll plan with measured ones.")
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--setting", action="append", metavar="SHAPE:RATE:MODE", help=f"a setting, such as {SETTINGS[0]}; shapes {', '.join(SHAPES)}, rates local or as tc writes them, modes {', '.join(MODES)}; may be repeated")
    parser.add_argument("--rounds", type=int, default=1, help="rounds (1)")
    parser.add_argument("--seconds", type=float, default=8, help="the time of each measurement, about (8)")
    parser.add_argument("--json", metavar="FILE", help="write all figures here")
    options = parser.parse_args()
    for setting in options.setting or []:
        parts = setting.split(":")
        if len(parts) != 3 or parts[0] not in SHAPES or parts[2] not in MODES:
            parser.error(f"there is no setting {setting}: write SHAPE:RATE:MODE; --help has them")
    return options


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_CORE})
    if done.returncode:
        sys.exit(f"check-plan: {' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def launcher(rate):
    if rate == "local":
        return ["bash", "-c", 'source "$0"; prepare_mpirun 2; exec "${mpirun_command[@]}" "$@"', os.path.join(here, "..", "library.sh")]
    return [os.path.join(here, "..", "two-hosts"), "--rate", rate]


def write_configuration(path, shape):
    hidden, steps = SHAPES[shape]
    with open(path, "w") as file:
        file.write(f"""data: {{train: none.txt, tokenizer: word}}
model: {{embedding: {hidden}, layers: [{{cell: lstm, hidden: {hidden}}}, {{cell: lstm, hidden: {hidden}}}]}}
training:
  batch_size: 40
  bptt: {steps}
  steps: 1
  optimizer: {{rule: sgd}}
  schedule: {{learning_rate: 1}}
  clip: {{norm: 0.25}}
""")


def measure(options, folder, shape, rate, modes):
    """The predicted and the measured seconds of each mode."""
    configuration, cluster = os.path.join(folder, shape + ".yaml"), os.path.join(folder, f"{shape}-{rate}.yaml")
    write_configuration(configuration, shape)
    if os.path.exists(cluster):
        os.remove(cluster)
    run(launcher(rate) + [options.binary, "plan", configuration, cluster, "--vocabulary", "10000", "--measure"])
    plan = json.loads(run([options.binary, "plan", configuration, cluster, "--vocabulary", "10000", "--json"]))
    rows = {row["mode"]: row for row in plan["rows"]}
    found = {}
    for mode in modes:
        name, settings = MODES[mode]
        predicted = rows[name]["step_milliseconds"]
        steps = max(3, round(1000 * options.seconds / predicted))
        words = [word for setting in settings for word in ("--set", "communication." + setting)]
        report = json.loads(
            run(launcher(rate) + [options.binary, "bench", configuration, "--vocabulary", "10000", "--json", "--steps", str(steps), *words]).strip().splitlines()[-1]
        )
        found[mode] = (predicted, report["mean_step_milliseconds"] if "outer" in mode else report["step_milliseconds"]["median"])
    with open(cluster) as file:
        return found, file.read()


def main():
    options = parse()
    settings = [setting.split(":") for setting in options.setting or SETTINGS]
    groups = {}
    for shape, rate, mode in settings:
        groups.setdefault((shape, rate), []).append(mode)
    figures = {tuple(setting): [] for setting in settings}
    clusters = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for (shape, rate), modes in groups.items():
                found, clusters[f"{shape} {rate}"] = measure(options, folder, shape, rate, modes)
                for mode, pair in found.items():
                    figures[(shape, rate, mode)].append(pair)
    print(f"{'LSTM':8} {'line':8} {'mode':16} predicted  measured    error")
    worst = 0
    for (shape, rate, mode), pairs in figures.items():
        predicted, measured = (statistics.median(values) for values in zip(*pairs))
        error = statistics.median(a / b - 1 for a, b in pairs)
        worst = max(worst, abs(error))
        print(f"{shape:8} {rate:8} {mode:16} {predicted:6.0f} ms {measured:6.0f} ms  {100 * error:+5.0f} %")
    print(f"the largest error is {100 * worst:.0f} %, over {options.rounds} round{'s' if options.rounds > 1 else ''}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"figures": {":".join(key): value for key, value in figures.items()}, "clusters": clusters}, file, indent=1)


main()
