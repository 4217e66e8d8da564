"""Makes matrix_blocks.json: models of two residual blocks with a matrix memory, with the losses and every gradient
that transformers finds.

    pip install torch numpy transformers==5.24.0
    python Tests/Oracles/matrix_blocks.py            # writes matrix_blocks.json
    python Tests/Oracles/matrix_blocks.py --check    # computes it again and compares

Two cases are `Mamba2ForCausalLM`, with one group and with two, on its path without kernels; two are blocks around
`OlmoHybridGatedDeltaNet`, the Gated DeltaNet of OLMo Hybrid, with and without negative eigenvalues. Each document is
read by itself, so that it begins anew. All numbers are in float64: the library computes parts in float32 whatever it
is given, so that here its float32 is float64. Parameters are multiples of 1/256, so that Float and Double hold the
same model.
"""
import json
import pathlib
import sys

import torch
from torch import nn
import torch.nn.functional as F

from blocks import RESETS, STEPS, STREAMS, VOCABULARY, WIDTH, compare_or_write, rounded

# tokenizers.py beside this file is not the package that transformers imports.
sys.path.pop(0)
from transformers import Mamba2Config, Mamba2ForCausalLM
from transformers.models.olmo_hybrid.configuration_olmo_hybrid import OlmoHybridConfig
from transformers.models.olmo_hybrid.modeling_olmo_hybrid import OlmoHybridGatedDeltaNet

# After the imports, which look the types up by name.
torch.float32 = torch.float64
torch.Tensor.float = torch.Tensor.double


def documents(stream):
    """The ranges of steps of a stream's documents."""
    starts = [0] + sorted(t for t, s in RESETS if s == stream) + [STEPS]
    return [range(a, b) for a, b in zip(starts, starts[1:]) if a < b]


def by_document(model, x):
    """The logits of all streams, each document read by itself."""
    return torch.stack([
        torch.cat([model(x[s:s + 1, d.start:d.stop])[0] for d in documents(s)]) for s in range(STREAMS)])


class Mamba2(nn.Module):
    def __init__(self, heads, groups, state, kernel):
        super().__init__()
        inner = 2 * WIDTH
        self.model = Mamba2ForCausalLM(Mamba2Config(
            vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=2, expand=2, num_heads=heads,
            head_dim=inner // heads, n_groups=groups, state_size=state, conv_kernel=kernel, chunk_size=4,
            use_conv_bias=True, use_bias=False, tie_word_embeddings=True, layer_norm_epsilon=1e-5,
            pad_token_id=None, bos_token_id=None, eos_token_id=None)).double().eval()
        rounded(self, 0.7)
        self.section = {
            "embedding": WIDTH, "tied": True, "output_bias": False, "embedding_scale": 1.0,
            "final_norm": {"kind": "rmsnorm", "eps": 1e-5},
            "layers": [{
                "repeat": 2,
                "block": {
                    "norm": {"kind": "rmsnorm", "eps": 1e-5},
                    "mixer": {
                        "cell": "mamba2", "hidden": inner, "heads": heads, "groups": groups, "state": state,
                        "kernel": kernel, "out_projection": True, "projection_bias": False}}}]}

    def forward(self, x):
        return by_document(lambda part: self.model(part, use_cache=False).logits, x)

    def tensors(self, of):
        """Pairs of names here and numbers, each `of` a parameter: its value or its gradient."""
        backbone = self.model.backbone
        yield "encoder.weight", of(backbone.embeddings.weight)
        yield "final_norm.weight", of(backbone.norm_f.weight)
        for k, layer in enumerate(backbone.layers):
            m = layer.mixer
            yield f"layers.{k}.norm.weight", of(layer.norm.weight)
            yield f"layers.{k}.mixer.weight_ih_l0", of(m.in_proj.weight)
            yield f"layers.{k}.mixer.conv_weight_l0", of(m.conv1d.weight)[:, 0].T
            yield f"layers.{k}.mixer.conv_bias_l0", of(m.conv1d.bias)
            for name in ["dt_bias", "A_log", "D"]:
                yield f"layers.{k}.mixer.{name}_l0", of(getattr(m, name))
            yield f"layers.{k}.mixer.norm_weight_l0", of(m.norm.weight)
            yield f"layers.{k}.mixer.out_proj.weight", of(m.out_proj.weight)


class DeltaNet(nn.Module):
    def __init__(self, heads, key, value, is_negative, kernel):
        super().__init__()
        config = OlmoHybridConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=2, linear_num_key_heads=heads,
            linear_num_value_heads=heads, linear_key_head_dim=key, linear_value_head_dim=value,
            linear_conv_kernel_dim=kernel, linear_allow_neg_eigval=is_negative,
            layer_types=["linear_attention", "full_attention"])
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.RMSNorm(WIDTH, eps=1e-6), OlmoHybridGatedDeltaNet(config, 0).double()])
            for _ in range(2))
        self.norm = nn.RMSNorm(WIDTH, eps=1e-6)
        self.to_logits = nn.Linear(WIDTH, VOCABULARY, bias=False)
        rounded(self, 0.7)
        self.section = {
            "embedding": WIDTH, "output_bias": False, "embedding_scale": 1.0, "final_norm": "rmsnorm",
            "layers": [{
                "repeat": 2,
                "block": {
                    "mixer": {
                        "cell": "gated-deltanet", "hidden": heads * value, "heads": heads,
                        "key_width": heads * key, "negative_eigenvalues": is_negative, "kernel": kernel,
                        "out_projection": True, "projection_bias": False}}}]}

    def part(self, x):
        h = self.embedding(x)
        for norm, mixer in self.blocks:
            h = h + mixer(norm(h))
        return self.to_logits(self.norm(h))

    def forward(self, x):
        return by_document(self.part, x)

    def tensors(self, of):
        yield "encoder.weight", of(self.embedding.weight)
        yield "decoder.weight", of(self.to_logits.weight)
        yield "final_norm.weight", of(self.norm.weight)
        for k, (norm, m) in enumerate(self.blocks):
            yield f"layers.{k}.norm.weight", of(norm.weight)
            parts = [m.q_proj, m.k_proj, m.v_proj, m.g_proj, m.b_proj, m.a_proj]
            yield f"layers.{k}.mixer.weight_ih_l0", torch.cat([of(p.weight) for p in parts])
            yield f"layers.{k}.mixer.conv_weight_l0", of(m.conv1d.weight)[:, 0].T
            for name in ["dt_bias", "A_log"]:
                yield f"layers.{k}.mixer.{name}_l0", of(getattr(m, name))
            yield f"layers.{k}.mixer.norm_weight_l0", of(m.o_norm.weight)
            yield f"layers.{k}.mixer.out_proj.weight", of(m.o_proj.weight)


def case(name, model):
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(VOCABULARY, (STREAMS, STEPS + 1), generator=generator)
    logits = model(tokens[:, :-1])
    assert logits.dtype == torch.float64
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


if __name__ == "__main__":
    torch.manual_seed(3)
    compare_or_write(pathlib.Path(__file__).with_suffix(".json"), [
        case("mamba2 of one group", Mamba2(heads=3, groups=1, state=5, kernel=4)),
        case("mamba2 of two groups", Mamba2(heads=4, groups=2, state=3, kernel=3)),
        case("gated-deltanet", DeltaNet(heads=2, key=3, value=5, is_negative=False, kernel=4)),
        case("gated-deltanet of negative eigenvalues", DeltaNet(heads=3, key=4, value=2, is_negative=True, kernel=2))])
