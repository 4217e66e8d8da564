"""Makes xlstm_paper.json: language models with the blocks of the xLSTM paper, with the losses and every gradient that
the package xlstm finds, and the distribution of its first weights.

    pip install torch numpy einops xlstm==2.0.6
    python Tests/Oracles/xlstm_paper.py            # writes xlstm_paper.json
    python Tests/Oracles/xlstm_paper.py --check    # computes it again and compares

Every model is an `xLSTMLMModel` of the package on a CPU: the sLSTM's backend is `vanilla` and the mLSTM's the parallel
form, which read every document by itself. In the package the tensor called `fgate.weight` makes the input gate, and
`igate.weight` the forget gate. All numbers are in float64. Parameters are multiples of 1/256, so that Float and Double
hold the same model. `first` has the mean, the standard deviation, the least and the largest first number of every
parameter of a model of four blocks.
"""
import json
import pathlib

import torch
from torch import nn

from blocks import RESETS, STEPS, STREAMS, VOCABULARY, compare_or_write, case, rounded

torch.set_default_dtype(torch.float64)


def package(width, depth, slstm_at, heads, multiple, kernel=4, vocabulary=VOCABULARY):
    """A language model of the package."""
    from xlstm import (
        FeedForwardConfig, mLSTMBlockConfig, mLSTMLayerConfig, sLSTMBlockConfig, sLSTMLayerConfig, xLSTMLMModel,
        xLSTMLMModelConfig)
    up = dict(round_proj_up_to_multiple_of=multiple)
    config = xLSTMLMModelConfig(
        vocab_size=vocabulary, embedding_dim=width, num_blocks=depth, slstm_at=slstm_at, context_length=STEPS,
        mlstm_block=mLSTMBlockConfig(mlstm=mLSTMLayerConfig(
            conv1d_kernel_size=kernel, qkv_proj_blocksize=4, num_heads=heads, proj_factor=2.0, **up)),
        slstm_block=sLSTMBlockConfig(
            slstm=sLSTMLayerConfig(
                backend="vanilla", num_heads=heads, conv1d_kernel_size=kernel),
            feedforward=FeedForwardConfig(proj_factor=1.3, act_fn="gelu", **up)))
    model = xLSTMLMModel(config)
    model.reset_parameters()
    return model


class Model(nn.Module):
    def __init__(self, *, width, depth, slstm_at, heads, multiple, kernel=4):
        super().__init__()
        self.width, self.heads, self.kernel = width, heads, kernel
        self.net = package(width, depth, slstm_at, heads, multiple, kernel)
        rounded(self, 0.5)
        self.kinds = ["s" if k in slstm_at else "m" for k in range(depth)]
        norm = {"kind": "layernorm", "bias": False}
        layers = []
        for k, block in enumerate(self.net.xlstm_block_stack.blocks):
            if self.kinds[k] == "s":
                layers.append({"block": {
                    "norm": norm,
                    "mixer": {
                        "cell": "xlstm-slstm", "hidden": width, "heads": heads, "kernel": kernel,
                        "input_weights": False},
                    "mlp": {
                        "kind": "geglu", "factor": block.ffn.config._proj_up_dim / width, "bias": False}}})
            else:
                with torch.no_grad():
                    # Where the first input gate is below the forget gate, the package's parallel form and its steps
                    # differ in what is 10⁻⁶ of the denominator.
                    block.xlstm.mlstm_cell.igate.bias.add_(2.0)
                layers.append({"block": {
                    "norm": norm,
                    "mixer": {
                        "cell": "xlstm-mlstm", "hidden": block.xlstm.config._inner_embedding_dim, "heads": heads,
                        "kernel": kernel, "out_projection": True, "projection_bias": False}}})
        self.model = {
            "embedding": width, "output_bias": False, "final_norm": norm, "layers": layers}

    def forward(self, x):
        """x is streams × steps of symbols."""
        rows = []
        for s in range(x.shape[0]):
            cuts = sorted({0, x.shape[1]} | {t for t, stream in RESETS if stream == s})
            rows.append(torch.cat([self.net(x[s:s + 1, a:b]) for a, b in zip(cuts, cuts[1:])], dim=1))
        return torch.cat(rows)

    def tensors(self, of):
        return tensors(self.net, self.heads, of)


def tensors(net, heads, of):
    """Pairs of names here and numbers, each `of` a parameter: its value or its gradient."""
    # The package keeps gains less one.
    gain = lambda p: of(p) + 1 if of(p) is p else of(p)
    yield "encoder.weight", of(net.token_embedding.weight)
    yield "decoder.weight", of(net.lm_head.weight)
    yield "final_norm.weight", gain(net.xlstm_block_stack.post_blocks_norm.weight)
    for k, block in enumerate(net.xlstm_block_stack.blocks):
        n, layer = f"layers.{k}.", block.xlstm
        yield n + "norm.weight", gain(block.xlstm_norm.weight)
        yield n + "mixer.conv_weight_l0", of(layer.conv1d.conv.weight)[:, 0].T
        yield n + "mixer.conv_bias_l0", of(layer.conv1d.conv.bias)
        if block.ffn is not None:
            # Pairs of gates, a head below the other: heads × 2 × units × inputs.
            pair = lambda a, b: torch.stack([of(a.weight), of(b.weight)], dim=1).reshape(-1, of(a.weight).shape[-1])
            yield n + "mixer.weight_if_l0", pair(layer.fgate, layer.igate)
            yield n + "mixer.weight_zo_l0", pair(layer.zgate, layer.ogate)
            cell = layer.slstm_cell
            # Kept gate by gate.
            yield n + "mixer.bias_gates_l0", of(cell._bias_).reshape(4, heads, -1).transpose(0, 1).reshape(-1)
            r = of(cell._recurrent_kernel_)
            yield n + "mixer.weight_hh_l0", r.reshape(-1, r.shape[-1])
            yield n + "mixer.norm_weight_l0", gain(layer.group_norm.weight)
            yield n + "mlp_norm.weight", gain(block.ffn_norm.weight)
            yield n + "mlp.gate_up_proj.weight", of(block.ffn.proj_up.weight)
            yield n + "mlp.down_proj.weight", of(block.ffn.proj_down.weight)
        else:
            cell = layer.mlstm_cell
            yield n + "mixer.weight_ih_l0", of(layer.proj_up.weight)
            for name, p in [("q", layer.q_proj), ("k", layer.k_proj), ("v", layer.v_proj)]:
                yield f"{n}mixer.weight_{name}_l0", of(p.weight).reshape(-1, 4)
            yield n + "mixer.weight_gates_l0", torch.cat([of(cell.igate.weight), of(cell.fgate.weight)])
            yield n + "mixer.bias_gates_l0", torch.cat([of(cell.igate.bias), of(cell.fgate.bias)])
            yield n + "mixer.norm_weight_l0", gain(cell.outnorm.weight)
            yield n + "mixer.skip_l0", of(layer.learnable_skip)
            yield n + "mixer.out_proj.weight", of(layer.proj_down.weight)


def first_weights(width, depth):
    """The distribution of every parameter's first numbers in an xLSTM[1:1]."""
    net = package(width, depth, list(range(1, depth, 2)), heads=4, multiple=64, vocabulary=211)
    found = {
        n: [float(f"{v:.6g}") for v in (p.mean(), p.std(correction=0), p.min(), p.max())]
        for n, p in tensors(net, 4, lambda p: p)}
    return {
        "model": json.dumps({"preset": "xlstm", "width": width, "depth": depth, "slstm_every": 2}),
        "vocabulary": 211, "parameters": found}


if __name__ == "__main__":
    torch.manual_seed(5)
    cases = [
        case("xLSTM of xlstm, of two heads", Model(width=10, depth=3, slstm_at=[0, 2], heads=2, multiple=4)),
        case("xLSTM of xlstm, of one head", Model(width=7, depth=3, slstm_at=[1], heads=1, multiple=8, kernel=3)),
        case("xLSTM of xlstm, of three heads", Model(width=9, depth=2, slstm_at=[1], heads=3, multiple=12, kernel=2))]
    cases[0]["first"] = first_weights(64, 4)
    compare_or_write(pathlib.Path(__file__).with_suffix(".json"), cases)
