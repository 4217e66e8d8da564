"""Compares our safetensors files with those of the Python library, in both directions.

Needs torch, numpy and safetensors; run by hand, from anywhere:

    python3 Tests/Oracles/safetensors_check.py read  OURS.safetensors    Python reads a file of ours
    python3 Tests/Oracles/safetensors_check.py write THEIRS.safetensors  a file for us to read
    python3 Tests/Oracles/safetensors_check.py base64                    the small file in SafetensorsTests

`UNROLL_ORACLE=FOLDER swift test --filter 'Safetensors oracle'` writes ours.safetensors into FOLDER and reads
theirs.safetensors from it; `all FOLDER` then does every comparison:

    python3 Tests/Oracles/safetensors_check.py write FOLDER/theirs.safetensors
    UNROLL_ORACLE=FOLDER swift test --filter 'Safetensors oracle'
    python3 Tests/Oracles/safetensors_check.py all FOLDER

`verdicts FOLDER` judges the damaged files that ReadingTests keeps, with the verdicts on them, in an existing folder:

    UNROLL_TEST_KEEP=FOLDER UNROLL_TEST_MUTATIONS=5000 UNROLL_TEST_READER=safetensors swift test --filter ReadingProcess
"""

import base64
import os
import sys

import numpy
import safetensors
import safetensors.numpy
import safetensors.torch
import torch


def reference():
    """The tensors of both files; SafetensorsOracleTests.swift makes the same."""
    return {
        "rnn.weight_hh_l0": torch.arange(35, dtype=torch.float32).reshape(7, 5) / 8 - 1,
        "rnn.bias_hh_l0": torch.tensor([0.1, -0.0, float("inf"), 1e-45, 3.0]),
        "loss": torch.tensor(2.5, dtype=torch.float64),
        "cursor": torch.tensor([0, 2**40, -3], dtype=torch.int64),
        "tokens": torch.tensor([[1, 2, 3], [-4, 5, 6]], dtype=torch.int32),
        "bytes": torch.tensor([0, 1, 255], dtype=torch.uint8),
        'empty "quoted" é\n': torch.zeros(0, 4),
    }


METADATA = {"format": "pt"}


def small():
    return safetensors.torch.save(
        {
            "w": torch.tensor([[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]]),
            "h": torch.tensor([1.0, -0.5], dtype=torch.float16),
            "b": torch.tensor([1.0, -3.0], dtype=torch.bfloat16),
            "n": torch.tensor([7, -8, 2**40], dtype=torch.int64),
            "d": torch.tensor(0.1, dtype=torch.float64),
        },
        {"format": "pt"},
    )


def read(path):
    found = safetensors.torch.load_file(path)
    expected = reference()
    assert found.keys() == expected.keys(), (found.keys(), expected.keys())
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert found[name].shape == tensor.shape, name
        assert found[name].numpy().tobytes() == tensor.numpy().tobytes(), name
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == METADATA, file.metadata()
    print(f"{path}: Python {safetensors.__version__} reads every tensor, bit by bit")


def write(path):
    safetensors.torch.save_file(reference(), path, METADATA)


def verdicts(folder):
    """Every crafted file that we judged, judged by Python: `name accepted|rejected` in verdicts.txt."""
    differences = 0
    lines = open(os.path.join(folder, "verdicts.txt")).read().split("\n")
    for line in filter(None, lines):
        ours, name = line.split(" ", 1)
        data = open(os.path.join(folder, name + ".safetensors"), "rb").read()
        try:
            safetensors.deserialize(data)
            theirs = "accepted"
        except Exception:
            theirs = "rejected"
        if ours != theirs:
            differences += 1
            print(f"  {name}: {ours} by us, {theirs} by Python")
    print(f"{len(lines) - 1} crafted files, {differences} judged differently")


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "base64":
        print(base64.b64encode(small()).decode())
    elif command == "read":
        read(sys.argv[2])
    elif command == "write":
        write(sys.argv[2])
    elif command == "verdicts":
        verdicts(sys.argv[2])
    elif command == "all":
        folder = sys.argv[2]
        ours, theirs = (os.path.join(folder, n + ".safetensors") for n in ("ours", "theirs"))
        read(ours)
        same = open(ours, "rb").read() == open(theirs, "rb").read()
        print(f"the two files are {'the same bytes' if same else 'DIFFERENT'}")
        verdicts(folder)
    else:
        sys.exit(__doc__)


main()
