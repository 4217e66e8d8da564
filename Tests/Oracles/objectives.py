"""Makes objectives.json: gradients of smoothed cross-entropy and z-loss in PyTorch, in float64.

    python3 Tests/Oracles/objectives.py > Tests/Oracles/objectives.json

Made with torch 2.13.0 on a CPU. The model is an embedding, a linear layer and the output layer; the
parameters are multiples of 1/256. A target of -1 asks for nothing.
"""

import json
import torch
from torch.nn.functional import cross_entropy, embedding, linear

VOCABULARY, EMBEDDING, WIDTH, STREAMS, STEPS = 7, 3, 5, 2, 4
SHAPES = {
    "encoder.weight": (VOCABULARY, EMBEDDING),
    "layers.0.weight": (WIDTH, EMBEDDING),
    "layers.0.bias": (WIDTH,),
    "decoder.weight": (VOCABULARY, WIDTH),
    "decoder.bias": (VOCABULARY,),
}
CASES = [(0.0, 0.0), (0.1, 0.0), (0.0, 0.01), (0.3, 0.2)]


def main():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    draw = {name: (torch.randn(shape) * 384).round() / 256 for name, shape in SHAPES.items()}
    inputs = torch.randint(VOCABULARY, (STEPS * STREAMS,))
    targets = torch.randint(VOCABULARY, (STEPS * STREAMS,))
    targets[[2, 5]] = -1
    cases = []
    for smoothing, z in CASES:
        p = {name: value.clone().requires_grad_() for name, value in draw.items()}
        h = linear(embedding(inputs, p["encoder.weight"]), p["layers.0.weight"], p["layers.0.bias"])
        logits = linear(h, p["decoder.weight"], p["decoder.bias"])
        loss = cross_entropy(
            logits, targets, ignore_index=-1, reduction="sum", label_smoothing=smoothing)
        loss = loss + z * logits.logsumexp(1).square()[targets >= 0].sum()
        loss.backward()
        plain = cross_entropy(logits, targets, ignore_index=-1, reduction="sum")
        cases.append({
            "label_smoothing": smoothing, "z_loss": z, "cross_entropy": plain.item(),
            "gradients": {name: value.grad.flatten().tolist() for name, value in p.items()},
        })
    print(json.dumps({
        "vocabulary": VOCABULARY, "embedding": EMBEDDING, "width": WIDTH,
        "streams": STREAMS, "steps": STEPS,
        "inputs": inputs.tolist(), "targets": targets.tolist(),
        "parameters": {name: value.flatten().tolist() for name, value in draw.items()},
        "cases": cases,
    }))


main()
