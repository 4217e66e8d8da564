"""Makes awd.json: the regularisers of AWD-LSTM in PyTorch, in float64.

    python3 Tests/Oracles/awd.py > Tests/Oracles/awd.json

Made with torch 2.13.0 on a CPU. The model is an embedding, two LSTMs of different widths and the output
layer. Weight dropout replaces weight_hh by m * weight_hh / (1 - p), embedding dropout zeroes whole
rows, and the loss of a window, as in the paper's code, is

    cross_entropy.mean() + alpha * dropped.pow(2).mean() + beta * (h[1:] - h[:-1]).pow(2).mean()

with the output h of the last LSTM before and after dropout. Losses and gradients are multiplied by the
number of targets. Where some rows have no target (-1), the means are over those that have one, and
over pairs of them, for beta stream by stream, weighted by the targets of each. The masks are those of
Unroll, made here with Philox 4x32-10 from the seed and the names. Two windows follow each other; the
state is carried and not differentiated.
"""

import json
import torch
from torch.nn.functional import cross_entropy, embedding, linear

VOCABULARY, EMBEDDING, HIDDEN, STREAMS, STEPS, SEED, EPOCH = 7, 2, (4, 3), 2, 5, 11, 2
SHAPES = {"encoder.weight": (VOCABULARY, EMBEDDING)}
for k, n in enumerate(HIDDEN):
    m = (EMBEDDING, *HIDDEN)[k]
    SHAPES |= {
        f"layers.{k}.weight_ih_l0": (4 * n, m), f"layers.{k}.weight_hh_l0": (4 * n, n),
        f"layers.{k}.bias_ih_l0": (4 * n,), f"layers.{k}.bias_hh_l0": (4 * n,),
    }
SHAPES |= {"decoder.weight": (VOCABULARY, HIDDEN[1]), "decoder.bias": (VOCABULARY,)}
FIELDS = ("weight_dropout", "embedding_dropout", "dropout", "alpha", "beta", "missing")
CASES = [
    (0.5, 0, 0, 0, 0, False),
    (0, 0.4, 0, 0, 0, False),
    (0, 0, 0, 2, 0, False),
    (0, 0, 0.3, 2, 0, False),
    (0, 0, 0, 0, 1, False),
    (0.5, 0.2, 0.3, 2, 1, False),
    (0.3, 0.2, 0.4, 2, 3, True),
]
WORD = (1 << 32) - 1


class Philox:
    def __init__(self, seed, name):
        mask = (1 << 64) - 1
        digest = 0xCBF29CE484222325
        for byte in name.encode():
            digest = (digest ^ byte) * 0x100000001B3 & mask
        z = digest ^ (seed * 0x9E3779B97F4A7C15 & mask)
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        z ^= z >> 31
        self.key = (z & WORD, z >> 32)

    def words(self, a, b, c, d):
        k, l = self.key
        for _ in range(10):
            p, q = a * 0xD2511F53, c * 0xCD9E8D57
            a, b, c, d = q >> 32 ^ b ^ k, q & WORD, p >> 32 ^ d ^ l, p & WORD
            k, l = k + 0x9E3779B9 & WORD, l + 0xBB67AE85 & WORD
        return a, b, c, d

    def row(self, count, rate, stream, position):
        """The mask of a row: 0 or 1 / (1 - rate)."""
        words = [w for j in range((count + 3) // 4) for w in self.words(j, stream, position, EPOCH)]
        return [0 if w < int(rate * 2**32) else 1 / (1 - rate) for w in words[:count]]

    def uniform(self, stream, position):
        a, b, _, _ = self.words(0, stream, position, EPOCH)
        return ((a << 32 | b) >> 11) * 2.0**-53


def rows(philox, count, width, rate, position):
    return torch.tensor([philox.row(width, rate, i, position) for i in range(count)])


def dropout(x, name, rate, position):
    if rate == 0:
        return x
    philox = Philox(SEED, name + " dropout")
    return x * torch.stack([rows(philox, STREAMS, x.shape[2], rate, position + t) for t in range(STEPS)])


def lstm(x, state, p, k, rate, window):
    n = HIDDEN[k]
    name = f"layers.{k}.weight_hh_l0"
    u = p[name]
    if rate > 0:
        u = u * rows(Philox(SEED, name + " dropout"), 4 * n, n, rate, window)
    h, c = state
    outputs = []
    for step in x:
        a = linear(step, p[f"layers.{k}.weight_ih_l0"], p[f"layers.{k}.bias_ih_l0"])
        i, f, g, o = (a + linear(h, u, p[f"layers.{k}.bias_hh_l0"])).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs), (h.detach(), c.detach())


def regularizers(h, dropped, asked, alpha, beta):
    """The terms of a window, times the number of targets."""
    if asked.all():
        count = asked.numel()
        return count * (
            alpha * dropped.pow(2).mean() + beta * (h[1:] - h[:-1]).pow(2).mean())
    term = asked.sum() * alpha * dropped[asked].pow(2).mean()
    for s in range(STREAMS):
        pairs = asked[1:, s] & asked[:-1, s]
        if pairs.any():
            term = term + asked[:, s].sum() * beta * (h[1:, s] - h[:-1, s])[pairs].pow(2).mean()
    return term


def run(p, case, inputs, targets):
    options = dict(zip(FIELDS, case))
    states = [(torch.zeros(STREAMS, n),) * 2 for n in HIDDEN]
    windows = []
    for k in range(2):
        # The position of the first step in its stream, which is also the number of the window.
        position = k * STEPS
        for value in p.values():
            value.grad = None
        table = p["encoder.weight"]
        rate = options["embedding_dropout"]
        if rate > 0:
            philox = Philox(SEED, "embedding symbols dropout")
            mask = [0 if philox.uniform(v, position) < rate else 1 / (1 - rate) for v in range(VOCABULARY)]
            table = table * torch.tensor(mask)[:, None]
        # The option is the dropout between and after the layers; the embedding has none.
        x = embedding(inputs[k], table)
        for layer in range(2):
            h, states[layer] = lstm(
                x, states[layer], p, layer, options["weight_dropout"], position)
            x = dropout(h, f"layer {layer}", options["dropout"], position)
        asked = targets[k] >= 0
        logits = linear(x, p["decoder.weight"], p["decoder.bias"]).flatten(0, 1)
        plain = cross_entropy(logits, targets[k].flatten(), ignore_index=-1, reduction="sum")
        (plain + regularizers(h, x, asked, options["alpha"], options["beta"])).backward()
        windows.append({
            "loss": plain.item(),
            "gradients": {name: value.grad.flatten().tolist() for name, value in p.items()},
        })
    return options | {"windows": windows}


def main():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    draw = {name: (torch.randn(shape) * 192).round() / 256 for name, shape in SHAPES.items()}
    inputs = torch.randint(VOCABULARY, (2, STEPS, STREAMS))
    targets = torch.randint(VOCABULARY, (2, STEPS, STREAMS))
    missing = targets.clone()
    missing[0, 1, 0] = missing[1, 0, 1] = missing[1, 4, 0] = -1
    p = {name: value.clone().requires_grad_() for name, value in draw.items()}
    print(json.dumps({
        "vocabulary": VOCABULARY, "embedding": EMBEDDING, "hidden": HIDDEN, "streams": STREAMS,
        "steps": STEPS, "seed": SEED, "epoch": EPOCH,
        "inputs": inputs.flatten(1).tolist(), "targets": targets.flatten(1).tolist(),
        "missing": missing.flatten(1).tolist(),
        "parameters": {name: value.flatten().tolist() for name, value in draw.items()},
        "cases": [run(p, case, inputs, missing if case[-1] else targets) for case in CASES],
    }))


main()
