"""Makes rwkv.json: a model of two RWKV-7 blocks with the loss and every gradient that its equations have in PyTorch.

    pip install torch numpy
    python Tests/Oracles/rwkv.py            # writes rwkv.json
    python Tests/Oracles/rwkv.py --check    # computes it again and compares

The model is a language model: an embedding and its normalisation, two blocks of a time mix and a channel mix, a final
normalisation and an output layer, over one window of a few streams in which documents begin anew. It is written from
the equations of Peng 2025 (arXiv 2503.14456), one step and one stream at a time, and differentiated by PyTorch in
float64. Parameters are multiples of 1/256, so that Float and Double hold the same model. Head, width, steps and ranks
are numbers that no other program uses, so that a confused pair is found.
"""
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
VOCABULARY, WIDTH, HEADS, INNER, STREAMS, STEPS, EPS = 11, 6, 2, 9, 3, 19, 3e-3
RANKS = {"w": 2, "a": 3, "v": 1, "g": 4}
# The steps at which a stream starts anew, besides the first.
RESETS = [(4, 0), (2, 2), (3, 2), (17, 1)]


def mixer(index):
    return {
        "cell": "rwkv7", "hidden": WIDTH, "heads": HEADS, "input_weights": False, "norm_eps": EPS,
        "decay_rank": RANKS["w"], "rate_rank": RANKS["a"], "gate_rank": RANKS["g"],
        "layer_index": index, "layer_count": 2, "out_projection": True, "projection_bias": False,
        **({"value_residual": True, "value_rank": RANKS["v"]} if index > 0 else {})}


MODEL = {
    "embedding": WIDTH, "embedding_norm": "layernorm", "final_norm": "layernorm", "output_bias": False,
    "layers": [{
        "block": {
            "norm": "layernorm", "mixer": mixer(index),
            "mlp": {"kind": "squared_relu", "factor": INNER / WIDTH, "bias": False, "token_shift": True}}}
        for index in range(2)]}


def shapes():
    """The names here with their shapes."""
    yield "encoder.weight", (VOCABULARY, WIDTH)
    yield "decoder.weight", (VOCABULARY, WIDTH)
    for norm in ["embedding_norm", "final_norm"]:
        yield norm + ".weight", (WIDTH,)
        yield norm + ".bias", (WIDTH,)
    for k in range(2):
        n, m = f"layers.{k}.", f"layers.{k}.mixer."
        for norm in ["norm", "mlp_norm"]:
            yield n + norm + ".weight", (WIDTH,)
            yield n + norm + ".bias", (WIDTH,)
        for letter in "rwkvag":
            yield m + f"x_{letter}_l0", (WIDTH,)
        for letter in "wag" + ("v" if k > 0 else ""):
            if letter != "g":
                yield m + f"{letter}0_l0", (WIDTH,)
            yield m + f"{letter}1_l0", (RANKS[letter], WIDTH)
            yield m + f"{letter}2_l0", (WIDTH, RANKS[letter])
        for name in ["weight_receptance", "weight_key", "weight_value"]:
            yield m + name + "_l0", (WIDTH, WIDTH)
        for name in ["k_k", "k_a", "r_k", "ln_x_weight", "ln_x_bias"]:
            yield m + name + "_l0", (WIDTH,)
        yield m + "out_proj.weight", (WIDTH, WIDTH)
        yield n + "mlp.shift.mix", (WIDTH,)
        yield n + "mlp.up_proj.weight", (INNER, WIDTH)
        yield n + "mlp.down_proj.weight", (WIDTH, INNER)


def time_mix(p, x, past, state, first):
    """One step of one stream: the output, v, and the state."""
    mixed = {c: x + p[f"x_{c}_l0"] * (past - x) for c in "rwkvag"}
    low = lambda c, f: p[c + "2_l0"] @ f(p[c + "1_l0"] @ mixed[c])
    r = p["weight_receptance_l0"] @ mixed["r"]
    k = p["weight_key_l0"] @ mixed["k"]
    v = p["weight_value_l0"] @ mixed["v"]
    w = torch.exp(-math.exp(-0.5) * torch.sigmoid(p["w0_l0"] + low("w", torch.tanh)))
    a = torch.sigmoid(p["a0_l0"] + low("a", lambda h: h))
    g = low("g", torch.sigmoid)
    own = v
    if first is not None:
        v = v + (first - v) * torch.sigmoid(p["v0_l0"] + low("v", lambda h: h))
    removed = k * p["k_k_l0"]
    k = k * (1 + (a - 1) * p["k_a_l0"])
    size = WIDTH // HEADS
    outputs, states = [], []
    for h in range(HEADS):
        part = lambda z: z[h * size:(h + 1) * size]
        unit = part(removed) / part(removed).norm()
        s = state[h] @ torch.diag(part(w))
        s = s - torch.outer(state[h] @ unit, unit * part(a)) + torch.outer(part(v), part(k))
        y = s @ part(r)
        y = (y - y.mean()) / torch.sqrt(((y - y.mean()) ** 2).mean() + EPS)
        y = y * part(p["ln_x_weight_l0"]) + part(p["ln_x_bias_l0"])
        outputs.append(y + (part(r) * part(k) * part(p["r_k_l0"])).sum() * part(v))
        states.append(s)
    return p["out_proj.weight"] @ (torch.cat(outputs) * g), own, states


def norm(p, name, x):
    return F.layer_norm(x, (WIDTH,), p[name + ".weight"], p[name + ".bias"], 1e-5)


def logits(p, tokens, s):
    """The outputs of one stream at every step."""
    sub = lambda prefix: {n[len(prefix):]: v for n, v in p.items() if n.startswith(prefix)}
    blocks = [(f"layers.{k}.", sub(f"layers.{k}.mixer.")) for k in range(2)]
    zero = torch.zeros(WIDTH)
    size = WIDTH // HEADS
    begin = lambda: [[zero, zero, [torch.zeros(size, size)] * HEADS] for _ in blocks]
    carried, result = begin(), []
    for t, token in enumerate(tokens):
        if (t, s) in RESETS:
            carried = begin()
        x, first = norm(p, "embedding_norm", p["encoder.weight"][token]), None
        for (n, own), state in zip(blocks, carried):
            read = norm(p, n + "norm", x)
            y, values, state[2] = time_mix(own, read, state[0], state[2], first)
            first = values if first is None else first
            state[0] = read
            x = x + y
            read = norm(p, n + "mlp_norm", x)
            shifted = read + p[n + "mlp.shift.mix"] * (state[1] - read)
            state[1] = read
            x = x + p[n + "mlp.down_proj.weight"] @ torch.relu(p[n + "mlp.up_proj.weight"] @ shifted) ** 2
        result.append(p["decoder.weight"] @ norm(p, "final_norm", x))
    return torch.stack(result)


def make():
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(VOCABULARY, (STREAMS, STEPS + 1), generator=generator)
    p = {}
    for name, shape in shapes():
        drawn = torch.rand(shape, generator=generator) * 1.4 - 0.7
        p[name] = (torch.round(drawn * 256) / 256).requires_grad_()
    losses = torch.stack([
        F.cross_entropy(logits(p, tokens[s, :-1], s), tokens[s, 1:], reduction="none") for s in range(STREAMS)])
    losses.sum().backward()
    flat = lambda x: [float(f"{v:.12g}") for v in x.detach().reshape(-1)]
    # Time-major, as everywhere here.
    steps = lambda x: x.transpose(0, 1)
    return {"cases": [{
        "name": "two blocks of RWKV-7", "vocabulary": VOCABULARY, "streams": STREAMS, "steps": STEPS,
        "model": json.dumps(MODEL), "resets": [list(r) for r in RESETS],
        "inputs": steps(tokens[:, :-1]).reshape(-1).tolist(),
        "targets": steps(tokens[:, 1:]).reshape(-1).tolist(),
        "losses": flat(steps(losses)),
        "parameters": {n: flat(v) for n, v in p.items()},
        "gradients": {n: [float(f"{g:.9g}") for g in flat(v.grad)] for n, v in p.items()}}]}


def main():
    made = make()
    path = pathlib.Path(__file__).with_suffix(".json")
    if "--check" in sys.argv:
        a, b = made["cases"][0], json.loads(path.read_text())["cases"][0]
        pairs = [(a["losses"], b["losses"])]
        pairs += [(a[kind][k], b[kind][k]) for kind in ("parameters", "gradients") for k in b[kind]]
        worst = max(abs(p - q) for u, v in pairs for p, q in zip(u, v))
        print(f"largest difference {worst:.2g}")
        sys.exit(worst > 1e-6)
    path.write_text(json.dumps(made, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
