"""Damaged files of every kind that is read, by the suite ReadingTests, in processes with limits of memory and time."""

import os
import re
import time

from job import Job


def fuzz(bench, number):
    tests = bench.tests
    if not os.access(tests, os.X_OK):
        bench.skip("damaged files", f"there is no {tests}: run swift build --build-tests, or set TESTS")
        return
    notes = bench.path("notes")
    os.mkdir(notes)
    # So many kinds share the number; the suite reads them one after another.
    with open(f"{bench.root}/Tests/ReadingTests/Reader.swift") as file:
        kinds = re.search(r"static let all: \[Reader\] = \[(.*?)\]", file.read(), re.DOTALL)
    kinds = [name.strip() for name in kinds.group(1).split(",") if name.strip()]
    # Every seed has numbers of its own, each of which is one damaged file of a kind.
    first = (bench.seed % (1 << 30)) << 24
    share = -(-number // len(kinds))
    job = Job(
        bench,
        [tests, "--testing-library", "swift-testing", "--filter", "ReadingTests", "--no-parallel"],
        bench.path("fuzz.log"),
        {"UNROLL_TEST_NOTES": notes, "UNROLL_TEST_MUTATIONS": str(share), "UNROLL_TEST_FIRST": str(first)},
    )
    begin, total = time.monotonic(), 0
    try:
        while job.gone(24 * 3600) is None:
            pass
        for kind in kinds:
            wrong, numbers = None, []
            try:
                with open(f"{notes}/{kind}") as file:
                    numbers = list(map(int, file.read().split()))
            except OSError:
                wrong = "it was not read"
            if re.search(rf"file -?\d+ of {kind}:", job.words()):
                wrong = re.search(rf"file -?\d+ of {kind}:.*", job.words()).group()
            done, read, refused = numbers[:3] if len(numbers) >= 3 else (first, 0, 0)
            # The note has the number of the file that is next.
            done -= first
            if wrong is None and done < share:
                wrong = f"{done} of {share} were read"
            total += done
            bench.row(
                f"damaged files: {kind}", done, [], [], None, [], f"{read} read, {refused} refused", wrong
            )
        if job.code != 0 and not bench.surprises:
            bench.surprise(f"the suite ended with {job.code}: {job.words()[-3000:]}")
        print(f"{total} damaged files, UNROLL_TEST_FIRST={first}, in {time.monotonic() - begin:.0f} s")
    finally:
        job.end()
