"""Makes equations.json: the same numbers as cells.json for cells of which PyTorch has no module.

Each cell is its equations in a few lines, differentiated by PyTorch: one layer between an embedding and
a linear layer, over two consecutive windows in float64.

    python equations.py            writes equations.json beside this file
    python equations.py --check    computes everything again and compares it with the file
"""

import pathlib

import torch
from torch import nn

import cells

FILE = pathlib.Path(__file__).with_name("equations.json")


class Cell(nn.Module):
    """A loop over `step`; parameters are `weight_ih_l0` and so on, stored [out, in]."""

    num_layers, proj_size, has_memory = 1, 0, False

    def __init__(self, inputs, layer):
        super().__init__()
        self.options, self.hidden_size = layer, layer["hidden"]
        for name, shape in self.shapes(inputs, self.hidden_size).items():
            self.register_parameter(name + "_l0", nn.Parameter(torch.empty(shape)))

    def __getitem__(self, name):
        return getattr(self, name + "_l0")

    def forward(self, x, state):
        state = tuple(s[0] for s in state) if self.has_memory else state[0]
        outputs = []
        for row in x:
            state = self.step(row, state)
            outputs.append(state[0] if self.has_memory else state)
        after = tuple(s[None] for s in state) if self.has_memory else state[None]
        return torch.stack(outputs), after


class LSTM(Cell):
    has_memory = True

    def shapes(self, m, n):
        self.proj_size = self.options.get("projection", 0)
        k, p = (3 if self.options.get("coupled") else 4), self.proj_size or n
        shapes = {"weight_ih": (k * n, m), "weight_hh": (k * n, p), "bias_ih": (k * n,)}
        if self.options.get("biases", 2) == 2:
            shapes["bias_hh"] = (k * n,)
        if self.options.get("layer_norm"):
            shapes |= {"gain_ih": (k * n,), "gain_hh": (k * n,), "gain_c": (n,), "bias_c": (n,)}
        if self.options.get("peephole", "none") != "none":
            shapes["weight_peephole"] = ((k - 1) * n,)
        if self.proj_size:
            shapes["weight_hr"] = (p, n)
        return shapes

    def step(self, x, state):
        (h, c), n, options = state, self.hidden_size, self.options
        peephole = options.get("peephole", "none")

        def normalized(v, gain):
            return nn.functional.layer_norm(v, v.shape[-1:], self[gain])

        x, u = x @ self["weight_ih"].T, h @ self["weight_hh"].T
        if options.get("layer_norm"):
            x, u = normalized(x, "gain_ih"), normalized(u, "gain_hh")
        a = x + u + self["bias_ih"]
        if options.get("biases", 2) == 2:
            a = a + self["bias_hh"]
        i, *f, g, o = a.split(n, dim=1)
        if peephole != "none":
            pi, *pf, po = self["weight_peephole"].split(n)
            i = i + pi * c
            f = [f[0] + pf[0] * c] if f else f
            o = o + po * c if peephole == "previous" else o
        forget = f[0].sigmoid() if f else 1 - i.sigmoid()
        c = forget * c + i.sigmoid() * g.tanh()
        if peephole == "gers":
            o = o + po * c
        seen = normalized(c, "gain_c") + self["bias_c"] if options.get("layer_norm") else c
        h = o.sigmoid() * seen.tanh()
        return (h @ self["weight_hr"].T if self.proj_size else h), c


class UpdateGRU(Cell):
    def shapes(self, m, n):
        shapes = {"weight_ih": (2 * n, m), "bias_ih": (2 * n,), "bias_hh": (2 * n,)}
        if self.options.get("gate_candidate"):
            return shapes | {"weight_hh": (n, n), "weight_hn": (n, n)}
        return shapes | {"weight_hh": (2 * n, n)}

    def step(self, x, c):
        n = self.hidden_size
        xu, xc = (x @ self["weight_ih"].T + self["bias_ih"] + self["bias_hh"]).split(n, dim=1)
        if self.options.get("gate_candidate"):
            gate = (xu + c @ self["weight_hh"].T).sigmoid()
            candidate = (xc + (gate * c) @ self["weight_hn"].T).tanh()
        else:
            u = c @ self["weight_hh"].T
            gate, candidate = (xu + u[:, :n]).sigmoid(), (xc + u[:, n:]).tanh()
        return gate * candidate + (1 - gate) * c


class Leaky(Cell):
    def shapes(self, m, n):
        return {"weight_ih": (n, m), "weight_hh": (n, n), "bias_ih": (n,), "logit_alpha": (n,)}

    def step(self, x, h):
        alpha = self["logit_alpha"].sigmoid()
        a = x @ self["weight_ih"].T + h @ self["weight_hh"].T + self["bias_ih"]
        return alpha * h + (1 - alpha) * a.tanh()


class Multiplicative(Cell):
    def shapes(self, m, n):
        return {"weight_ih": (2 * n, m), "bias_ih": (n,), "weight_hf": (n, n), "weight_fh": (n, n)}

    def step(self, x, h):
        xf, xh = (x @ self["weight_ih"].T).split(self.hidden_size, dim=1)
        f = xf * (h @ self["weight_hf"].T)
        return (f @ self["weight_fh"].T + xh + self["bias_ih"]).tanh()


class MultiplicativeLSTM(Cell):
    has_memory = True

    def shapes(self, m, n):
        return {"weight_ih": (5 * n, m), "bias_ih": (4 * n,), "weight_hm": (n, n),
                "weight_mh": (4 * n, n)}

    def step(self, x, state):
        (h, c), n = state, self.hidden_size
        xm, xg = (x @ self["weight_ih"].T).split([n, 4 * n], dim=1)
        m = xm * (h @ self["weight_hm"].T)
        i, f, g, o = (xg + m @ self["weight_mh"].T + self["bias_ih"]).split(n, dim=1)
        krause = self.options["form"] == "krause"
        c = f.sigmoid() * c + i.sigmoid() * (g if krause else g.tanh())
        return (c * o.sigmoid()).tanh() if krause else o.sigmoid() * c.tanh(), c


class SecondOrder(Cell):
    def shapes(self, m, n):
        return {"weight_ih": (n * n, m), "bias_ih": (n,)}

    def step(self, x, h):
        w = self["weight_ih"].view(self.hidden_size, self.hidden_size, -1)
        return (torch.einsum("si,kij,sj->sk", h, w, x) + self["bias_ih"]).sigmoid()


class DeepTransition(Cell):
    def shapes(self, m, n):
        widths = self.options.get("transition", [n])
        shapes = {"weight_ih": (widths[0], m), "bias_ih": (widths[0],), "weight_hh": (widths[0], n)}
        for k, (width, following) in enumerate(zip(widths, widths[1:] + [n]), start=2):
            shapes |= {f"weight_transition_{k}": (following, width),
                       f"bias_transition_{k}": (following,)}
        return shapes | ({"weight_shortcut": (n, n)} if self.options.get("shortcut") else {})

    def step(self, x, h):
        function = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}[self.options["nonlinearity"]]
        last = len(self.options.get("transition", [0])) + 1
        a = x @ self["weight_ih"].T + self["bias_ih"] + h @ self["weight_hh"].T
        for k in range(2, last + 1):
            a = function(a) @ self[f"weight_transition_{k}"].T + self[f"bias_transition_{k}"]
        return function(a + h @ self["weight_shortcut"].T if self.options.get("shortcut") else a)


def candidate(v, kind):
    return torch.where(v >= 0, v + 0.5, v.sigmoid()) if kind == "positive" else v


class MinGRU(Cell):
    def shapes(self, m, n):
        return {"weight_ih": (2 * n, m), "bias_ih": (2 * n,)}

    def step(self, x, h):
        z, v = (x @ self["weight_ih"].T + self["bias_ih"]).chunk(2, dim=1)
        return (1 - z.sigmoid()) * h + z.sigmoid() * candidate(v, self.options["candidate"])


class MinLSTM(Cell):
    def shapes(self, m, n):
        return {"weight_ih": (3 * n, m), "bias_ih": (3 * n,)}

    def step(self, x, h):
        i, f, v = (x @ self["weight_ih"].T + self["bias_ih"]).chunk(3, dim=1)
        i, f = i.sigmoid(), f.sigmoid()
        return f / (f + i) * h + i / (f + i) * candidate(v, self.options["candidate"])


class GRUResetBefore(Cell):
    def shapes(self, m, n):
        return {"weight_ih": (3 * n, m), "bias_ih": (3 * n,), "bias_hh": (3 * n,),
                "weight_hh": (2 * n, n), "weight_hn": (n, n)}

    def step(self, x, h):
        n = self.hidden_size
        a = x @ self["weight_ih"].T + self["bias_ih"] + self["bias_hh"]
        r, z = (a[:, :2 * n] + h @ self["weight_hh"].T).sigmoid().split(n, dim=1)
        candidate = (a[:, 2 * n:] + (r * h) @ self["weight_hn"].T).tanh()
        return (1 - z) * candidate + z * h


class Skip(Cell):
    """Its state is the steps back to the longest delay, the earliest first."""

    def zero_state(self, streams):
        return torch.zeros(1, max(self.options["delays"]) * streams, self.hidden_size)

    def shapes(self, m, n):
        shapes = {"weight_ih": (n, m), "weight_hh": (n, n), "bias_ih": (n,), "bias_hh": (n,)}
        return shapes | {f"weight_hh_{k}": (n, n) for k in self.options["delays"]}

    def forward(self, x, state):
        past = list(state[0].chunk(max(self.options["delays"])))
        for row in x:
            a = row @ self["weight_ih"].T + self["bias_ih"] + self["bias_hh"]
            a = a + past[-1] @ self["weight_hh"].T
            for k in self.options["delays"]:
                a = a + past[-k] @ self[f"weight_hh_{k}"].T
            past.append(a.tanh())
        after = torch.cat(past[-max(self.options["delays"]):])
        return torch.stack(past[-len(x):]), after[None]


class Jordan(Cell):
    """Its state is y, or the last target and one where that is fed back."""

    def zero_state(self, streams):
        taught = self.options.get("teacher_forcing")
        return torch.zeros(1, streams, 1 if taught else self.options["outputs"])

    def shapes(self, m, n):
        p = self.options["outputs"]
        back = (cells.VOCABULARY, n) if self.options.get("teacher_forcing") else (n, p)
        return {"weight_ih": (n, m), "bias_ih": (n,), "weight_yh": back, "weight_hy": (p, n),
                "bias_y": (p,)}

    def forward(self, x, state):
        state, outputs = state[0], []
        for row, target in zip(x, self.targets):
            a = row @ self["weight_ih"].T + self["bias_ih"]
            if self.options.get("teacher_forcing"):
                a = a + fed(state) @ self["weight_yh"]
            else:
                a = a + state @ self["weight_yh"].T
            y = (a.tanh() @ self["weight_hy"].T + self["bias_y"]).sigmoid()
            state = target[:, None] + 1.0 if self.options.get("teacher_forcing") else y
            outputs.append(y)
        return torch.stack(outputs), state[None]


def fed(state):
    """Rows with a 1 at the symbol that is one less than the state, all zeros where that is 0."""
    rows = torch.zeros(len(state), cells.VOCABULARY)
    for row, number in zip(rows, state[:, 0].long()):
        if number > 0:
            row[number - 1] = 1
    return rows


class FedGRU(Cell):
    """A GRU whose layer feeds back an output of its own, or the last target; that is its memory."""

    def zero_state(self, streams):
        width = self.options.get("feedback_width", 1)
        return torch.zeros(1, streams, self.hidden_size), torch.zeros(1, streams, width)

    def shapes(self, m, n):
        shapes = {"weight_ih": (3 * n, m), "weight_hh": (3 * n, n), "bias_ih": (3 * n,),
                  "bias_hh": (3 * n,)}
        if self.options["feedback"] == "target":
            return shapes | {"weight_feedback_target": (cells.VOCABULARY, 3 * n)}
        p = self.options["feedback_width"]
        return shapes | {"weight_feedback_hy": (p, n), "weight_feedback_yh": (3 * n, p),
                         "bias_feedback": (p,)}

    def forward(self, x, state):
        (h, y), outputs, n = [s[0] for s in state], [], self.hidden_size
        taught = self.options["feedback"] == "target"
        for row, target in zip(x, self.targets):
            a = row @ self["weight_ih"].T + self["bias_ih"]
            if taught:
                a = a + fed(y) @ self["weight_feedback_target"]
            else:
                a = a + y @ self["weight_feedback_yh"].T
            u = h @ self["weight_hh"].T + self["bias_hh"]
            r, z = (a + u)[:, :2 * n].sigmoid().split(n, dim=1)
            h = (1 - z) * (a[:, 2 * n:] + r * u[:, 2 * n:]).tanh() + z * h
            if taught:
                y = target[:, None] + 1.0
            else:
                y = (h @ self["weight_feedback_hy"].T + self["bias_feedback"]).sigmoid()
            outputs.append(h if taught else y)
        return torch.stack(outputs), (h[None], y[None])


class Dense(Cell):
    """Its state is the inputs that the next steps read, the latest first."""

    def zero_state(self, streams):
        return torch.zeros(1, streams, (self.options["taps"] - 1) * cells.EMBEDDING)

    def shapes(self, m, n):
        return {"weight_ih": (n, self.options["taps"] * m), "bias_ih": (n,)}

    def forward(self, x, state):
        state, m, outputs = state[0], x.shape[2], []
        for row in x:
            line = torch.cat([row, state], dim=1)
            outputs.append((line @ self["weight_ih"].T + self["bias_ih"]).tanh())
            state = line[:, :(self.options["taps"] - 1) * m]
        return torch.stack(outputs), state[None]


class Clockwork(Cell):
    """Steps are counted from the first window's first on."""

    time = 0

    def shapes(self, m, n):
        shapes = {"weight_ih": (n, m), "bias_ih": (n,), "bias_hh": (n,)}
        width = n // len(self.options["periods"])
        return shapes | {f"weight_hh_{i}": (width, n - i * width)
                         for i in range(len(self.options["periods"]))}

    def step(self, x, h):
        width = self.hidden_size // len(self.options["periods"])
        a = x @ self["weight_ih"].T + self["bias_ih"] + self["bias_hh"]
        modules = []
        for i, period in enumerate(self.options["periods"]):
            units = slice(i * width, (i + 1) * width)
            if self.time % period == 0:
                modules.append((a[:, units] + h[:, i * width:] @ self[f"weight_hh_{i}"].T).tanh())
            else:
                modules.append(h[:, units])
        self.time += 1
        return torch.cat(modules, dim=1)


cells.MODULES |= {
    "gru-reset-before": GRUResetBefore, "skip": Skip, "jordan": Jordan, "gru": FedGRU,
    "dense": Dense, "clockwork": Clockwork,
    "lstm": LSTM, "update-gru": UpdateGRU, "leaky": Leaky, "multiplicative": Multiplicative,
    "mlstm": MultiplicativeLSTM, "second-order": SecondOrder, "min-gru": MinGRU,
    "min-lstm": MinLSTM, "deep-transition": DeepTransition,
}


def layer(cell, **options):
    return {"cell": cell, "hidden": 5} | options


LAYERS = [
    layer("lstm", coupled=True),
    layer("lstm", layer_norm=True),
    layer("lstm", peephole="gers"),
    layer("lstm", peephole="previous", biases=1),
    layer("lstm", coupled=True, layer_norm=True, peephole="gers", projection=3),
    layer("lstm", coupled=True, layer_norm=True, peephole="previous"),
    layer("update-gru"),
    layer("update-gru", gate_candidate=True),
    layer("leaky"),
    layer("multiplicative"),
    layer("mlstm", form="radford"),
    layer("mlstm", form="krause"),
    layer("second-order"),
    layer("min-gru", candidate="linear"),
    layer("min-gru", candidate="positive"),
    layer("min-lstm", candidate="linear"),
    layer("min-lstm", candidate="positive"),
    layer("deep-transition", nonlinearity="tanh"),
    layer("deep-transition", nonlinearity="sigmoid", transition=[6, 4], shortcut=True),
    layer("gru-reset-before"),
    layer("skip", delays=[2, 4]),
    layer("jordan", outputs=3, output_nonlinearity="sigmoid"),
    layer("jordan", outputs=3, output_nonlinearity="sigmoid", teacher_forcing=True),
    layer("gru", feedback="output", feedback_width=3, feedback_nonlinearity="sigmoid"),
    layer("gru", feedback="target"),
    layer("dense", taps=1),
    layer("dense", taps=3),
    layer("clockwork", hidden=6, periods=[1, 2, 3]),
]


def name(layer):
    options = [f"{key} {value}" for key, value in layer.items() if key not in ("cell", "hidden")]
    return ", ".join([layer["cell"], *options])


if __name__ == "__main__":
    cells.main([{"name": name(x), "layers": [x]} for x in LAYERS], FILE, __doc__)
