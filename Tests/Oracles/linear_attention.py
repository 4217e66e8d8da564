"""Makes linear_attention.json: models of residual blocks around the cells `hgrn2`, `retention` and `rwkv6`, with the
losses and every gradient that their equations have in PyTorch.

    pip install torch numpy
    python Tests/Oracles/linear_attention.py            # writes linear_attention.json
    python Tests/Oracles/linear_attention.py --check    # computes it again and compares

The cells are written from the equations of Qin 2024 (arXiv 2404.07904), Sun 2023 (2307.08621) and Peng 2024 (2404.05892):
retention in its parallel form, with complex numbers for the rotation and the matrix of decays over a whole document, the
others one step at a time. Each document is read by itself, so that it begins anew, and is differentiated by PyTorch in
float64. Parameters are multiples of 1/256, so that Float and Double hold the same model.
"""
import json
import pathlib

import torch
from torch import nn
import torch.nn.functional as F

from blocks import VOCABULARY, WIDTH, compare_or_write, rounded

STREAMS, STEPS, EPS = 3, 19, 3e-3
# The steps at which a stream starts anew, besides the first.
RESETS = [(4, 0), (2, 2), (3, 2), (17, 1)]


def documents(stream):
    """The ranges of steps of a stream's documents."""
    starts = [0] + sorted(t for t, s in RESETS if s == stream) + [STEPS]
    return [range(a, b) for a, b in zip(starts, starts[1:])]


class HGRN2(nn.Module):
    HEADS, KEYS, VALUES, LAYERS = 2, 6, 8, 3

    def __init__(self, index, bounds):
        super().__init__()
        self.index, self.bounds = index, bounds
        self.q, self.f = nn.Linear(WIDTH, self.KEYS, bias=False), nn.Linear(WIDTH, self.KEYS, bias=False)
        self.v = nn.Linear(WIDTH, self.VALUES, bias=False)
        self.norm = nn.RMSNorm(self.VALUES, eps=1e-5)
        self.out = nn.Linear(self.VALUES, WIDTH, bias=False)

    def section(self):
        return {
            "cell": "hgrn2", "hidden": self.VALUES, "heads": self.HEADS, "key_width": self.KEYS,
            "layer_index": self.index, "layer_count": self.LAYERS}

    def forward(self, x):
        """The outputs of a document, steps × width."""
        shares = self.bounds[0].softmax(0)
        least = (shares.cumsum(0) - shares[0])[self.index]
        gate = F.logsigmoid(self.f(x))
        if self.index > 0:
            gate = torch.logaddexp(least.log(), torch.log1p(-least) + gate)
        heads = lambda y: y.reshape(len(x), self.HEADS, -1)
        q, f, v = heads(F.silu(self.q(x))), heads(gate.exp()), heads(self.v(x))
        state, reads = torch.zeros(self.HEADS, self.KEYS // self.HEADS, self.VALUES // self.HEADS), []
        for t in range(len(x)):
            state = f[t, :, :, None] * state + (1 - f[t])[:, :, None] * v[t, :, None]
            reads.append(torch.einsum("hkv,hk->hv", state, q[t]).reshape(-1))
        return self.out(self.norm(torch.stack(reads)))

    def tensors(self, n, of):
        yield n + "weight_ih_l0", torch.cat([of(self.q.weight), of(self.f.weight), of(self.v.weight)])
        yield n + "norm_weight_l0", of(self.norm.weight)
        yield n + "out_proj.weight", of(self.out.weight)
        if self.index == 1:
            yield n + "lower_bounds_l0", of(self.bounds[0]).reshape(-1)


class Retention(nn.Module):
    def __init__(self, heads, keys, values):
        super().__init__()
        self.heads, self.keys, self.values = heads, keys, values
        sizes = [heads * keys, heads * keys, heads * values, heads * values]
        self.q, self.k, self.v, self.g = (nn.Linear(WIDTH, size, bias=False) for size in sizes)
        self.norm = nn.RMSNorm(values, eps=1e-5)
        self.out = nn.Linear(heads * values, WIDTH, bias=False)

    def section(self):
        return {
            "cell": "retention", "hidden": self.heads * self.values, "heads": self.heads,
            "key_width": self.heads * self.keys}

    def forward(self, x):
        steps = torch.arange(len(x), dtype=torch.float64)
        pairs = torch.arange(self.keys // 2, dtype=torch.float64)
        angles = steps[:, None] * 10000 ** (-2 * pairs / self.keys)

        def turned(y):
            y = y.reshape(len(x), self.heads, 2, self.keys // 2)
            return torch.complex(y[:, :, 0], y[:, :, 1]) * torch.polar(torch.ones_like(angles), angles)[:, None]

        q, k = turned(self.q(x)), turned(self.k(x))
        # The real part of q and the conjugate of k is their product after both are turned.
        dots = torch.einsum("thj,shj->hts", q, k.conj()).real / self.keys ** 0.5
        gamma = 1 - 2 ** (-5 - torch.arange(self.heads, dtype=torch.float64))
        distance = steps[:, None] - steps[None]
        decay = torch.where(distance >= 0, gamma[:, None, None] ** distance.clamp(min=0), 0)
        v = self.v(x).reshape(len(x), self.heads, self.values)
        read = self.norm(torch.einsum("hts,shv->thv", dots * decay, v))
        return self.out(read.reshape(len(x), -1) * F.silu(self.g(x)))

    def tensors(self, n, of):
        yield n + "weight_ih_l0", torch.cat([of(p.weight) for p in [self.q, self.k, self.v, self.g]])
        yield n + "norm_weight_l0", of(self.norm.weight)
        yield n + "out_proj.weight", of(self.out.weight)


class RWKV6(nn.Module):
    MIX, DECAY, LAYERS = 2, 4, 2

    def __init__(self, index, heads):
        super().__init__()
        self.index, self.heads = index, heads
        free = lambda *shape: nn.Parameter(torch.zeros(*shape))
        self.z = free(WIDTH)
        self.mix = nn.ParameterDict({c: free(WIDTH) for c in "rwkvg"})
        self.down = nn.ParameterDict({c: free(self.MIX, WIDTH) for c in "rwkvg"})
        self.up = nn.ParameterDict({c: free(WIDTH, self.MIX) for c in "rwkvg"})
        self.product = nn.ParameterDict({c: free(WIDTH, WIDTH) for c in "rkvg"})
        self.w0, self.w1, self.w2 = free(WIDTH), free(self.DECAY, WIDTH), free(WIDTH, self.DECAY)
        self.u = free(WIDTH)
        self.norm = nn.GroupNorm(heads, WIDTH, eps=EPS)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)

    def section(self):
        return {
            "cell": "rwkv6", "hidden": WIDTH, "heads": self.heads, "input_weights": False, "norm_eps": EPS,
            "mix_rank": self.MIX, "decay_rank": self.DECAY, "layer_index": self.index, "layer_count": self.LAYERS}

    def forward(self, x):
        change = torch.cat([torch.zeros(1, WIDTH), x[:-1]]) - x
        z = x + change * self.z
        mixed = {
            c: x + change * (self.mix[c] + torch.tanh(z @ self.down[c].T) @ self.up[c].T) for c in "rwkvg"}
        heads = lambda y: y.reshape(-1, self.heads, WIDTH // self.heads)
        r, k, v = (heads(mixed[c] @ self.product[c].T) for c in "rkv")
        w = heads(torch.exp(-torch.exp(self.w0 + torch.tanh(mixed["w"] @ self.w1.T) @ self.w2.T)))
        u = heads(self.u)[0]
        state, reads = torch.zeros(self.heads, WIDTH // self.heads, WIDTH // self.heads), []
        for t in range(len(x)):
            new = k[t, :, :, None] * v[t, :, None]
            reads.append(torch.einsum("hk,hkv->hv", r[t], state + u[:, :, None] * new).reshape(-1))
            state = w[t, :, :, None] * state + new
        y = self.norm(torch.stack(reads))
        return self.out(y * F.silu(mixed["g"] @ self.product["g"].T))

    def tensors(self, n, of):
        yield n + "x_z_l0", of(self.z)
        for c in "rwkvg":
            yield n + f"x_{c}0_l0", of(self.mix[c])
            yield n + f"x_{c}1_l0", of(self.down[c])
            yield n + f"x_{c}2_l0", of(self.up[c])
        for c, name in zip("rkvg", ["receptance", "key", "value", "gate"]):
            yield n + f"weight_{name}_l0", of(self.product[c])
        for name in ["w0", "w1", "w2", "u"]:
            yield n + name + "_l0", of(getattr(self, name))
        yield n + "ln_x_weight_l0", of(self.norm.weight)
        yield n + "ln_x_bias_l0", of(self.norm.bias)
        yield n + "out_proj.weight", of(self.out.weight)


class Model(nn.Module):
    def __init__(self, mixers):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.mixers = nn.ModuleList(mixers)
        self.norms = nn.ModuleList(nn.RMSNorm(WIDTH, eps=1e-6) for _ in mixers)
        self.norm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.to_logits = nn.Linear(WIDTH, VOCABULARY, bias=False)
        rounded(self, 0.7)
        self.section = {
            "embedding": WIDTH, "output_bias": False, "embedding_scale": 1.0, "final_norm": "rmsnorm",
            "layers": [
                {"block": {"mixer": {**m.section(), "out_projection": True, "projection_bias": False}}}
                for m in mixers]}

    def document(self, x):
        h = self.embedding(x)
        for norm, mixer in zip(self.norms, self.mixers):
            h = h + mixer(norm(h))
        return self.to_logits(self.norm(h))

    def forward(self, x):
        return torch.stack([
            torch.cat([self.document(x[s, d.start:d.stop]) for d in documents(s)]) for s in range(STREAMS)])

    def tensors(self, of):
        """Pairs of names here and numbers, each `of` a parameter: its value or its gradient."""
        yield "encoder.weight", of(self.embedding.weight)
        yield "decoder.weight", of(self.to_logits.weight)
        yield "final_norm.weight", of(self.norm.weight)
        for k, (norm, mixer) in enumerate(zip(self.norms, self.mixers)):
            yield f"layers.{k}.norm.weight", of(norm.weight)
            yield from mixer.tensors(f"layers.{k}.mixer.", of)


def case(name, mixers):
    model = Model(mixers)
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(VOCABULARY, (STREAMS, STEPS + 1), generator=generator)
    logits = model(tokens[:, :-1])
    losses = F.cross_entropy(logits.reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1), reduction="none")
    losses.sum().backward()
    flat = lambda x, digits=12: [float(f"{v:.{digits}g}") for v in x.detach().reshape(-1)]
    # Time-major, as everywhere here.
    steps = lambda x: x.transpose(0, 1)
    return {
        "name": name, "vocabulary": VOCABULARY, "streams": STREAMS, "steps": STEPS,
        "model": json.dumps(model.section), "resets": [list(r) for r in RESETS],
        "inputs": steps(tokens[:, :-1]).reshape(-1).tolist(),
        "targets": steps(tokens[:, 1:]).reshape(-1).tolist(),
        "losses": flat(steps(losses.reshape(STREAMS, STEPS))),
        "parameters": {n: flat(v) for n, v in model.tensors(lambda p: p)},
        "gradients": {n: flat(g, 9) for n, g in model.tensors(lambda p: p.grad)},
    }


def bounded():
    """Three layers of HGRN2 with one Γ."""
    bounds = nn.Parameter(torch.zeros(HGRN2.LAYERS, HGRN2.KEYS))
    # A list, so that each layer does not count it as its own but the first does.
    layers = [HGRN2(index, [bounds]) for index in range(HGRN2.LAYERS)]
    layers[0].register_parameter("shared", bounds)
    return layers


if __name__ == "__main__":
    torch.manual_seed(3)
    compare_or_write(pathlib.Path(__file__).with_suffix(".json"), [
        case("three layers of hgrn2 with one bound", bounded()),
        case("retention", [Retention(heads=2, keys=4, values=5), Retention(heads=1, keys=6, values=4)]),
        case("rwkv6", [RWKV6(index, heads=3 - index) for index in range(2)])])
