"""Makes adaptation.json: the losses of a small LSTM that adapts to its text, computed by PyTorch.

Dynamic evaluation with the rules rms and sgd, on one and two streams, and a cache of hidden states. One
LSTM in float64; losses are sums over targets, in nats.

    python adaptation.py            writes adaptation.json beside this file
    python adaptation.py --check    computes everything again and compares it with the file
"""

import json
import pathlib
import sys

import torch
from torch import nn
from torch.nn.functional import cross_entropy, softmax

FILE = pathlib.Path(__file__).with_name("adaptation.json")

# Six letters and <unk>.
LETTERS, VOCABULARY, EMBEDDING, HIDDEN = "abcdef", 7, 4, 5
STATISTICS_STREAMS = 20

DYNAMIC = [
    {"rule": "rms", "rate": 0.01, "decay": 0.05, "segment": 5, "streams": 1},
    {"rule": "rms", "rate": 0.02, "decay": 0.9, "segment": 4, "streams": 2},
    {"rule": "rms", "rate": 0.004, "decay": 0.0, "segment": 1, "streams": 1},
    {"rule": "sgd", "rate": 0.5, "decay": 0.0, "segment": 5, "streams": 1},
    {"rule": "sgd", "rate": 0.3, "decay": 0.1, "segment": 7, "streams": 3},
]
EPSILON, STATISTICS = 0.001, 6
CACHE = [
    {"window": 7, "theta": 0.5, "weight": 0.3, "streams": 1},
    {"window": 1000, "theta": 2.0, "weight": 0.1, "streams": 1},
    {"window": 1, "theta": 1.0, "weight": 0.5, "streams": 2},
    {"window": 20, "theta": 0.0, "weight": 0.2, "streams": 3},
]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(VOCABULARY, EMBEDDING)
        self.rnn = nn.LSTM(EMBEDDING, HIDDEN)
        self.decoder = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, symbols, state):
        h, state = self.rnn(self.encoder(symbols), state)
        return h, self.decoder(h), tuple(part.detach() for part in state)


def streams(symbols, count):
    length = len(symbols) // count
    return torch.tensor(symbols[:length * count]).view(count, length).t()


def windows(text, steps):
    for start in range(0, text.shape[0] - 1, steps):
        end = min(start + steps, text.shape[0] - 1)
        yield text[start:end], text[start + 1:end + 1]


def loss(logits, targets, reduction):
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


def root_mean_squares(model, training, steps):
    squares = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    state, count = None, 0
    for inputs, targets in windows(streams(training, min(STATISTICS_STREAMS, len(training) // 2)), steps):
        if count == STATISTICS:
            break
        model.zero_grad()
        _, logits, state = model(inputs, state)
        loss(logits, targets, "mean").backward()
        for name, p in model.named_parameters():
            squares[name] += p.grad.square()
        count += 1
    return {name: (value / count).sqrt() for name, value in squares.items()}


def dynamic(model, training, text, case):
    roots = root_mean_squares(model, training, case["segment"])
    mean = torch.cat([r.flatten() for r in roots.values()]).mean()
    first = {name: p.detach().clone() for name, p in model.named_parameters()}
    state, total = None, 0.0
    for inputs, targets in windows(streams(text, case["streams"]), case["segment"]):
        model.zero_grad()
        _, logits, state = model(inputs, state)
        total += loss(logits, targets, "sum").item()
        loss(logits, targets, "mean").backward()
        with torch.no_grad():
            for name, p in model.named_parameters():
                if case["rule"] == "sgd":
                    step = case["decay"] * (first[name] - p) - case["rate"] * p.grad
                else:
                    pull = (case["decay"] * roots[name] / mean).clamp(max=1)
                    step = pull * (first[name] - p)
                    step -= case["rate"] * p.grad / (roots[name] + EPSILON)
                p += step
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(first[name])
    return total


def cached(model, text, case):
    total = 0.0
    text = streams(text, case["streams"])
    with torch.no_grad():
        for stream in text.t():
            h, logits, _ = model(stream[:-1, None], None)
            h, p = h[:, 0], softmax(logits[:, 0], 1)
            for t in range(len(stream) - 1):
                found = p[t, stream[t + 1]]
                past = slice(max(t - case["window"], 0), t)
                if t > 0:
                    cache = softmax(case["theta"] * (h[past] @ h[t]), 0)
                    share = cache[stream[1:][past] == stream[t + 1]].sum()
                    found = (1 - case["weight"]) * found + case["weight"] * share
                total -= found.log().item()
    return total


def make():
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    model = Model()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((torch.randn_like(p) * 128).round() / 256)
    # Texts that a model can adapt to: chains in which some letters follow others.
    follow = torch.randint(6, (6, 2))
    def text(length):
        symbols = list(range(6))
        while len(symbols) < length:
            k = torch.randint(5, ()).item()
            symbols.append(torch.randint(6, ()).item() if k == 0 else follow[symbols[-1], k % 2].item())
        return symbols
    training, held = text(150), text(101)
    def words(symbols):
        return "".join(LETTERS[s] for s in symbols)
    return {
        "training": words(training), "text": words(held),
        "embedding": EMBEDDING, "hidden": HIDDEN,
        "epsilon": EPSILON, "statistics": STATISTICS,
        "parameters": {
            name: p.detach().flatten().tolist() for name, p in model.named_parameters()},
        "dynamic": [case | {"loss": dynamic(model, training, held, case)} for case in DYNAMIC],
        "cache": [case | {"loss": cached(model, held, case)} for case in CACHE],
        "fixed": {count: dynamic(model, training, held, {
            "rule": "sgd", "rate": 0, "decay": 0, "segment": 5, "streams": count})
            for count in (1, 2, 3)},
    }


def main():
    made = make()
    if "--check" in sys.argv:
        kept = json.loads(FILE.read_text())
        for part in ("dynamic", "cache"):
            for a, b in zip(made[part], kept[part], strict=True):
                assert abs(a["loss"] - b["loss"]) < 1e-9, (a, b)
        print("the same numbers")
    else:
        FILE.write_text(json.dumps(made) + "\n")


main()
