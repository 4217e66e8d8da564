"""Makes heads.json: losses and gradients of output layers for many symbols in PyTorch, in float64.

    python3 Tests/Oracles/heads.py > Tests/Oracles/heads.json

Made with torch 2.15.0 on a CPU. The model is an embedding, a linear layer and the output layer; the
parameters are multiples of 1/256. A target of -1 asks for nothing. The adaptive softmax is PyTorch's
`AdaptiveLogSoftmaxWithLoss`; a soft cap is c tanh(l / c); the sampled softmax is TensorFlow's
`sampled_softmax_loss` with `log_uniform_candidate_sampler(unique=True)` and
`remove_accidental_hits=True`, with the program's random numbers, in which symbol s has rank 22 - s.
"""

import json
import math
import torch
from torch.nn.functional import cross_entropy, embedding, linear

VOCABULARY, EMBEDDING, WIDTH, STREAMS, STEPS = 23, 3, 9, 3, 5
CASES = [
    {"kind": "adaptive", "cutoffs": [5, 11], "div_value": 2.0, "head_bias": False},
    {"kind": "adaptive", "cutoffs": [4, 9, 22], "div_value": 1.5, "head_bias": True},
    {"kind": "adaptive", "cutoffs": [20], "div_value": 4.0, "head_bias": True},
    {"kind": "full", "soft_cap": 1.5},
    {"kind": "sampled", "samples": 6},
    {"kind": "sampled", "samples": 11, "soft_cap": 2.0},
]
SEED, STEP, MASK = 1, 7, (1 << 64) - 1


def uniform(index):
    """Philox 4x32-10 under the key of a seed and a name, at (index, 0, STEP, 0)."""
    z = 0xCBF29CE484222325
    for byte in b"sampled softmax":
        z = (z ^ byte) * 0x100000001B3 & MASK
    z ^= SEED * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    z ^= z >> 31
    a, b, c, d, k, l = index >> 1, 0, STEP, 0, z & 0xFFFFFFFF, z >> 32
    for _ in range(10):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = q >> 32 ^ b ^ k, q & 0xFFFFFFFF, p >> 32 ^ d ^ l, p & 0xFFFFFFFF
        k, l = k + 0x9E3779B9 & 0xFFFFFFFF, l + 0xBB67AE85 & 0xFFFFFFFF
    high, low = (a, b) if index % 2 == 0 else (c, d)
    return ((high << 32 | low) >> 11) * 2.0**-53


def sample(count):
    ranks, draws = [], 0
    while len(ranks) < count:
        rank = min(int(math.exp(uniform(draws) * math.log(VOCABULARY + 1))) - 1, VOCABULARY - 1)
        draws += 1
        if rank not in ranks:
            ranks.append(rank)
    r = torch.arange(VOCABULARY)
    p = torch.log((r + 2.0) / (r + 1)) / math.log(VOCABULARY + 1)
    return VOCABULARY - 1 - torch.tensor(ranks), -torch.expm1(draws * torch.log1p(-p)).flip(0)


def sampled_loss(case, h, targets, weight, bias):
    """Symbol s has rank VOCABULARY - 1 - s, so that expected counts are in reverse."""
    samples, expected = sample(case["samples"])
    logits = linear(h, weight, bias)
    if "soft_cap" in case:
        logits = case["soft_cap"] * torch.tanh(logits / case["soft_cap"])
    logits = logits - expected.log()
    own = logits.gather(1, targets[:, None])
    others = logits[:, samples].masked_fill(samples[None] == targets[:, None], -math.inf)
    return (torch.cat([own, others], 1).logsumexp(1) - own[:, 0]).sum()


def draw(*shape):
    return (torch.randn(shape) * 192).round() / 256


def decoder(case):
    if case["kind"] != "adaptive":
        return {"decoder.weight": draw(VOCABULARY, WIDTH), "decoder.bias": draw(VOCABULARY)}, None
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(
        WIDTH, VOCABULARY, case["cutoffs"], case["div_value"], case["head_bias"])
    return {"decoder." + name: draw(*p.shape) for name, p in module.named_parameters()}, module


def main():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    body = {
        "encoder.weight": draw(VOCABULARY, EMBEDDING),
        "layers.0.weight": draw(WIDTH, EMBEDDING),
        "layers.0.bias": draw(WIDTH),
    }
    inputs = torch.randint(VOCABULARY, (STEPS * STREAMS,))
    drawn = torch.randint(VOCABULARY, (STEPS * STREAMS,))
    cases = []
    for case in CASES:
        head, module = decoder(case)
        p = {name: value.clone().requires_grad_() for name, value in {**body, **head}.items()}
        h = linear(embedding(inputs, p["encoder.weight"]), p["layers.0.weight"], p["layers.0.bias"])
        if module is None:
            logits = linear(h, p["decoder.weight"], p["decoder.bias"])
            if "soft_cap" in case:
                c = case["soft_cap"]
                logits = c * torch.tanh(logits / c)
            everything = logits.log_softmax(1)
        else:
            own = {n[len("decoder."):]: v for n, v in p.items() if n.startswith("decoder.")}
            module.load_state_dict({name: value.detach() for name, value in own.items()})
            everything = module.log_prob(h.detach())
        # The likeliest symbol is the target here and there.
        targets = torch.where(torch.arange(len(inputs)) % 3 == 1, everything.argmax(1), drawn)
        targets[[2, 5, 11]] = -1
        asked = targets >= 0
        if case["kind"] == "sampled":
            loss = sampled_loss(
                case, h[asked], targets[asked], p["decoder.weight"], p["decoder.bias"])
        elif module is None:
            loss = cross_entropy(logits[asked], targets[asked], reduction="sum")
        else:
            loss = -torch.func.functional_call(module, own, (h[asked], targets[asked])).output.sum()
        loss.backward()
        correct = (everything.argmax(1)[asked] == targets[asked]).sum().item()
        cases.append({
            "output": case, "targets": targets.tolist(), "loss": loss.item(), "correct": correct,
            "parameters": {name: value.flatten().tolist() for name, value in p.items()},
            "log_probabilities": everything.flatten().tolist(),
            "gradients": {
                name: value.grad.flatten().tolist() if value.grad is not None
                else [0.0] * value.numel() for name, value in p.items()},
        })
    print(json.dumps({
        "vocabulary": VOCABULARY, "embedding": EMBEDDING, "width": WIDTH,
        "streams": STREAMS, "steps": STEPS,
        "seed": SEED, "step": STEP, "inputs": inputs.tolist(), "cases": cases,
    }))


main()
