"""Lets other programs run what Unroll exported, and compares them with Unroll.

    pip install numpy torch safetensors transformers==5.24.0 xllamacpp==2026.10.11549
    python Tests/Oracles/exchange.py .build/release/unroll
    python Tests/Oracles/exchange.py .build/release/unroll --tiny MODEL.bin LOGITS.bin --vocabulary FILE

The script trains small models of both presets for a few steps, on bytes that it makes itself, and exports each in every
format that has its network. llama.cpp (the library inside the package xllamacpp), transformers, and RWKV-7's equations in
numpy then read the files. Compared with Unroll are the log-probability of lines (`unroll score`) and a greedy
text of 100 bytes (`unroll generate`). Then every file is imported again, which must give the same weights.

With `--tiny`, the tiny RWKV-7 of rwkv.cpp, a file with the logits that it must give after the bytes `"in` (float32), is
imported, exported, and compared in the same way; all other programs must give these logits. With `--vocabulary` llama.cpp
cuts text with the vocabulary of an exported file, and must find the numbers of `unroll tokenizer encode`.
"""
import argparse
import ctypes
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np

# tokenizers.py beside this file is not the package that transformers imports.
sys.path.pop(0)
TOLERANCE = 1e-3
PROMPT = b"in "

# Of odd sizes: the width and the number of heads of each, so that a confused pair is found.
MODELS = {
    "mamba2": "{preset: mamba2, width: 12, depth: 2}",
    "mamba2-untied": "{preset: mamba2, width: 20, depth: 3, tied: false}",
    "mamba2-groups": (
        "{embedding: 14, tied: true, output_bias: false, final_norm: {kind: rmsnorm, eps: 1e-5}, layers: [{repeat: 2, "
        "block: {norm: {kind: rmsnorm, eps: 1e-5}, mixer: {cell: mamba2, hidden: 28, heads: 4, groups: 2, state: 24, "
        "kernel: 3, out_projection: true, projection_bias: false}}}]}"),
    "rwkv7": "{preset: rwkv7, width: 64, depth: 3}",
    "rwkv7-tied": (
        "{embedding: 128, embedding_norm: layernorm, final_norm: layernorm, tied: true, output_bias: false, layers: ["
        + ", ".join(
            "{block: {norm: layernorm, mixer: {cell: rwkv7, hidden: 128, heads: 2, input_weights: false, decay_rank: 5, "
            f"rate_rank: 7, gate_rank: 9, value_residual: {residual}, out_projection: true, projection_bias: false}}, "
            "mlp: {kind: squared_relu, factor: 3, bias: false, token_shift: true}}}" for residual in ["false", "true"])
        + "]}"),
}
SENTENCES = """The Unroll trainer's 3 layers, 4096 symbols; don't   stop!
Grüße aus Köln: 日本語 \U0001F642 {"key": [1, 2.5e-3]}
    for i in range(10):\tprint(i \\ 'x' "y")"""
FORMATS = {"mamba2": ["gguf", "huggingface"], "rwkv7": ["gguf", "rwkv"]}
SUFFIX = {"gguf": ".gguf", "huggingface": "", "rwkv": ".safetensors"}


# MARK: Unroll

class Unroll:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def __call__(self, *arguments, data=None):
        done = subprocess.run(
            [self.program, *map(str, arguments)], input=data, cwd=self.folder, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr.decode()}")
        return done.stdout

    def scores(self, run, lines):
        text = self("score", run, data=b"\n".join(lines) + b"\n")
        return [float(line.split(b"\t")[0]) for line in text.split(b"\n") if b"\t" in line]

    def greedy(self, run):
        text = self("generate", run, "--prompt", PROMPT.decode(), "--temperature", 0, "--length", 100)
        return text

    def weights(self, run):
        """The parameters of the run's latest checkpoint as bytes."""
        from safetensors import safe_open
        latest = max((self.folder / run / "checkpoints").glob("step-*"))
        with safe_open(latest / "model.safetensors", "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}


def log_probability(logits, text):
    """The sum of ln p of the bytes of a text after its first, from the logits after each byte."""
    logits = np.asarray(logits, np.float64)[:len(text) - 1]
    top = logits.max(axis=1, keepdims=True)
    normal = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float((logits[np.arange(len(text) - 1), list(text[1:])] - normal).sum())


# MARK: Other programs: each reads a file and gives the logits after every byte of a text

class Llama:
    """llama.cpp through its C interface. Structures are passed as memory that is larger than any of them."""

    class Memory(ctypes.Structure):
        _fields_ = [("words", ctypes.c_uint64 * 64)]

    library = None

    def __init__(self, path):
        if Llama.library is None:
            import xllamacpp
            Llama.library = ctypes.CDLL(str(next(pathlib.Path(xllamacpp.__file__).parent.glob("*.so"))))
            Llama.quiet = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(self.log)
            Llama.library.llama_log_set(Llama.quiet, None)
            Llama.library.llama_backend_init()
        call = Llama.library
        for name in ["llama_model_load_from_file", "llama_init_from_model", "llama_get_memory", "llama_model_get_vocab"]:
            getattr(call, name).restype = ctypes.c_void_p
        for name in ["llama_model_default_params", "llama_context_default_params", "llama_batch_get_one"]:
            getattr(call, name).restype = Llama.Memory
        call.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
        self.said = Llama.messages
        self.said.clear()
        self.model = ctypes.c_void_p(
            call.llama_model_load_from_file(str(path).encode(), call.llama_model_default_params()))
        assert self.model, f"llama.cpp does not read {path}: {b''.join(self.said).decode()}"
        self.vocabulary = ctypes.c_void_p(call.llama_model_get_vocab(self.model))
        self.count = call.llama_vocab_n_tokens(self.vocabulary)

    messages = []

    @staticmethod
    def log(level, text, _):
        Llama.messages.append(text)

    def context(self):
        parameters = Llama.library.llama_context_default_params()
        # n_ctx, n_batch, n_ubatch and n_seq_max, the first members.
        first = ctypes.cast(ctypes.pointer(parameters), ctypes.POINTER(ctypes.c_uint32))
        first[0] = first[1] = first[2] = 512
        first[3] = 1
        context = ctypes.c_void_p(Llama.library.llama_init_from_model(self.model, parameters))
        assert context, b"".join(self.said).decode()
        return context

    def logits(self, text):
        context, rows = self.context(), []
        for symbol in text:
            token = (ctypes.c_int32 * 1)(symbol)
            assert Llama.library.llama_decode(context, Llama.library.llama_batch_get_one(token, 1)) == 0
            row = Llama.library.llama_get_logits_ith(context, -1)
            rows.append(np.ctypeslib.as_array(row, (self.count,)).copy())
        Llama.library.llama_free(context)
        return np.stack(rows)

    def tokens(self, text):
        """The numbers that llama.cpp's own tokenizer gives a text."""
        found = (ctypes.c_int32 * 512)()
        count = Llama.library.llama_tokenize(self.vocabulary, text, len(text), found, 512, False, False)
        return found[:count]


class Transformers:
    def __init__(self, path):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.model, told = AutoModelForCausalLM.from_pretrained(path, output_loading_info=True)
        self.model.eval()
        assert not told["missing_keys"] and not told["unexpected_keys"], told

    def logits(self, text):
        with self.torch.no_grad():
            return self.model(self.torch.tensor([list(text)]), use_cache=False).logits[0].numpy()

    def tokens(self, text):
        return self.tokenizer(text.decode(), add_special_tokens=False).input_ids


class Equations:
    """RWKV-7 from the equations of Peng 2025, with the names of RWKV-LM."""

    def __init__(self, path):
        from safetensors.numpy import load_file
        self.p = {name: value.astype(np.float64) for name, value in load_file(path).items()}
        self.depth = 1 + max(int(name.split(".")[1]) for name in self.p if name.startswith("blocks."))

    def norm(self, x, name, groups=1, epsilon=1e-5):
        x = x.reshape(groups, -1)
        x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
        return x.reshape(-1) * self.p[name + ".weight"] + self.p[name + ".bias"]

    def time_mix(self, k, x, past, state, first):
        p = {name.split(".att.")[1]: value for name, value in self.p.items() if name.startswith(f"blocks.{k}.att.")}
        heads, size = p["r_k"].shape
        mixed = {c: x + p["x_" + c].reshape(-1) * (past - x) for c in "rwkvag"}
        logistic = lambda z: 1 / (1 + np.exp(-z))
        low = lambda c, f: f(mixed[c] @ p[c + "1"]) @ p[c + "2"]
        same = lambda z: z
        r = p["receptance.weight"] @ mixed["r"]
        key = p["key.weight"] @ mixed["k"]
        v = p["value.weight"] @ mixed["v"]
        w = np.exp(-math.exp(-0.5) * logistic(p["w0"].reshape(-1) + low("w", np.tanh)))
        a = logistic(p["a0"].reshape(-1) + low("a", same))
        g = low("g", logistic)
        if first is None:
            first = v
        else:
            v = v + (first - v) * logistic(p["v0"].reshape(-1) + low("v", same))
        removed = (key * p["k_k"].reshape(-1)).reshape(heads, size)
        removed /= np.maximum(np.linalg.norm(removed, axis=1, keepdims=True), 1e-12)
        key = key * (1 + (a - 1) * p["k_a"].reshape(-1))
        r, w, key, v, a = (z.reshape(heads, size) for z in (r, w, key, v, a))
        state = (
            state * w[:, None] - (state @ removed[:, :, None]) * (removed * a)[:, None]
            + v[:, :, None] * key[:, None])
        y = self.norm((state @ r[:, :, None]).reshape(-1), f"blocks.{k}.att.ln_x", heads, 64e-5)
        y = y + ((r * key * p["r_k"]).sum(axis=1, keepdims=True) * v).reshape(-1)
        return p["output.weight"] @ (y * g), state, first

    def logits(self, text):
        width = self.p["emb.weight"].shape[1]
        heads, size = self.p["blocks.0.att.r_k"].shape
        past = np.zeros((self.depth, 2, width))
        states, rows = np.zeros((self.depth, heads, size, size)), []
        for symbol in text:
            x, first = self.norm(self.p["emb.weight"][symbol], "blocks.0.ln0"), None
            for k in range(self.depth):
                read = self.norm(x, f"blocks.{k}.ln1")
                y, states[k], first = self.time_mix(k, read, past[k, 0], states[k], first)
                past[k, 0] = read
                x = x + y
                read = self.norm(x, f"blocks.{k}.ln2")
                mixed = read + self.p[f"blocks.{k}.ffn.x_k"].reshape(-1) * (past[k, 1] - read)
                past[k, 1] = read
                hidden = np.maximum(self.p[f"blocks.{k}.ffn.key.weight"] @ mixed, 0) ** 2
                x = x + self.p[f"blocks.{k}.ffn.value.weight"] @ hidden
            rows.append(self.p["head.weight"] @ self.norm(x, "ln_out"))
        return np.stack(rows)


READERS = {"gguf": Llama, "huggingface": Transformers, "rwkv": Equations}


# MARK: Comparisons

def compare(unroll, run, file, reader, lines):
    """Compares the log-probabilities of lines and a greedy text."""
    program = reader(file)
    worst = 0
    for line, own in zip(lines, unroll.scores(run, lines), strict=True):
        # Unroll reads the end of a line first, and counts the end of the line.
        text = b"\n" + line + b"\n"
        other = log_probability(program.logits(text), text)
        worst = max(worst, abs(own - other) / abs(other))
    text = bytearray(b"\n" + PROMPT)
    for _ in range(100):
        text.append(int(program.logits(bytes(text))[-1].argmax()))
    own = unroll.greedy(run)
    other = bytes(text[1:]).decode(errors="replace").encode()
    if other.strip() not in own and own.strip() not in other:
        sys.exit(f"{file} by {reader.__name__}: the greedy texts are {own} and {other}")
    print(f"{pathlib.Path(file).name:28} {reader.__name__:13} log-probabilities differ by {worst:.1e}, greedy text equal")
    if not worst < TOLERANCE:
        sys.exit(f"{file} by {reader.__name__} is another model")
    if reader is not Equations:
        written = "in the é,\n".encode()
        assert program.tokens(written) == list(written), program.tokens(written)


def compare_weights(unroll, run, other, container):
    """Compares the weights of a run and of one that was made from its export."""
    own, copy = unroll.weights(run), unroll.weights(other)
    assert own.keys() == copy.keys()
    for name, value in own.items():
        if container == "gguf" and name.endswith("A_log_l0"):
            # llama.cpp has −exp(A).
            assert np.allclose(value, copy[name], rtol=2e-7, atol=2e-7), name
        else:
            assert value.tobytes() == copy[name].tobytes(), name


def compare_vocabulary(unroll, vocabulary, name, line):
    """Compares the numbers that llama.cpp finds with the vocabulary of an exported file."""
    data = configuration(unroll.folder, "{preset: rwkv7, width: 64, depth: 1}", tokenizer=vocabulary, steps=1)
    unroll("train", data, "--run", name)
    unroll("export", name, name + ".gguf")
    program = Llama(unroll.folder / (name + ".gguf"))
    for text in line.split(b"\n"):
        own = [int(number) for number in unroll("tokenizer", "encode", vocabulary, data=text + b"\n").split()]
        other = program.tokens(text)
        assert own == other, (text, own, other)
    print(f"{name + '.gguf':28} {'Llama':13} {program.count} symbols of {vocabulary.name}: the same numbers")


def text(seed, count):
    """Words of which some often follow others, in lines."""
    source = random.Random(seed)
    words = ["in", "the", "a", "recurrent", "state", "of", "memory", "is", "kept", "é"]
    return b"\n".join(
        " ".join(words[(source.randrange(3) + k) % len(words)] for k in range(source.randrange(1, 9))).encode()
        for _ in range(count)) + b"\n"


def configuration(folder, model=None, tokenizer="byte", steps=20):
    section = f"model: {model}\n" if model else ""
    path = folder / ("model.yaml" if model else "data.yaml")
    path.write_text(
        f"data: {{train: {folder}/text.txt, valid: 0.1, tokenizer: {tokenizer}}}\n{section}"
        f"training: {{batch_size: 4, bptt: 16, steps: {steps}, optimizer: {{rule: adam}}, schedule: {{learning_rate: 0.01}}}}\n")
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("unroll", type=pathlib.Path)
    parser.add_argument("--tiny", type=pathlib.Path, nargs=2, metavar=("MODEL", "LOGITS"))
    parser.add_argument(
        "--vocabulary", type=pathlib.Path, action="append", default=[],
        help="a vocabulary of RWKV World or a tokenizer.json, for llama.cpp to have the same numbers of symbols")
    parser.add_argument("--only", help="the name of one model")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the files, instead of a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        (folder / "text.txt").write_bytes(text(1, 2000))
        unroll = Unroll(options.unroll.resolve(), folder)
        lines = text(2, 6).split(b"\n")[:-1] + [b"i", "Häuser und Straßen".encode()]
        data = configuration(folder)
        for name, model in MODELS.items():
            if options.only not in (None, name):
                continue
            unroll("train", configuration(folder, model), "--run", name)
            for container in FORMATS[name.split("-")[0]]:
                file = folder / (name + SUFFIX[container])
                file = file if SUFFIX[container] else folder / (name + "-hf")
                unroll("export", name, file, "--format", container)
                compare(unroll, name, file, READERS[container], lines)
                unroll("import", file, data, "--run", f"{name}-{container}")
                compare_weights(unroll, name, f"{name}-{container}", container)
        for k, vocabulary in enumerate(options.vocabulary):
            compare_vocabulary(unroll, vocabulary.resolve(), f"vocabulary-{k}", SENTENCES.encode())
        if options.tiny and options.only is None:
            model, logits = (path.resolve() for path in options.tiny)
            expected = np.fromfile(logits, np.float32)
            unroll("import", model, data, "--run", "tiny")
            for container in FORMATS["rwkv7"]:
                file = folder / ("tiny" + SUFFIX[container])
                unroll("export", "tiny", file, "--format", container)
                worst = np.abs(READERS[container](file).logits(b'"in')[-1] - expected).max()
                print(f"{file.name:28} {READERS[container].__name__:13} published logits differ by {worst:.1e}")
                assert worst < 1e-4
                compare(unroll, "tiny", file, READERS[container], lines)


if __name__ == "__main__":
    main()
