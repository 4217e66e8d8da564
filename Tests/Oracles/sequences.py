"""Makes sequences.json: losses, outputs and gradients of models of padded sequences, computed by PyTorch.

Bidirectional layers over packed sequences of true lengths, their summary, encoders with decoders,
attention, and what stands around layers: each a few lines of PyTorch, whose parameters have the names
that the library gives them. One batch of three sequences in float64; cross-entropy summed over targets.

    python sequences.py            writes sequences.json beside this file
    python sequences.py --check    computes everything again and compares it with the file
"""

import pathlib

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import cells

FILE = pathlib.Path(__file__).with_name("sequences.json")

# No two sizes that a mistake could exchange are equal.
SYMBOLS, SOURCE_SYMBOLS, EMBEDDING, SOURCE_EMBEDDING, CONDITION = 6, 7, 3, 4, 2
LENGTHS, SOURCE_LENGTHS = [4, 1, 3], [2, 5, 3]

MODULES = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def layer(cell, hidden, **options):
    return {"cell": cell, "hidden": hidden} | options


def both(cell, hidden):
    return layer(cell, hidden, bidirectional="concat")


def encoder(*layers):
    return {"embedding": SOURCE_EMBEDDING, "layers": list(layers)}


def model(*layers, **options):
    return {"embedding": EMBEDDING, "layers": list(layers)} | options


CASES = [
    *({"name": f"{cell} of two layers in both directions", "model": model(*[both(cell, 2)] * 2)}
      for cell in MODULES),
    *({"name": f"a class from {cell} of two layers in both directions", "once": True,
       "model": model(*[both(cell, 2)] * 2)} for cell in MODULES),
    {"name": "a class from lstm", "once": True, "model": model(layer("lstm", 4))},
    {"name": "gru after gru",
     "model": model(layer("gru", 4), encoder=encoder(layer("gru", 4)))},
    {"name": "lstm after lstm, two layers",
     "model": model(*[layer("lstm", 2)] * 2, encoder=encoder(*[layer("lstm", 2)] * 2))},
    {"name": "gru after gru in both directions over a bridge",
     "model": model(layer("gru", 4), encoder=encoder(both("gru", 3)))},
    {"name": "gru with the context at every step",
     "model": model(layer("gru", 4), encoder=encoder(layer("gru", 5)), context="every_step")},
    *({"name": f"{kind} attention after each step of gru, both directions",
       "model": model(layer("gru", 4), encoder=encoder(both("gru", 3)), attention=kind)}
      for kind in ("additive", "multiplicative")),
    *({"name": f"{kind} attention before each step of gru, both directions",
       "model": model(layer("gru", 4), encoder=encoder(both("gru", 3)), attention=kind,
                      attention_place="input")} for kind in ("additive", "multiplicative")),
    {"name": "a residual layer above another",
     "model": model(layer("gru", 3, residual=True), layer("lstm", 3, residual=True))},
    {"name": "a shortcut from the input to the output layer",
     "model": model(layer("elman", 4), shortcut=True)},
    *({"name": f"a condition, {place}", "condition": True,
       "model": model(layer("gru", 4), condition=place)}
      for place in ("every_step", "first_input", "initial_state")),
]


def module(layers, inputs):
    """Equal layers as one module of PyTorch."""
    first = layers[0]
    return MODULES[first["cell"]](
        inputs, first["hidden"], len(layers), bidirectional="bidirectional" in first)


def matrix(owner, name, rows, columns):
    """A parameter that PyTorch's module has not."""
    owner.register_parameter(name, nn.Parameter(torch.empty(rows, columns)))


def packed(rnn, x, lengths, state=None):
    """Outputs of sequences of true lengths, and the last states."""
    rows = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    y, state = rnn(rows, state)
    return pad_packed_sequence(y, total_length=x.shape[0])[0], state


def summary(state):
    """The forward state at the last step beside the backward state at the first, of the top layer."""
    h = state[0] if isinstance(state, tuple) else state
    return torch.cat([h[-2], h[-1]], dim=1)


class Model(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.case, self.options = case, case["model"]
        layers, source = self.options["layers"], self.options.get("encoder")
        self.encoder = nn.Embedding(SYMBOLS, EMBEDDING)
        self.is_residual = "residual" in layers[0]
        if self.is_residual:
            self.layers = nn.ModuleList(module([x], EMBEDDING) for x in layers)
        else:
            self.rnn = module(layers, EMBEDDING)
        width = layers[-1]["hidden"] * (2 if "bidirectional" in layers[-1] else 1)
        if source:
            self.add_source(source, width)
        if "condition" in self.options:
            if self.options["condition"] == "initial_state":
                matrix(self.rnn, "condition_h_l0", width, CONDITION)
            else:
                matrix(self.rnn, "weight_ih_condition_l0", 3 * width, CONDITION)
        self.decoder = nn.Linear(width + (EMBEDDING if "shortcut" in self.options else 0), SYMBOLS)

    def add_source(self, source, n):
        layers = source["layers"]
        self.source = nn.Module()
        self.source.encoder = nn.Embedding(SOURCE_SYMBOLS, SOURCE_EMBEDDING)
        self.source.rnn = module(layers, SOURCE_EMBEDDING)
        m = layers[-1]["hidden"] * (2 if "bidirectional" in layers[-1] else 1)
        if self.options.get("context") == "every_step":
            matrix(self.rnn, "weight_ih_context_l0", 3 * n, m)
        elif m != n:
            matrix(self.rnn, "bridge_h_l0", n, m)
        kind = self.options.get("attention")
        if kind and self.options.get("attention_place") == "input":
            matrix(self.rnn, "weight_ih_attention_l0", 3 * n, m)
            additive = kind == "additive"
            matrix(self.rnn, f"attention_weight{'_source' if additive else ''}_l0", n, m)
            if additive:
                matrix(self.rnn, "attention_query_l0", n, n)
                self.rnn.attention_v_l0 = nn.Parameter(torch.empty(n))
        elif kind:
            self.attention = nn.Module()
            matrix(self.attention, "weight_source" if kind == "additive" else "weight", n, m)
            matrix(self.attention, "weight_context", n, m)
            matrix(self.attention, "weight_output", n, n)
            if kind == "additive":
                matrix(self.attention, "weight_query", n, n)
                self.attention.v = nn.Parameter(torch.empty(n))

    def read_source(self, symbols):
        """What the source's layers show at each step, the first state of the decoder, the context."""
        e, state = packed(self.source.rnn, self.source.encoder(symbols), SOURCE_LENGTHS)
        context = summary(state) if self.source.rnn.bidirectional else state[-1]
        if self.options.get("context") == "every_step":
            return e, None, context
        if "bridge_h_l0" in dict(self.rnn.named_parameters()):
            return e, (context @ self.rnn.bridge_h_l0.T).tanh()[None], None
        return e, state, None

    def attend(self, scores, e):
        """The mean of e by the softmax of scores, [streams, steps of the source], at true steps."""
        steps = torch.arange(e.shape[0])[None]
        scores = scores.masked_fill(steps >= torch.tensor(SOURCE_LENGTHS)[:, None], -torch.inf)
        return torch.einsum("sj,jsm->sm", scores.softmax(dim=1), e)

    def scores(self, query, keys, w_query, v):
        if v is None:
            return torch.einsum("sn,jsn->sj", query, keys)
        return torch.einsum("n,jsn->sj", v, (query @ w_query.T + keys).tanh())

    def steps(self, x, further, weight, h):
        """A gru whose input has more beside it: `further(t, h)` through a matrix of its own."""
        rnn, outputs = self.rnn, []
        wide = torch.cat([rnn.weight_ih_l0, weight], dim=1)
        for t, row in enumerate(x):
            beside = torch.cat([row, further(t, h)], dim=1)
            h = torch.gru_cell(
                beside, h, wide, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0)
            outputs.append(h)
        return torch.stack(outputs)

    def hidden(self, x, data):
        """What the top layer shows at each step."""
        if self.is_residual:
            for rnn in self.layers:
                x = x + rnn(x)[0]
            return x
        if "encoder" in self.options:
            return self.decoded(x, *self.read_source(data["source"]))
        if "condition" in self.options:
            z, h = data["condition"], torch.zeros(len(LENGTHS), self.rnn.hidden_size)
            if self.options["condition"] == "initial_state":
                return self.rnn(x, (z @ self.rnn.condition_h_l0.T)[None])[0]
            once = self.options["condition"] == "first_input"
            return self.steps(
                x, lambda t, _: z * (0 if once and t > 0 else 1),
                self.rnn.weight_ih_condition_l0, h)
        return packed(self.rnn, x, LENGTHS)[0]

    def decoded(self, x, e, state, context):
        kind, rnn = self.options.get("attention"), self.rnn
        if context is not None:
            h = torch.zeros(len(LENGTHS), rnn.hidden_size)
            return self.steps(x, lambda t, _: context, rnn.weight_ih_context_l0, h)
        if kind is None:
            return rnn(x, state)[0]
        if self.options.get("attention_place") == "input":
            additive = kind == "additive"
            keys = e @ (rnn.attention_weight_source_l0 if additive else rnn.attention_weight_l0).T
            w, v = (rnn.attention_query_l0, rnn.attention_v_l0) if additive else (None, None)
            return self.steps(
                x, lambda t, h: self.attend(self.scores(h, keys, w, v), e),
                rnn.weight_ih_attention_l0, state[0])
        own = self.attention
        keys = e @ (own.weight_source if kind == "additive" else own.weight).T
        w, v = (own.weight_query, own.v) if kind == "additive" else (None, None)
        outputs = []
        for h in rnn(x, state)[0]:
            c = self.attend(self.scores(h, keys, w, v), e)
            outputs.append((c @ own.weight_context.T + h @ own.weight_output.T).tanh())
        return torch.stack(outputs)

    def forward(self, data):
        """What the output layer reads, a row for each target."""
        x = self.encoder(data["inputs"])
        asked = data["targets"].flatten() >= 0
        if self.case.get("once"):
            state = packed(self.rnn, x, LENGTHS)[1]
            h = state[0] if isinstance(state, tuple) else state
            top = summary(state) if self.rnn.bidirectional else h[-1]
            # Rows are time-major: the shortest sequence ends first.
            order = sorted(range(len(LENGTHS)), key=lambda s: (LENGTHS[s], s))
            return top[order]
        top = self.hidden(x, data)
        if "shortcut" in self.options:
            top = torch.cat([top, x], dim=2)
        return top.reshape(-1, top.shape[-1])[asked]


def draw_parameters(model):
    """Multiples of 1/128, which Float holds too, and large enough for attention to be uneven."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-160, 161, parameter.shape) / 128)


def draw(case):
    steps, streams = max(LENGTHS), len(LENGTHS)
    places = torch.arange(steps)[:, None]
    lengths = torch.tensor(LENGTHS)[None]
    is_asked = places == lengths - 1 if case.get("once") else places < lengths
    data = {"inputs": torch.randint(SYMBOLS, (steps, streams)),
            "targets": torch.where(is_asked, torch.randint(SYMBOLS, (steps, streams)), -1)}
    if "encoder" in case["model"]:
        data["source"] = torch.randint(SOURCE_SYMBOLS, (max(SOURCE_LENGTHS), streams))
    if "condition" in case:
        data["condition"] = torch.randint(-128, 129, (streams, CONDITION)) / 128
    return data


def short(x):
    return {"shape": list(x.shape), "values": [float(f"{v:.11g}") for v in x.flatten().tolist()]}


def compute(number, case):
    torch.manual_seed(case.get("seed", 100 + number))
    model = Model(case)
    draw_parameters(model)
    data = draw(case)
    outputs = model(data)
    targets = data["targets"].flatten()
    loss = nn.functional.cross_entropy(
        model.decoder(outputs), targets[targets >= 0], reduction="sum")
    loss.backward()
    named = dict(model.named_parameters())
    return {
        "name": case["name"], "model": case["model"], "once": case.get("once", False),
        "symbols": SYMBOLS, "lengths": LENGTHS, "inputs": data["inputs"].flatten().tolist(),
        "targets": targets.tolist(),
        "source_symbols": SOURCE_SYMBOLS if "source" in data else 0,
        "source_lengths": SOURCE_LENGTHS if "source" in data else [],
        "source": data["source"].flatten().tolist() if "source" in data else [],
        "condition": short(data["condition"]) if "condition" in data else None,
        "parameters": {name: short(p.detach()) for name, p in named.items()},
        "outputs": short(outputs.detach()), "loss": float(f"{loss.item():.11g}"),
        "gradients": {name: short(p.grad) for name, p in named.items()},
    }


if __name__ == "__main__":
    cells.main(CASES, FILE, __doc__, compute)
