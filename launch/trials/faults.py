"""Runs the trials of launch/faults and prints their table."""

import argparse
import random
import signal
import sys
import time

from bench import Bench, told
from fuzz import fuzz
from kills import kills
from link import link
from matrix import matrix
from saving import saving
from slurm import slurm
from soak import soak


class Parser(argparse.ArgumentParser):
    def error(self, message):
        print(f"faults: {message}; launch/faults --help shows all options.", file=sys.stderr)
        sys.exit(64)


def arguments():
    parser = Parser(add_help=False)
    parser.add_argument("--root", required=True)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--tests", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--soak", type=float)
    parser.add_argument("--fuzz", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("parts", nargs="*", metavar="PART")
    given = parser.parse_args()
    for part in given.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part}; write some of {', '.join(PARTS)}")
    for option in ("kills", "soak", "fuzz"):
        value = getattr(given, option)
        if value is not None and value <= 0:
            parser.error(f"--{option} is {value}; give it a number above 0")
        if value is not None and given.parts and option not in given.parts:
            parser.error(f"--{option} has no effect without the part {option}")
    return given


PARTS = {
    "kills": lambda bench, given: kills(bench, given.kills or (12 if given.quick else 100)),
    "matrix": lambda bench, given: matrix(bench, given.quick),
    "saving": lambda bench, given: saving(bench, given.quick),
    "link": lambda bench, given: link(bench, given.quick),
    "slurm": lambda bench, given: slurm(bench, given.quick),
    "soak": lambda bench, given: soak(bench, given.soak or (1 if given.quick else 10)),
    "fuzz": lambda bench, given: fuzz(bench, given.fuzz or (20_000 if given.quick else 1_000_000)),
}


def main():
    given = arguments()
    seed = random.randrange(1 << 30) if given.seed is None else given.seed

    def interrupted(number, frame):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    bench = Bench(given.root, given.binary, seed, given.tests)
    begin = time.monotonic()
    try:
        print(f"seed {seed}\n")
        bench.title()
        for name, part in PARTS.items():
            if not given.parts or name in given.parts:
                try:
                    part(bench, given)
                except Exception as problem:
                    bench.surprise(f"{name}: {told(problem)}")
    except KeyboardInterrupt:
        print("faults: interrupted", file=sys.stderr)
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        bench.clean_up()
    number = len(bench.surprises)
    print(f"\n{time.monotonic() - begin:.0f} s, {number} surprise{'' if number == 1 else 's'}")
    for words in bench.surprises:
        print(f"SURPRISE {words[:2000]}")
    if bench.surprises:
        return 1
    if given.parts and bench.skipped:
        print(f"faults: not everything that was asked for can be done here: {'; '.join(bench.skipped)}", file=sys.stderr)
        return 69
    return 0


sys.exit(main())
