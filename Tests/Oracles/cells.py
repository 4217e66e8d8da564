"""Makes cells.json: losses, states and gradients of small language models, computed by PyTorch.

Each case is a whole language model, nn.Embedding -> recurrent layers -> nn.Linear -> cross-entropy
(natural logarithm, summed over all targets), run over two consecutive windows in float64. The state
is zero before the first window and carried, detached, into the second, which is shorter.

    python cells.py            writes cells.json beside this file
    python cells.py --check    computes everything again and compares it with the file
"""

import argparse
import json
import pathlib
import sys

import torch
from torch import nn

FILE = pathlib.Path(__file__).with_name("cells.json")

# No two sizes that a mistake could exchange are equal.
VOCABULARY, EMBEDDING, STREAMS, WINDOWS = 9, 4, 3, (6, 2)


def elman(hidden, nonlinearity):
    return {"cell": "elman", "hidden": hidden, "nonlinearity": nonlinearity}


def lstm(hidden, projection=None):
    layer = {"cell": "lstm", "hidden": hidden}
    return layer if projection is None else layer | {"projection": projection}


def gru(hidden):
    return {"cell": "gru", "hidden": hidden}


CASES = [
    {"name": "elman with tanh", "layers": [elman(5, "tanh")]},
    {"name": "elman with relu", "layers": [elman(5, "relu")], "seed": 21},
    {"name": "elman of two layers", "layers": [elman(5, "tanh")] * 2},
    {"name": "lstm", "layers": [lstm(5)]},
    {"name": "lstm of two layers", "layers": [lstm(5)] * 2},
    {"name": "lstm of two layers with projection", "layers": [lstm(7, 5)] * 2},
    {"name": "gru", "layers": [gru(5)]},
    {"name": "gru of two layers", "layers": [gru(5)] * 2},
    {"name": "lstm below gru", "layers": [lstm(5), gru(7)]},
    {"name": "lstm with tied embedding", "layers": [lstm(5)], "embedding": 5, "tied": True},
    {"name": "elman with missing targets", "layers": [elman(5, "tanh")], "missing": 5},
]


def output_width(layer):
    for key in ("projection", "outputs", "feedback_width"):
        if key in layer:
            return layer[key]
    return layer["hidden"]


# Cells by name that take the place of PyTorch's modules: equations.py adds them.
MODULES = {}


def recurrent(layer, inputs, count):
    """The PyTorch module of `count` equal layers."""
    if layer["cell"] in MODULES:
        return MODULES[layer["cell"]](inputs, layer)
    match layer["cell"]:
        case "elman":
            return nn.RNN(inputs, layer["hidden"], count, nonlinearity=layer["nonlinearity"])
        case "lstm":
            return nn.LSTM(inputs, layer["hidden"], count, proj_size=layer.get("projection", 0))
        case "gru":
            return nn.GRU(inputs, layer["hidden"], count)


class SequenceModel(nn.Module):
    """Equal layers are one module, `rnn.weight_ih_l1`; others one each, `layers.1.weight_ih_l0`."""

    def __init__(self, case):
        super().__init__()
        layers, embedding = case["layers"], case.get("embedding", EMBEDDING)
        self.encoder = nn.Embedding(VOCABULARY, embedding)
        if all(layer == layers[0] for layer in layers):
            self.rnn = recurrent(layers[0], embedding, len(layers))
            self.recurrent = [self.rnn]
        else:
            widths = [embedding] + [output_width(layer) for layer in layers]
            self.layers = nn.ModuleList(
                recurrent(layer, width, 1) for layer, width in zip(layers, widths))
            self.recurrent = list(self.layers)
        self.decoder = nn.Linear(output_width(layers[-1]), VOCABULARY)
        if case.get("tied"):
            self.decoder.weight = self.encoder.weight

    def forward(self, inputs, states):
        x, after = self.encoder(inputs), []
        for module, state in zip(self.recurrent, states):
            x, state = module(x, state)
            after.append(state)
        return x, self.decoder(x), after

    def zero_states(self):
        states = []
        for module in self.recurrent:
            if hasattr(module, "zero_state"):
                states.append(module.zero_state(STREAMS))
                continue
            h = torch.zeros(module.num_layers, STREAMS, module.proj_size or module.hidden_size)
            c = torch.zeros(module.num_layers, STREAMS, module.hidden_size)
            has_memory = getattr(module, "has_memory", isinstance(module, nn.LSTM))
            states.append((h, c) if has_memory else h)
        return states


def detached(states):
    return [tuple(s.detach() for s in x) if isinstance(x, tuple) else x.detach() for x in states]


def draw_parameters(model):
    """Multiples of 1/256, so that Float and Double hold exactly the same model."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-160, 161, parameter.shape) / 256)


def parameters(model):
    """A tied matrix comes under both its names, with the sum of both gradients."""
    return model.named_parameters(remove_duplicate=False)


def tensor(x):
    return {"shape": list(x.shape), "values": [float(f"{v:.13g}") for v in x.flatten().tolist()]}


def rows(x):
    """Time-major rows: row t * STREAMS + s is step t of stream s."""
    return tensor(x.reshape(-1, x.shape[-1]))


def layer_states(states):
    """One entry per layer, from the lowest, whichever modules they are in."""
    entries = []
    for state in states:
        h, c = state if isinstance(state, tuple) else (state, None)
        for k in range(h.shape[0]):
            entry = {"h": tensor(h[k].detach())}
            entries.append(entry if c is None else entry | {"c": tensor(c[k].detach())})
    return entries


def keep_off_kinks(case, model, inputs, states):
    """A preactivation of relu near zero would let rounding choose the side of the kink."""
    if case["layers"][0].get("nonlinearity") != "relu":
        return
    rnn, h = model.rnn, states[0][0]
    for symbols in inputs:
        a = (model.encoder(symbols) @ rnn.weight_ih_l0.T + rnn.bias_ih_l0
             + h @ rnn.weight_hh_l0.T + rnn.bias_hh_l0)
        assert a.abs().min() > 1e-3, "a preactivation of relu lies at its kink: take another seed"
        h = a.relu()


def window(case, model, steps, states):
    inputs = torch.randint(VOCABULARY, (steps, STREAMS))
    targets = torch.randint(VOCABULARY, (steps, STREAMS))
    if "missing" in case:
        targets.view(-1)[torch.randperm(steps * STREAMS)[: case["missing"]]] = -1
    keep_off_kinks(case, model, inputs, states)
    model.zero_grad()
    for module in model.recurrent:
        module.targets = targets
    outputs, logits, after = model(inputs, states)
    loss = nn.functional.cross_entropy(
        logits.reshape(-1, VOCABULARY), targets.reshape(-1), ignore_index=-1, reduction="sum")
    loss.backward()
    return detached(after), {
        "steps": steps,
        "inputs": inputs.flatten().tolist(),
        "targets": targets.flatten().tolist(),
        "before": layer_states(states),
        "after": layer_states(after),
        "outputs": rows(outputs.detach()),
        "loss": float(f"{loss.item():.13g}"),
        "gradients": {name: tensor(p.grad) for name, p in parameters(model)},
    }


def compute(number, case):
    torch.manual_seed(case.get("seed", number))
    model = SequenceModel(case)
    draw_parameters(model)
    states, windows = model.zero_states(), []
    for steps in WINDOWS:
        states, result = window(case, model, steps, states)
        windows.append(result)
    return {
        "name": case["name"],
        "vocabulary": VOCABULARY,
        "embedding": case.get("embedding", EMBEDDING),
        "streams": STREAMS,
        "layers": case["layers"],
        "tied": case.get("tied", False),
        "parameters": {name: tensor(p.detach()) for name, p in parameters(model)},
        "windows": windows,
    }


def largest_difference(a, b):
    """The largest absolute difference of two equally built values; infinite if they are not."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return max((largest_difference(a[k], b[k]) for k in a), default=0)
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return max((largest_difference(x, y) for x, y in zip(a, b)), default=0)
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b)
    return 0 if a == b else float("inf")


def shortened(value):
    """The value with numbers of 12 digits, which is more than any test compares."""
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shortened(inner) for inner in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def main(cases=CASES, file=FILE, description=__doc__, compute=compute):
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    computed = [compute(number, case) for number, case in enumerate(cases, start=1)]
    if arguments.check:
        difference = largest_difference(computed, json.loads(file.read_text())["cases"])
        print(f"largest difference from {file.name}: {difference:.1e}")
        sys.exit(difference > 1e-10)
    made = {"torch": torch.__version__, "cases": shortened(computed)}
    file.write_text(json.dumps(made, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
    print(f"{file.name}: {len(cases)} cases, {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
