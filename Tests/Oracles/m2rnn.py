"""Makes m2rnn.json: models of two residual blocks of the M²RNN with the loss and every gradient that PyTorch finds.

    pip install torch
    python Tests/Oracles/m2rnn.py            # writes m2rnn.json
    python Tests/Oracles/m2rnn.py --check    # computes it again and compares

Each case is a language model in the form of blocks.json. The cell is written from the equations of Mishra 2026, step
by step, and the gradients are PyTorch's own; where the gradient of the state is clipped, an identity with a clipped
gradient stands behind every step's state, as in the authors' code. All numbers are in float64. Parameters are
multiples of 1/256, so that Float and Double hold the same model.
"""
import json
import pathlib

import torch
from torch import nn
import torch.nn.functional as F

from blocks import compare_or_write

torch.set_default_dtype(torch.float64)
VOCABULARY, WIDTH, STREAMS, STEPS = 11, 6, 3, 21
# The steps at which a stream starts anew, besides the first.
RESETS = [(4, 0), (2, 2), (3, 2), (17, 1)]


class ClippedGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, x, limit):
        context.limit = limit
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient.clamp(-context.limit, context.limit), None


class Cell(nn.Module):
    def __init__(self, heads, keys, values, kernel, clip):
        super().__init__()
        self.heads, self.keys, self.values, self.kernel, self.clip = heads, keys, values, kernel, clip
        self.conv_width = heads * (2 * keys + values)
        self.input = nn.Linear(WIDTH, self.conv_width + heads + heads * values, bias=False)
        self.conv = nn.Parameter(torch.empty(self.conv_width, kernel)) if kernel else None
        self.state = nn.Parameter(torch.empty(heads, values, values))
        self.a_log = nn.Parameter(torch.empty(heads))
        self.dt_bias = nn.Parameter(torch.empty(heads))
        self.skip = nn.Parameter(torch.empty(heads, values))
        self.norm = nn.RMSNorm(heads * values, eps=1e-5)

    def forward(self, x):
        """x is streams × steps × width."""
        u, f, g = self.input(x).split(
            [self.conv_width, self.heads, self.heads * self.values], dim=-1)
        decay = torch.exp(-torch.exp(self.a_log) * F.softplus(f + self.dt_bias))
        rows = []
        for s in range(STREAMS):
            state, seen, outputs = None, [], []
            for t in range(STEPS):
                if t == 0 or (t, s) in RESETS:
                    state, seen = torch.zeros(self.heads, self.keys, self.values), []
                now = u[s, t]
                seen.append(now)
                if self.kernel:
                    # The last column of the kernel multiplies the present input.
                    now = F.silu(sum(
                        self.conv[:, self.kernel - 1 - lag] * seen[-1 - lag]
                        for lag in range(min(self.kernel, len(seen)))))
                n = self.heads * self.keys
                q, k = (now[i * n:(i + 1) * n].view(self.heads, self.keys) for i in range(2))
                v = now[2 * n:].view(self.heads, self.values)
                candidate = torch.tanh(
                    torch.einsum("hkv,hvw->hkw", state, self.state) + torch.einsum("hk,hv->hkv", k, v))
                kept = decay[s, t][:, None, None]
                state = kept * state + (1 - kept) * candidate
                if self.clip:
                    state = ClippedGradient.apply(state, self.clip)
                outputs.append((torch.einsum("hkv,hk->hv", state, q) + self.skip * v).reshape(-1))
            rows.append(torch.stack(outputs))
        return self.norm(torch.stack(rows) * F.silu(g))


class Model(nn.Module):
    def __init__(self, heads, keys, values, kernel=None, clip=None):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        inner = 16
        self.blocks = nn.ModuleList(
            nn.ModuleDict({
                "norm": nn.RMSNorm(WIDTH, eps=1e-6), "cell": Cell(heads, keys, values, kernel, clip),
                "out": nn.Linear(heads * values, WIDTH, bias=False), "mlp_norm": nn.RMSNorm(WIDTH, eps=1e-6),
                "up": nn.Linear(WIDTH, 2 * inner, bias=False), "down": nn.Linear(inner, WIDTH, bias=False)})
            for _ in range(2))
        self.norm = nn.RMSNorm(WIDTH, eps=1e-6)
        for p in self.parameters():
            with torch.no_grad():
                p.copy_(torch.round(torch.empty_like(p).uniform_(-0.7, 0.7) * 256) / 256)
        for block in self.blocks:
            with torch.no_grad():
                # Memories that last several steps, and not all equally long.
                block["cell"].a_log.sub_(0.5)
        mixer = {
            "cell": "m2rnn", "hidden": heads * values, "heads": heads, "key_width": heads * keys,
            "out_projection": True, "projection_bias": False}
        mixer |= {"kernel": kernel} if kernel else {}
        mixer |= {"clip_state_gradient": clip} if clip else {}
        self.model = {
            "embedding": WIDTH, "tied": True, "output_bias": False, "final_norm": "rmsnorm",
            "layers": [{
                "repeat": 2,
                "block": {"mixer": mixer, "mlp": {"kind": "swiglu", "factor": inner / WIDTH, "bias": False}}}]}

    def forward(self, x):
        h = self.embedding(x)
        for block in self.blocks:
            h = h + block["out"](block["cell"](block["norm"](h)))
            gate, up = block["up"](block["mlp_norm"](h)).chunk(2, dim=-1)
            h = h + block["down"](F.silu(gate) * up)
        return self.norm(h) @ self.embedding.weight.T

    def tensors(self, of):
        """Pairs of names here and numbers, each `of` a parameter: its value or its gradient."""
        yield "encoder.weight", of(self.embedding.weight)
        yield "final_norm.weight", of(self.norm.weight)
        for index, block in enumerate(self.blocks):
            n, cell = f"layers.{index}.", block["cell"]
            yield n + "norm.weight", of(block["norm"].weight)
            yield n + "mlp_norm.weight", of(block["mlp_norm"].weight)
            yield n + "mixer.weight_ih_l0", of(cell.input.weight)
            if cell.kernel:
                yield n + "mixer.conv_weight_l0", of(cell.conv).T
            # Stored as [out, in], a head below the other.
            yield n + "mixer.weight_state_l0", of(cell.state).transpose(1, 2)
            yield n + "mixer.A_log_l0", of(cell.a_log)
            yield n + "mixer.dt_bias_l0", of(cell.dt_bias)
            yield n + "mixer.skip_l0", of(cell.skip)
            yield n + "mixer.norm_weight_l0", of(cell.norm.weight)
            yield n + "mixer.out_proj.weight", of(block["out"].weight)
            yield n + "mlp.gate_up_proj.weight", of(block["up"].weight)
            yield n + "mlp.down_proj.weight", of(block["down"].weight)


def case(name, model):
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(VOCABULARY, (STREAMS, STEPS + 1), generator=generator)
    logits = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1), reduction="none")
    loss.sum().backward()
    flat = lambda x: [float(f"{v:.12g}") for v in x.detach().reshape(-1)]
    # Time-major, as everywhere here.
    steps = lambda x: x.reshape(STREAMS, STEPS).transpose(0, 1)
    return {
        "name": name, "vocabulary": VOCABULARY, "streams": STREAMS, "steps": STEPS,
        "model": json.dumps(model.model), "resets": [list(r) for r in RESETS],
        "inputs": steps(tokens[:, :-1]).reshape(-1).tolist(),
        "targets": steps(tokens[:, 1:]).reshape(-1).tolist(),
        "losses": flat(steps(loss)),
        "parameters": {n: flat(v) for n, v in model.tensors(lambda p: p)},
        "gradients": {n: [float(f"{v:.9g}") for v in flat(g)] for n, g in model.tensors(lambda p: p.grad)},
    }


if __name__ == "__main__":
    torch.manual_seed(3)
    compare_or_write(pathlib.Path(__file__).with_suffix(".json"), [
        case("m2rnn", Model(heads=1, keys=3, values=5)),
        case("m2rnn behind a convolution", Model(heads=3, keys=5, values=2, kernel=4)),
        case("m2rnn with clipped gradients", Model(heads=2, keys=2, values=3, clip=0.02))])
