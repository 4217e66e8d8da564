"""Scores lines of a text with the checkpoint of a character LSTM, as `unroll score` does, with numpy and safetensors alone.

    pip install numpy safetensors
    python score.py RUN [TEXT]

Prints the log-probability of each line in nats, the number of its symbols, and the line, separated by tabs. A
checkpoint's weights have the names and the order of gates (i, f, g, o) of PyTorch's `nn.LSTM`, so this file is
also the shortest description of what they mean.
"""

import json
import pathlib
import sys

import numpy
from safetensors.numpy import load_file


def latest(run):
    """Returns the folder of a run's latest checkpoint: the file `latest` holds its name."""
    folder = pathlib.Path(run) / "checkpoints"
    return folder / (folder / "latest").read_text().strip()


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


class CharacterLSTM:
    def __init__(self, checkpoint):
        state = json.loads((checkpoint / "state.json").read_text())
        vocabulary = json.loads((checkpoint / "vocabulary.json").read_text())
        layers = state["configuration"]["model"]["layers"]
        if vocabulary["kind"] != "character" or any(layer["cell"] != "lstm" for layer in layers):
            sys.exit("score.py: this example reads LSTMs over characters.")
        self.number = {symbol: index for index, symbol in enumerate(vocabulary["symbols"])}
        weights = load_file(checkpoint / "model.safetensors")
        self.embedding = weights["encoder.weight"]
        # A tied output layer is the embedding.
        self.output = weights.get("decoder.weight", self.embedding)
        self.output_bias = weights.get("decoder.bias", 0)
        # Layers of one width are one module of PyTorch, as are all in it; others are modules of their own.
        isolated = "layers.0.weight_ih_l0" in weights
        self.layers = [
            [
                weights[f"layers.{index}.{name}_l0" if isolated else f"rnn.{name}_l{index}"]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            for index in range(len(layers))
        ]

    def start(self):
        """Returns the state of a new stream: h and c of every layer."""
        return [[numpy.zeros(layer[1].shape[1], numpy.float32) for _ in "hc"] for layer in self.layers]

    def step(self, symbol, state):
        """Reads a symbol and returns the log-probabilities of the next one; the state goes on."""
        x = self.embedding[symbol]
        for (w, u, b, c), memory in zip(self.layers, state):
            i, f, g, o = numpy.split(w @ x + b + u @ memory[0] + c, 4)
            memory[1] = sigmoid(f) * memory[1] + sigmoid(i) * numpy.tanh(g)
            x = memory[0] = sigmoid(o) * numpy.tanh(memory[1])
        logits = self.output @ x + self.output_bias
        logits -= logits.max()
        return logits - numpy.log(numpy.exp(logits).sum())

    def score(self, line):
        """Returns the log-probability of a line and its end, and the number of these symbols."""
        state, total, last = self.start(), 0.0, "\n"
        for symbol in line + "\n":
            if symbol not in self.number:
                sys.exit(f"score.py: the model does not know the character {symbol!r}.")
            total += float(self.step(self.number[last], state)[self.number[symbol]])
            last = symbol
        return total, len(line) + 1


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("score.py: name the folder of a run, and a text: python score.py RUN [TEXT]")
    model = CharacterLSTM(latest(sys.argv[1]))
    with open(sys.argv[2], encoding="utf-8") if len(sys.argv) == 3 else sys.stdin as text:
        for line in text:
            line = line.rstrip("\n")
            total, count = model.score(line)
            print(f"{total:.6f}\t{count}\t{line}")


if __name__ == "__main__":
    main()
