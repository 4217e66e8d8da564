"""Compares exported ONNX files with the program's own log-probabilities, in ONNX Runtime.

    pip install numpy onnx onnxruntime
    python Tests/Oracles/onnx_check.py                 # with .build/release/unroll
    python Tests/Oracles/onnx_check.py PROGRAM

Small models are trained for a few steps, one for every supported combination of layers, and exported. onnx.checker
has no objection to the file. For language models, ONNX Runtime computes the log-probability of each line in one call,
and in two calls with carried states, within 1e-5 a symbol of those that `unroll score` prints. For models of whole
sequences, its mean loss over a padded batch is within 1e-5 of that of `unroll evaluate`. Then the same is done with
files in which the order of gates or linear_before_reset is wrong, and the difference must be seen.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".build/release/unroll")
TOLERANCE = 1e-5

MODELS = [
    "{embedding: 7, layers: [{cell: lstm, hidden: 11}, {cell: lstm, hidden: 11}]}",
    "{embedding: 7, layers: [{cell: lstm, hidden: 11, biases: 1}, {cell: gru, hidden: 5}]}",
    "{embedding: 7, layers: [{cell: lstm, hidden: 11, peephole: gers}]}",
    "{embedding: 7, layers: [{cell: lstm, hidden: 11, coupled: true}]}",
    "{embedding: 7, layers: [{cell: lstm, hidden: 11, coupled: true, peephole: gers}]}",
    "{embedding: 7, layers: [{cell: gru, hidden: 11}, {cell: gru, hidden: 11}]}",
    "{embedding: 7, layers: [{cell: gru, hidden: 11, biases: 1}], output_bias: false}",
    "{embedding: 7, layers: [{cell: gru-reset-before, hidden: 11}]}",
    "{embedding: 7, layers: [{cell: gru-reset-before, hidden: 11, biases: 1}]}",
    "{embedding: 7, layers: [{cell: elman, hidden: 11}, {cell: elman, hidden: 13}]}",
    "{embedding: 7, layers: [{cell: elman, hidden: 11, nonlinearity: relu}]}",
    "{embedding: 7, layers: [{cell: elman, hidden: 11, nonlinearity: sigmoid}]}",
    "{layers: [{cell: elman, hidden: 11, nonlinearity: identity, biases: 1}]}",
    "{layers: [{cell: gru, hidden: 11}, {linear: 9}, {cell: lstm, hidden: 9, residual: true}]}",
    "{embedding: 9, layers: [{cell: dense, hidden: 11, nonlinearity: relu}, {cell: gru, hidden: 9}], tied: true}",
    "{embedding: 9, embedding_scale: sqrt, layers: [{cell: lstm, hidden: 9}], output: {soft_cap: 4}, shortcut: true}",
    "{embedding: 9, embedding_norm: rmsnorm, layers: [{cell: gru, hidden: 9}], final_norm: layernorm}",
    "{embedding: 9, layers: [{cell: lstm, hidden: 11, dropout: 0.3}], output: {kind: sampled, samples: 5}}",
]
# A format, and a model of whole sequences.
SEQUENCES = [
    ("tags", "{embedding: 7, layers: [{cell: lstm, hidden: 5, bidirectional: concat}]}"),
    ("tags", "{embedding: 7, layers: [{cell: gru, hidden: 7, bidirectional: sum, residual: true}, {cell: gru, hidden: 4}]}"),
    ("tags", "{embedding: 7, layers: [{cell: lstm, hidden: 5, peephole: gers, bidirectional: concat}]}"),
    ("labels", "{embedding: 7, layers: [{cell: lstm, hidden: 5}, {linear: 4}]}"),
    ("labels", "{embedding: 7, layers: [{cell: elman, hidden: 5, nonlinearity: relu, bidirectional: concat}]}"),
    ("labels", "{embedding: 7, layers: [{cell: gru-reset-before, hidden: 5, bidirectional: sum}, {linear: 4}], shortcut: true}"),
    ("labels", "{embedding: 6, layers: [{cell: elman, hidden: 3, bidirectional: concat}, "
               "{cell: gru, hidden: 3, bidirectional: concat, residual: true}]}"),
]


def text(lines, seed):
    random = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijkl "))
    return ["".join(letters[random.integers(0, 13, random.integers(3, 40))]) for _ in range(lines)]


def run(folder, *arguments, **options):
    done = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def export(folder, data, model):
    """Trains a model for a few steps and returns its exported file, checked by onnx.checker."""
    (folder / "config.yaml").write_text(
        f"name: it\nseed: 5\ndata: {data}\nmodel: {model}\n"
        "training: {batch_size: 4, steps: 100, optimizer: {rule: adam}, schedule: {learning_rate: 0.03}}\n")
    run(folder, "train", "config.yaml", "--run", "it", "--resume", "none", "--progress", "none")
    said = run(folder, "export", "it", "it.onnx")
    assert "inputs input" in said, said
    loaded = onnx.load(folder / "it.onnx")
    onnx.checker.check_model(loaded, full_check=True)
    facts = {entry.key: entry.value for entry in loaded.metadata_props}
    assert facts["step"] == "100" and loaded.producer_name == "Unroll", facts
    return loaded


def numbers(path):
    symbols = json.loads(path.read_text())["symbols"]
    return {symbol: i for i, symbol in enumerate(symbols)}


def log_softmax(logits):
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def streamed(model, symbols, parts):
    """The log-probabilities of the symbols after the first one, in so many calls with carried states."""
    runtime = session(model)
    states = {i.name: np.zeros([1, 1, i.shape[2]], np.float32) for i in runtime.get_inputs()[1:]}
    names = [output.name for output in runtime.get_outputs()]
    rows = []
    for part in np.array_split(np.array(symbols[:-1]), parts):
        if not len(part):
            continue
        found = dict(zip(names, runtime.run(None, {"input": part[:, None].astype(np.int64), **states})))
        states = {name: found[name.replace("0_", "n_")] for name in states}
        rows.append(found["logits"][:, 0])
    return log_softmax(np.concatenate(rows).astype(np.float64))[np.arange(len(symbols) - 1), symbols[1:]]


def text_difference(folder, model, scores):
    """The largest difference of a line's log-probability a symbol, in one call and in two."""
    number = numbers(folder / "it.vocabulary.json")
    worst = 0
    for expected, line in scores:
        symbols = [number[c] for c in "\n" + line + "\n"]
        for parts in (1, 2):
            found = streamed(model, symbols, parts).sum()
            worst = max(worst, abs(found - expected) / (len(symbols) - 1))
    return worst


def wrong_files(model):
    """The file with other gates, and with the other reset."""
    for node in model.graph.node:
        if node.op_type in ("LSTM", "GRU"):
            for name in node.input[1:3]:
                copy = onnx.ModelProto.FromString(model.SerializeToString())
                tensor = next(t for t in copy.graph.initializer if t.name == name)
                old = onnx.numpy_helper.to_array(tensor)
                hidden = next(a.i for a in node.attribute if a.name == "hidden_size")
                new = old.copy()
                new[:, :hidden], new[:, hidden:2 * hidden] = old[:, hidden:2 * hidden], old[:, :hidden]
                tensor.CopyFrom(onnx.numpy_helper.from_array(new, name))
                yield f"gates of {name} swapped", copy
        if node.op_type == "GRU":
            copy = onnx.ModelProto.FromString(model.SerializeToString())
            other = next(n for n in copy.graph.node if n.name == node.name)
            flag = next(a for a in other.attribute if a.name == "linear_before_reset")
            flag.i = 1 - flag.i
            yield "linear_before_reset turned", copy


def check_text(folder, description):
    (folder / "train.txt").write_text("\n".join(text(120, 1)) + "\n")
    lines = text(12, 2) + ["a", ""]
    model = export(folder, "{train: train.txt, valid: 0.1, tokenizer: character}", description)
    said = run(folder, "score", "it", input="\n".join(lines) + "\n")
    scores = [(float(row.split("\t")[0]), row.split("\t")[2]) for row in said.splitlines()]
    assert [line for _, line in scores] == lines
    found = text_difference(folder, model, scores)
    print(f"{found:.1e}  {description}")
    assert found < TOLERANCE, description
    for reason, wrong in wrong_files(model):
        difference = text_difference(folder, wrong, scores[:3])
        assert difference > 10 * TOLERANCE, f"{reason} makes a difference of {difference} only: {description}"


def check_sequences(folder, form, description):
    random = np.random.default_rng(3)
    words = [f"w{i}" for i in range(12)]
    sequences = [random.integers(0, 12, random.integers(2, 15)) for _ in range(80)]
    tags = [[int(w + i) % 3 for i, w in enumerate(s)] for s in sequences]

    def line(s, t):
        if form == "tags":
            return " ".join(f"{words[w]}|T{k}" for w, k in zip(s, t))
        return f"T{t[-1]}\t" + " ".join(words[w] for w in s)

    rows = [line(s, t) for s, t in zip(sequences, tags)]
    (folder / "train.txt").write_text("\n".join(rows[:60]) + "\n")
    (folder / "valid.txt").write_text("\n".join(rows[60:]) + "\n")
    model = export(folder, f"{{format: {form}, train: train.txt, valid: valid.txt}}", description)
    expected = json.loads(run(folder, "evaluate", "it", "--data", "valid.txt", "--json"))["loss"]
    number, kinds = numbers(folder / "it.vocabulary.json"), numbers(folder / "it.outputs.json")
    chosen = sequences[60:]
    lengths = np.array([len(s) for s in chosen], np.int32)
    padded = np.zeros([lengths.max(), len(chosen)], np.int64)
    for k, s in enumerate(chosen):
        padded[:len(s), k] = [number[words[w]] for w in s]
    logits, = session(model).run(["logits"], {"input": padded, "lengths": lengths})
    ln = log_softmax(logits.astype(np.float64))
    if form == "tags":
        losses = [-ln[t, k, kinds[f"T{tag}"]] for k in range(len(chosen)) for t, tag in enumerate(tags[60 + k])]
    else:
        losses = [-ln[k, kinds[f"T{tags[60 + k][-1]}"]] for k in range(len(chosen))]
    difference = abs(np.mean(losses) - expected)
    print(f"{difference:.1e}  {form} {description}")
    assert difference < TOLERANCE, description


def check_numbers(folder, description):
    random = np.random.default_rng(4)
    series = [random.normal(size=[random.integers(3, 12), 3]).round(3) for _ in range(40)]
    rows = [f"{k},{a},{b},{y}" for k, one in enumerate(series) for a, b, y in one]
    (folder / "train.csv").write_text("\n".join(["id,a,b,y"] + rows) + "\n")
    (folder / "valid.csv").write_text("\n".join(["id,a,b,y"] + rows[:150]) + "\n")
    model = export(
        folder, "{format: csv, train: train.csv, valid: valid.csv, "
        "columns: {inputs: [a, b], targets: [y], id: id}}", description)
    expected = json.loads(run(folder, "evaluate", "it", "--data", "valid.csv", "--json"))["loss"]
    runtime = session(model)
    numbers = np.array([[float(x) for x in row.split(",")] for row in rows[:150]])
    errors = []
    for k in np.unique(numbers[:, 0]):
        one = numbers[numbers[:, 0] == k]
        states = {i.name: np.zeros([1, 1, i.shape[2]], np.float32) for i in runtime.get_inputs()[1:]}
        found, = runtime.run(["predictions"], {"input": one[:, None, 1:3].astype(np.float32), **states})
        errors += list((found[:, 0, 0] - one[:, 3]) ** 2)
    difference = abs(np.mean(errors) - expected)
    print(f"{difference:.1e}  csv {description}")
    assert difference < TOLERANCE, description


def main():
    for description in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            check_text(pathlib.Path(folder), description)
    for form, description in SEQUENCES:
        with tempfile.TemporaryDirectory() as folder:
            check_sequences(pathlib.Path(folder), form, description)
    with tempfile.TemporaryDirectory() as folder:
        check_numbers(pathlib.Path(folder), "{layers: [{cell: gru, hidden: 6}, {cell: dense, hidden: 5}], shortcut: true}")
    print(f"{len(MODELS) + len(SEQUENCES) + 1} models agree within {TOLERANCE}")


main()
