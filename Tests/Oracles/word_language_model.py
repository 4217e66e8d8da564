"""The model of PyTorch's word_language_model example, with its parameters' names, and its data."""

import torch
from torch import nn


class WordLanguageModel(nn.Module):
    """nn.Embedding -> stacked recurrent layers of one width -> nn.Linear."""

    def __init__(self, cell, vocabulary, embedding, hidden, layers, dropout=0.0, tied=False,
                 nonlinearity="tanh", projection=0):
        super().__init__()
        more = {"elman": {"nonlinearity": nonlinearity}, "lstm": {"proj_size": projection}}
        module = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.Embedding(vocabulary, embedding)
        self.rnn = module(embedding, hidden, layers, dropout=dropout, **more.get(cell, {}))
        self.decoder = nn.Linear(projection or hidden, vocabulary)
        if tied:
            self.decoder.weight = self.encoder.weight

    def initialize(self):
        """As the example: the recurrent layers keep PyTorch's own U(+-1/sqrt(hidden))."""
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, inputs, state=None):
        """Logits of every step; no state means zeros."""
        output, state = self.rnn(self.dropout(self.encoder(inputs)), state)
        return self.decoder(self.dropout(output)), state


def detached(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def words(path):
    """The words of a text, with <eos> at the end of each line."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield from line.split()
            yield "<eos>"


def streams(symbols, count):
    """[steps, count]: stream g is the g-th of `count` equal pieces, the remainder is dropped."""
    length = len(symbols) // count
    return symbols[: length * count].view(count, length).t().contiguous()


def windows(data, bptt):
    """Inputs and targets of consecutive windows; the last may be short."""
    for start in range(0, len(data) - 1, bptt):
        steps = min(bptt, len(data) - 1 - start)
        yield data[start : start + steps], data[start + 1 : start + 1 + steps]


def cross_entropy(logits, targets, reduction="mean"):
    return nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction=reduction)
