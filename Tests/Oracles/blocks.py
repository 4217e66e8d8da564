"""Makes blocks.json: models of two residual blocks with the loss and every gradient that other programs find.

    pip install torch numpy einops jaxtyping
    pip install --no-deps recurrentgemma==1.0.1 minGRU-pytorch==0.2.1
    python Tests/Oracles/blocks.py            # writes blocks.json
    python Tests/Oracles/blocks.py --check    # computes it again and compares

Each case is a language model: an embedding, two blocks, a final normalisation and an output layer, over one
window of a few streams in which documents begin anew. The blocks are those of the packages: `ResidualBlock` of
recurrentgemma (Hawk), and normalisation, minGRU or minLSTM and feed-forward layer as minLM of minGRU-pytorch puts
them together. All numbers are in float64. Parameters are multiples of 1/256, so that Float and Double hold the
same model.
"""
import json
import math
import os
import sys
import types

os.environ["JAXTYPING_DISABLE"] = "1"

import importlib.util
import pathlib

import torch
from torch import nn
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
VOCABULARY, WIDTH, STREAMS, STEPS = 11, 6, 3, 9
# The steps at which a stream starts anew, besides the first.
RESETS = [(4, 0), (2, 2), (3, 2)]


def gemma():
    """The PyTorch half of recurrentgemma, whose package imports jax as well."""
    root = pathlib.Path(importlib.util.find_spec("recurrentgemma").submodule_search_locations[0])
    for name, path in [("recurrentgemma", root), ("recurrentgemma.torch", root / "torch")]:
        module = types.ModuleType(name)
        module.__path__ = [str(path)]
        sys.modules[name] = module
    from recurrentgemma import common
    from recurrentgemma.torch import layers, modules

    # The scan's state is float32 unless told otherwise, and the convolution masks its input in place, which
    # autograd refuses; a copy of each masked window is the same function.
    scan, pad = layers.rnn_scan, layers.Conv1D._pad_window
    layers.rnn_scan = lambda *a, **k: scan(*a, **k, acc_dtype=torch.float64)
    layers.Conv1D._pad_window = lambda self, x, length: pad(self, x.clone(), length)
    return common, modules


def positions():
    """The step of each document, streams × steps."""
    result = torch.zeros(STREAMS, STEPS, dtype=torch.long)
    for s in range(STREAMS):
        for t in range(1, STEPS):
            result[s, t] = 0 if (t, s) in RESETS else result[s, t - 1] + 1
    return result


def rounded(module, spread):
    """Draws every parameter, as a multiple of 1/256."""
    for p in module.parameters():
        with torch.no_grad():
            p.copy_(torch.round(torch.empty_like(p).uniform_(-spread, spread) * 256) / 256)


class Hawk(nn.Module):
    LRU, HEADS, EXPANDED = 8, 2, 10

    def __init__(self):
        super().__init__()
        common, modules = gemma()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(
            modules.ResidualBlock(
                width=WIDTH, mlp_expanded_width=self.EXPANDED, num_heads=self.HEADS,
                attention_window_size=4, temporal_block_type=common.TemporalBlockType.RECURRENT,
                lru_width=self.LRU, dtype=torch.float64)
            for _ in range(2))
        self.norm = modules.layers.RMSNorm(WIDTH, dtype=torch.float64)
        rounded(self, 0.7)

    def forward(self, x):
        h = self.embedding(x) * math.sqrt(WIDTH)
        for block in self.blocks:
            h, _ = block(h, positions(), None, return_cache=False)
        return self.norm(h) @ self.embedding.weight.T

    model = {
        "embedding": WIDTH, "embedding_scale": "sqrt", "tied": True, "output_bias": False,
        "final_norm": {"kind": "rmsnorm", "eps": 1e-6},
        "layers": [{
            "repeat": 2,
            "block": {
                "norm": "rmsnorm",
                "mixer": {
                    "cell": "rg-lru", "hidden": LRU, "heads": HEADS, "input_weights": False,
                    "in_projection": LRU, "conv": 4, "gate": "gelu_tanh", "out_projection": True},
                "mlp": {"kind": "geglu_tanh", "factor": EXPANDED / WIDTH}}}]}

    def tensors(self, of):
        """Pairs of names here and numbers, each `of` a parameter: its value or its gradient."""
        yield "encoder.weight", of(self.embedding.weight)
        for k, block in enumerate(self.blocks):
            n, r, m = f"layers.{k}.", block.recurrent_block, block.mlp_block
            gate = lambda w: w.transpose(1, 2).reshape(-1, w.shape[1])
            up = lambda w: w.transpose(1, 2).reshape(-1, WIDTH)
            # The scale of the reference is that of here less 1.
            shift = (lambda p: of(p) + 1) if of(block.temporal_pre_norm.scale) is block.temporal_pre_norm.scale else of
            yield n + "norm.weight", shift(block.temporal_pre_norm.scale)
            yield n + "mlp_norm.weight", shift(block.channel_pre_norm.scale)
            for part, linear in [("gate_proj", r.linear_y), ("in_proj", r.linear_x), ("out_proj", r.linear_out)]:
                yield f"{n}mixer.{part}.weight", of(linear.weight)
                yield f"{n}mixer.{part}.bias", of(linear.bias)
            yield n + "mixer.conv.weight", of(r.conv_1d.w)
            yield n + "mixer.conv.bias", of(r.conv_1d.b)
            for part, gates in [("a_gate", r.rg_lru.a_gate), ("input_gate", r.rg_lru.input_gate)]:
                yield f"{n}mixer.weight_{part}_l0", gate(of(gates.w))
                yield f"{n}mixer.bias_{part}_l0", of(gates.b).reshape(-1)
            yield n + "mixer.a_param_l0", of(r.rg_lru.a_param)
            yield n + "mlp.gate_up_proj.weight", up(of(m.ffw_up.w))
            yield n + "mlp.gate_up_proj.bias", of(m.ffw_up.b).reshape(-1)
            yield n + "mlp.down_proj.weight", of(m.ffw_down.weight)
            yield n + "mlp.down_proj.bias", of(m.ffw_down.bias)
        shift = (lambda p: of(p) + 1) if of(self.norm.scale) is self.norm.scale else of
        yield "final_norm.weight", shift(self.norm.scale)


class Minimal(nn.Module):
    """Two blocks of minLM, read step by step: where a document begins the package's scan has no reset."""
    FACTOR = 1.5

    def __init__(self, is_lstm):
        super().__init__()
        from minGRU_pytorch.minGRU import minGRU
        from minGRU_pytorch.minLSTM import minLSTM
        self.cell = "min-lstm" if is_lstm else "min-gru"
        kind = minLSTM if is_lstm else minGRU
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        # minLM's RMSNorm leaves eps to the number type; here it is written.
        norm = lambda: nn.RMSNorm(WIDTH, eps=1e-6)
        self.blocks = nn.ModuleList(
            nn.ModuleList([
                norm(), kind(WIDTH, expansion_factor=self.FACTOR), norm(),
                nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))])
            for _ in range(2))
        self.norm = norm()
        self.to_logits = nn.Linear(WIDTH, VOCABULARY, bias=False)
        rounded(self, 0.7)
        self.gates = 3 if is_lstm else 2
        self.model = {
            "embedding": WIDTH, "embedding_scale": 1.0, "output_bias": False,
            "final_norm": "rmsnorm",
            "layers": [{
                "repeat": 2,
                "block": {
                    "mixer": {
                        "cell": self.cell, "hidden": int(self.FACTOR * WIDTH), "candidate": "positive",
                        "projection_bias": False},
                    "mlp": "gelu"}}]}

    def forward(self, x):
        h = self.embedding(x)
        for norm, cell, mlp_norm, mlp in self.blocks:
            read = norm(h)
            outputs, state = [], None
            for t in range(STEPS):
                if state is not None:
                    begins = torch.tensor([(t, s) in RESETS for s in range(STREAMS)])
                    state = state * (~begins)[:, None, None]
                y, state = cell(read[:, t:t + 1], state, return_next_prev_hidden=True)
                outputs.append(y)
            h = h + torch.cat(outputs, dim=1)
            h = h + mlp(mlp_norm(h))
        return self.to_logits(self.norm(h))

    def tensors(self, of):
        yield "encoder.weight", of(self.embedding.weight)
        yield "decoder.weight", of(self.to_logits.weight)
        yield "final_norm.weight", of(self.norm.weight)
        for k, (norm, cell, mlp_norm, mlp) in enumerate(self.blocks):
            n = f"layers.{k}."
            stacked = cell.to_hidden_and_f_i_gate if self.gates == 3 else cell.to_hidden_and_gate
            # hidden, gates there; here z, h̃ or i, f, h̃.
            parts = of(stacked.weight).chunk(self.gates, dim=0)
            yield n + "mixer.weight_ih_l0", torch.cat(list(reversed(parts)))
            yield n + "mixer.out_proj.weight", of(cell.to_out.weight)
            yield n + "norm.weight", of(norm.weight)
            yield n + "mlp_norm.weight", of(mlp_norm.weight)
            for part, linear in [("up_proj", mlp[0]), ("down_proj", mlp[2])]:
                yield f"{n}mlp.{part}.weight", of(linear.weight)
                yield f"{n}mlp.{part}.bias", of(linear.bias)


def case(name, model):
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(VOCABULARY, (STREAMS, STEPS + 1), generator=generator)
    logits = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1), reduction="sum")
    loss.backward()
    flat = lambda x: [float(f"{v:.12g}") for v in x.detach().reshape(-1)]
    # Time-major, as everywhere here.
    steps = lambda x: x.transpose(0, 1)
    return {
        "name": name, "vocabulary": VOCABULARY, "streams": STREAMS, "steps": STEPS,
        "model": json.dumps(model.model), "resets": [list(r) for r in RESETS],
        "inputs": steps(tokens[:, :-1]).reshape(-1).tolist(),
        "targets": steps(tokens[:, 1:]).reshape(-1).tolist(),
        "losses": flat(steps(F.cross_entropy(
            logits.reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1), reduction="none").reshape(STREAMS, STEPS))),
        "parameters": {n: flat(v) for n, v in model.tensors(lambda p: p)},
        "gradients": {n: [float(f"{v:.9g}") for v in flat(g)] for n, g in model.tensors(lambda p: p.grad)},
    }


def compare_or_write(path, cases):
    """Writes cases; with --check compares them with what is kept."""
    made = {"cases": cases}
    if "--check" in sys.argv:
        kept = json.loads(path.read_text())
        worst = 0.0
        for a, b in zip(made["cases"], kept["cases"], strict=True):
            for kind in ("losses", "parameters", "gradients"):
                x, y = a[kind], b[kind]
                pairs = [(x, y)] if kind == "losses" else [(x[k], y[k]) for k in y]
                worst = max([worst] + [abs(p - q) for u, v in pairs for p, q in zip(u, v)])
        print(f"largest difference {worst:.2g}")
        sys.exit(worst > 1e-6)
    path.write_text(json.dumps(made, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    torch.manual_seed(3)
    compare_or_write(
        pathlib.Path(__file__).with_suffix(".json"),
        [case("hawk of recurrentgemma", Hawk()), case("minGRU of minGRU-pytorch", Minimal(False)),
         case("minLSTM of minGRU-pytorch", Minimal(True))])
