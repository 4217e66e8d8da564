"""Shows that PyTorch reads Unroll's weights and finds the loss that Unroll finds.

    unroll export CHECKPOINT exported.safetensors
    python load_checkpoint.py CHECKPOINT exported.safetensors TEXT [--unroll PATH]

loads the exported file into PyTorch's word_language_model with load_state_dict(strict=True), and the
checkpoint's own weights (average.safetensors where the run kept an average, as `unroll evaluate` does)
with safetensors' load_model, which knows that a tied matrix is stored once and may miss nothing but
biases that the model was made without; takes the loss of both on TEXT, state carried from its first symbol to its
last; runs `unroll evaluate CHECKPOINT --data TEXT --json`; and exits with 1 if any two of the three
losses differ by more than the tolerance. CHECKPOINT is a folder with model.safetensors and
vocabulary.json, of a model whose layers fit one PyTorch module.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import torch
from safetensors.torch import load_file, load_model

from word_language_model import WordLanguageModel, cross_entropy, streams, windows, words


def encode(vocabulary, path):
    """The numbers of a text's symbols."""
    kind = vocabulary["kind"]
    if kind == "byte":
        return list(path.read_bytes())
    index = {symbol: number for number, symbol in enumerate(vocabulary["symbols"])}
    symbols = words(path) if kind == "word" else path.read_bytes().decode("utf-8")
    return [index.get(symbol, index["<unk>"]) for symbol in symbols]


def model_for(tensors, nonlinearity):
    """An untrained model of the sizes that an exported file's tensors have."""
    recurrent = tensors["rnn.weight_hh_l0"]
    projection = tensors.get("rnn.weight_hr_l0")
    hidden = recurrent.shape[1] if projection is None else projection.shape[1]
    symbols, embedding = tensors["encoder.weight"].shape
    return WordLanguageModel(
        {1: "elman", 3: "gru", 4: "lstm"}[recurrent.shape[0] // hidden],
        symbols, embedding, hidden,
        layers=sum(name.startswith("rnn.weight_ih_l") for name in tensors),
        tied=torch.equal(tensors["encoder.weight"], tensors["decoder.weight"]),
        nonlinearity=nonlinearity,
        projection=0 if projection is None else projection.shape[0])


def evaluate(model, data, window):
    """Nats per symbol, every symbol but the first scored once."""
    total, state = 0.0, None
    model.eval()
    with torch.no_grad():
        for inputs, targets in windows(data, window):
            logits, state = model(inputs, state)
            total += cross_entropy(logits.double(), targets, reduction="sum").item()
    return total / (len(data) - 1)


def load_own(model, checkpoint):
    """Loads a checkpoint's own weights; biases that it lacks are zero."""
    average = checkpoint / "average.safetensors"
    file = average if average.exists() else checkpoint / "model.safetensors"
    missing, unexpected = load_model(model, file, strict=False)
    lacking = [name for name in missing if name != "decoder.bias" and ".bias_hh_" not in name]
    if lacking or unexpected:
        sys.exit(f"{file} lacks {lacking} and also holds {list(unexpected)}")
    for name in missing:
        torch.nn.init.zeros_(model.get_parameter(name))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("exported", type=pathlib.Path)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--unroll", default="unroll", help="the command (default: from PATH)")
    parser.add_argument("--nonlinearity", choices=["tanh", "relu"], default="tanh",
                        help="f of an elman model, which the file does not tell")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="nats per symbol")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    vocabulary = json.loads((arguments.checkpoint / "vocabulary.json").read_text(encoding="utf-8"))
    data = streams(torch.tensor(encode(vocabulary, arguments.text)), 1)
    tensors = load_file(arguments.exported)
    losses = {}

    model = model_for(tensors, arguments.nonlinearity)
    model.load_state_dict(tensors, strict=True)
    losses["PyTorch, exported file"] = evaluate(model, data, 500)

    model = model_for(tensors, arguments.nonlinearity)
    load_own(model, arguments.checkpoint)
    losses["PyTorch, checkpoint"] = evaluate(model, data, 500)

    command = [arguments.unroll, "evaluate", arguments.checkpoint, "--data", arguments.text, "--json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    losses["unroll evaluate"] = json.loads(output)["loss"]

    for name, loss in losses.items():
        print(f"{name}: {loss:.9f} nats per symbol")
    # Each pair, and by what holds, so that a loss that is no number fails too.
    agree = all(abs(a - b) <= arguments.tolerance for a in losses.values() for b in losses.values())
    sys.exit(not agree)


if __name__ == "__main__":
    main()
