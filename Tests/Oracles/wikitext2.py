"""Trains as PyTorch's word_language_model example does and compares Unroll's losses with its own.

    python wikitext2.py train OUT TEXT [TEXT ...] [--rate 1] [--steps 100]
    python wikitext2.py compare OUT/losses-rate-1.txt RUN/metrics.jsonl [--tolerance 1e-4]

`train` trains on the first text; the vocabulary is made of all of them, in the order in which words
first occur. It writes into the folder OUT

    vocabulary.txt          one symbol per line; its line number, from 0, is its index
    initial.safetensors     the weights before the first step, under PyTorch's names
    losses-rate-RATE.txt    one loss per line, nats per target, in the order of the steps

`compare` prints the largest relative difference within the first 25, the first 100 and all of the
steps both sides have, and exits with 1 if the last is above the tolerance. Rounding alone parts two
runs at rate 20 after some 40 steps; at rate 1 it does not, so compare 25 steps at 20 and 100 at 1.

PyTorch sums the squares of a gradient in single precision, and of the 6.7 million numbers of these
embeddings that loses 2 parts in 10,000, so its clipped steps are longer than they should be by as much.
With `--norm double`, the default, the norm is exact and everything else is PyTorch's; `--norm float`
takes `clip_grad_norm_` as it is.
"""

import argparse
import json
import pathlib
import sys
import time


def train(arguments):
    import torch
    from safetensors.torch import save_file
    from torch.nn.utils import clip_grad_norm_

    from word_language_model import (
        WordLanguageModel, cross_entropy, detached, streams, windows, words)

    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    index = {}
    for text in arguments.text:
        for word in words(text):
            index.setdefault(word, len(index))
    index.setdefault("<unk>", len(index))  # Unroll's vocabularies always have it.
    data = streams(
        torch.tensor([index[word] for word in words(arguments.text[0])]), arguments.batch_size)

    model = WordLanguageModel(
        "lstm", len(index), arguments.embedding, arguments.hidden, arguments.layers,
        arguments.dropout)
    model.initialize()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "vocabulary.txt").write_text(
        "".join(word + "\n" for word in index), encoding="utf-8")
    save_file(model.state_dict(), arguments.out / "initial.safetensors")
    print(f"{len(index)} words, {data.shape[1]} streams of {data.shape[0]} symbols")

    losses, state, start = [], None, time.perf_counter()
    for inputs, targets in windows(data, arguments.bptt):
        if len(losses) == arguments.steps:
            break
        model.zero_grad()
        logits, state = model(inputs, state)
        loss = cross_entropy(logits, targets)
        loss.backward()
        state = detached(state)
        if arguments.norm == "float":
            clip_grad_norm_(model.parameters(), arguments.clip)
        else:
            clip_by_exact_norm(model.parameters(), arguments.clip)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= arguments.rate * parameter.grad
        losses.append(loss.item())
        if len(losses) in (1, 25, 100):
            print(f"step {len(losses)}: {losses[-1]:.9g} nats per target", flush=True)
    seconds = (time.perf_counter() - start) / len(losses)
    file = arguments.out / f"losses-rate-{arguments.rate:g}.txt"
    file.write_text("".join(f"{loss!r}\n" for loss in losses))
    print(f"{file}: {len(losses)} steps of {seconds:.3f} s on one thread")


def clip_by_exact_norm(parameters, limit):
    gradients = [parameter.grad for parameter in parameters]
    norm = sum((gradient.double() ** 2).sum() for gradient in gradients) ** 0.5
    if (factor := limit / (norm.item() + 1e-6)) < 1:
        for gradient in gradients:
            gradient.mul_(factor)


def compare(arguments):
    expected = [float(line) for line in arguments.losses.read_text().split()]
    measured = {}
    for line in arguments.metrics.read_text().splitlines():
        record = json.loads(line)
        if "loss" in record:
            measured[record["step"]] = record["loss"]
    first = min(measured, default=1)
    both = range(min(len(expected), max(measured, default=0) - first + 1))
    missing = [first + k for k in both if first + k not in measured]
    if first > 1 or missing or not both:
        sys.exit(f"{arguments.metrics}: no loss of step {(missing or [1])[0]}; "
                 "the run must report the loss of every step from the first on.")
    differences = [abs(measured[first + k] - expected[k]) / abs(expected[k]) for k in both]
    differences = [d if d == d else float("inf") for d in differences]  # A loss was no number.
    for count in sorted({25, 100, len(both)}):
        if count <= len(both):
            worst = max(range(count), key=differences.__getitem__)
            print(f"first {count} steps: largest relative difference {differences[worst]:.2e}, "
                  f"at step {worst + 1} ({measured[first + worst]:.9g} against PyTorch's "
                  f"{expected[worst]:.9g})")
    sys.exit(max(differences) > arguments.tolerance)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    training = commands.add_parser("train")
    training.add_argument("out", type=pathlib.Path, metavar="OUT")
    training.add_argument("text", type=pathlib.Path, nargs="+", metavar="TEXT")
    training.add_argument("--rate", type=float, default=1.0)
    training.add_argument("--steps", type=int, default=100)
    training.add_argument("--batch-size", type=int, default=20)
    training.add_argument("--bptt", type=int, default=35)
    training.add_argument("--embedding", type=int, default=200)
    training.add_argument("--hidden", type=int, default=200)
    training.add_argument("--layers", type=int, default=2)
    training.add_argument("--dropout", type=float, default=0.0)
    training.add_argument("--clip", type=float, default=0.25)
    training.add_argument("--norm", choices=["double", "float"], default="double")
    training.add_argument("--seed", type=int, default=1111)
    training.set_defaults(run=train)

    comparison = commands.add_parser("compare")
    comparison.add_argument("losses", type=pathlib.Path)
    comparison.add_argument("metrics", type=pathlib.Path)
    comparison.add_argument("--tolerance", type=float, default=1e-4)
    comparison.set_defaults(run=compare)

    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
