"""Makes xlstm_blocks.json: models of two residual blocks with the loss and every gradient that the package xlstm finds.

    pip install torch numpy einops xlstm==2.0.6 mlstm_kernels==2.0.6
    python Tests/Oracles/xlstm_blocks.py            # writes xlstm_blocks.json
    python Tests/Oracles/xlstm_blocks.py --check    # computes it again and compares

The first model has the blocks of xLSTM 7B (`mLSTMLayer` and `FeedForward` of xlstm_large), with the package's
parallel form of the recurrence on each document by itself; the second has sLSTM cells whose step is the package's
`slstm_forward_pointwise`, with states set to zero where a document begins. All numbers are in float64. Parameters
are multiples of 1/256, so that Float and Double hold the same model.
"""
import json
import pathlib

import torch
from torch import nn
import torch.nn.functional as F

from blocks import RESETS, STREAMS, VOCABULARY, WIDTH, compare_or_write, case, rounded

torch.set_default_dtype(torch.float64)


def documents(x, layer):
    """Applies a layer to every document by itself: streams × steps × width."""
    rows = []
    for s in range(x.shape[0]):
        cuts = sorted({0, x.shape[1]} | {t for t, stream in RESETS if stream == s})
        rows.append(torch.cat([layer(x[s:s + 1, a:b]) for a, b in zip(cuts, cuts[1:])], dim=1))
    return torch.cat(rows)


class Large(nn.Module):
    HEADS = 2

    def __init__(self):
        super().__init__()
        from mlstm_kernels.torch.parallel.native import mlstm_parallel__native_autograd as parallel
        from xlstm.xlstm_large.model import FeedForward, mLSTMLayer, mLSTMLayerConfig, soft_cap, xLSTMLargeConfig
        self.cap = soft_cap
        self.parallel = parallel
        config = xLSTMLargeConfig(
            embedding_dim=WIDTH, num_heads=self.HEADS, num_blocks=2, vocab_size=VOCABULARY,
            ffn_round_up_to_multiple_of=4, qk_dim_factor=2 / 3)
        layer = lambda: mLSTMLayer(mLSTMLayerConfig(
            embedding_dim=WIDTH, num_heads=self.HEADS, qk_dim_factor=2 / 3, norm_reduction_force_float32=False))
        norm = lambda: nn.RMSNorm(WIDTH, eps=1e-6)
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(
            nn.ModuleList([norm(), layer(), norm(), FeedForward(config)]) for _ in range(2))
        self.norm = norm()
        self.to_logits = nn.Linear(WIDTH, VOCABULARY, bias=False)
        rounded(self, 0.7)

    def mix(self, layer, x):
        heads = lambda y: y.reshape(1, y.shape[1], self.HEADS, -1).transpose(1, 2)
        gate = lambda y: self.cap(y, cap_value=15.0).transpose(1, 2)
        h = self.parallel(
            q=heads(layer.q(x)), k=heads(layer.k(x)), v=heads(layer.v(x)), i=gate(layer.igate_preact(x)),
            f=gate(layer.fgate_preact(x)), eps=1e-6)
        h = layer.multihead_norm(h.transpose(1, 2)).reshape(1, x.shape[1], -1)
        return layer.out_proj(torch.sigmoid(layer.ogate_preact(x)) * h)

    def forward(self, x):
        h = self.embedding(x)
        for norm, layer, mlp_norm, mlp in self.blocks:
            h = h + documents(norm(h), lambda y: self.mix(layer, y))
            h = h + mlp(mlp_norm(h))
        return self.cap(self.to_logits(self.norm(h)), cap_value=30.0)

    model = {
        "embedding": WIDTH, "output_bias": False, "output": {"soft_cap": 30}, "final_norm": "rmsnorm",
        "layers": [{
            "repeat": 2,
            "block": {
                "norm": "rmsnorm",
                "mixer": {
                    "cell": "matrix-lstm", "hidden": WIDTH, "heads": HEADS, "key_width": 4, "out_projection": True,
                    "projection_bias": False},
                "mlp": {"kind": "swiglu", "factor": 2.6667, "round": 4, "bias": False}}}]}

    def tensors(self, of):
        """Pairs of names here and numbers, each `of` a parameter: its value or its gradient."""
        yield "encoder.weight", of(self.embedding.weight)
        for k, (norm, layer, mlp_norm, mlp) in enumerate(self.blocks):
            n = f"layers.{k}."
            yield n + "norm.weight", of(norm.weight)
            yield n + "mlp_norm.weight", of(mlp_norm.weight)
            yield n + "mixer.weight_ih_l0", torch.cat([of(p.weight) for p in (
                layer.q, layer.k, layer.v, layer.ogate_preact, layer.igate_preact, layer.fgate_preact)])
            yield n + "mixer.bias_gates_l0", torch.cat([of(layer.igate_preact.bias), of(layer.fgate_preact.bias)])
            yield n + "mixer.norm_weight_l0", of(layer.multihead_norm.weight).reshape(-1)
            yield n + "mixer.out_proj.weight", of(layer.out_proj.weight)
            yield n + "mlp.gate_up_proj.weight", torch.cat([of(mlp.proj_up_gate.weight), of(mlp.proj_up.weight)])
            yield n + "mlp.down_proj.weight", of(mlp.proj_down.weight)
        yield "final_norm.weight", of(self.norm.weight)
        yield "decoder.weight", of(self.to_logits.weight)


class Scalar(nn.Module):
    HEADS = 2

    def __init__(self):
        super().__init__()
        from xlstm.blocks.slstm.src.vanilla.slstm import slstm_forward_pointwise
        self.step = slstm_forward_pointwise
        norm = lambda: nn.LayerNorm(WIDTH)
        head = WIDTH // self.HEADS

        class Cell(nn.Module):
            def __init__(self):
                super().__init__()
                self.w = nn.Parameter(torch.empty(4 * WIDTH, WIDTH))
                self.b = nn.Parameter(torch.empty(4 * WIDTH))
                # Of each head: gates × units, from units.
                self.r = nn.Parameter(torch.empty(Scalar.HEADS, 4, head, head))

        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(
            nn.ModuleList([
                norm(), Cell(), norm(),
                nn.Sequential(nn.Linear(WIDTH, 8), nn.GELU(), nn.Linear(8, WIDTH))]) for _ in range(2))
        self.norm = norm()
        self.to_logits = nn.Linear(WIDTH, VOCABULARY, bias=False)
        rounded(self, 0.7)

    def mix(self, cell, x):
        states = torch.zeros(4, STREAMS, WIDTH)
        outputs = []
        for t in range(x.shape[1]):
            kept = torch.tensor([0.0 if (t, s) in RESETS else 1.0 for s in range(STREAMS)])
            states = states * kept[None, :, None]
            past = states[0].reshape(STREAMS, self.HEADS, -1)
            fed = torch.einsum("sku,kgvu->sgkv", past, cell.r).reshape(STREAMS, -1)
            states, _ = self.step(x[:, t] @ cell.w.T, fed, cell.b, states, {})
            outputs.append(states[0])
        return torch.stack(outputs, dim=1)

    def forward(self, x):
        h = self.embedding(x)
        for norm, cell, mlp_norm, mlp in self.blocks:
            h = h + self.mix(cell, norm(h))
            h = h + mlp(mlp_norm(h))
        return self.to_logits(self.norm(h))

    model = {
        "embedding": WIDTH, "output_bias": False, "final_norm": "layernorm",
        "layers": [{
            "repeat": 2,
            "block": {
                "norm": "layernorm", "mixer": {"cell": "slstm", "hidden": WIDTH, "heads": HEADS},
                "mlp": {"kind": "gelu", "factor": 8 / WIDTH}}}]}

    def tensors(self, of):
        # Here the columns of a head lie together, gate by gate.
        rows = lambda w: w.reshape(4, self.HEADS, WIDTH // self.HEADS, -1).transpose(0, 1).reshape(4 * WIDTH, -1)
        yield "encoder.weight", of(self.embedding.weight)
        for k, (norm, cell, mlp_norm, mlp) in enumerate(self.blocks):
            n = f"layers.{k}."
            for part, p in [("norm", norm), ("mlp_norm", mlp_norm), ("mlp.up_proj", mlp[0]), ("mlp.down_proj", mlp[2])]:
                yield f"{n}{part}.weight", of(p.weight)
                yield f"{n}{part}.bias", of(p.bias)
            yield n + "mixer.weight_ih_l0", rows(of(cell.w))
            yield n + "mixer.bias_ih_l0", rows(of(cell.b)).reshape(-1)
            yield n + "mixer.weight_hh_l0", of(cell.r).reshape(4 * WIDTH, -1)
        yield "final_norm.weight", of(self.norm.weight)
        yield "final_norm.bias", of(self.norm.bias)
        yield "decoder.weight", of(self.to_logits.weight)


if __name__ == "__main__":
    torch.manual_seed(5)
    compare_or_write(
        pathlib.Path(__file__).with_suffix(".json"),
        [case("xLSTM 7B of xlstm", Large()), case("sLSTM of xlstm", Scalar())])
