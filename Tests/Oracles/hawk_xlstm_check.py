"""Compares Hawk and xLSTM in Hugging Face's form with transformers' own modules, in both directions.

    pip install torch transformers safetensors xlstm
    python Tests/Oracles/hawk_xlstm_check.py                 # with .build/release/unroll
    python Tests/Oracles/hawk_xlstm_check.py PROGRAM

Small models are trained for a few steps and exported; transformers loads the folder without a missing or an unexpected
tensor and finds the log-probabilities of `unroll score` within 1e-5 a symbol. Then transformers' own models with
random weights are saved, imported and scored in the same way, and exported again: every tensor has the numbers that it
had, but for the rounding of 1 + w in Hawk's norms. The tensors of an exported xLSTM also fill the xLSTMLarge of the package xlstm, which finds the same logits
within 1e-4.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

# tokenizers.py stands beside this file, and transformers must find the library of that name.
sys.path = [place for place in sys.path if pathlib.Path(place or ".").resolve() != pathlib.Path(__file__).resolve().parent]
import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".build/release/unroll")
TOLERANCE = 1e-5

HAWK_BLOCK = ("{mixer: {cell: rg-lru, hidden: 24, heads: 3, input_weights: false, in_projection: 24, conv: 3, "
              "gate: gelu_tanh, out_projection: true}, mlp: {kind: geglu_tanh, factor: 2.1}}")
XLSTM_BLOCK = ("{mixer: {cell: matrix-lstm, hidden: 15, heads: 3, key_width: 6, gate_cap: 0, out_projection: true, "
               "projection_bias: false}, mlp: {kind: swiglu, factor: 2.4, bias: false}}")
MODELS = [
    "{preset: hawk, width: 24, depth: 3}",
    "{preset: hawk, width: 20, depth: 2, embedding_scale: 4.46875, output: {soft_cap: 30}}",
    "{preset: hawk, width: 16, depth: 1, embedding_scale: sqrt, tied: false}",
    f"{{embedding: 24, layers: [{{block: {HAWK_BLOCK}, repeat: 2}}], tied: true, output_bias: false, "
    "final_norm: rmsnorm}",
    "{preset: xlstm-7b, width: 64, depth: 2}",
    "{preset: xlstm-7b, width: 30, depth: 3}",
    f"{{embedding: 14, layers: [{{block: {XLSTM_BLOCK}, repeat: 2}}], tied: true, output_bias: false, "
    "final_norm: rmsnorm}",
]


def theirs():
    """Models of transformers with random weights, all of odd sizes."""
    gemma = dict(
        vocab_size=256, block_types=["recurrent"], pad_token_id=None, bos_token_id=None, eos_token_id=None)
    yield transformers.RecurrentGemmaForCausalLM(transformers.RecurrentGemmaConfig(
        hidden_size=21, num_hidden_layers=3, num_attention_heads=7, intermediate_size=26, conv1d_width=5, **gemma))
    yield transformers.RecurrentGemmaForCausalLM(transformers.RecurrentGemmaConfig(
        hidden_size=10, num_hidden_layers=2, num_attention_heads=1, intermediate_size=58, logits_soft_cap=5.0,
        tie_word_embeddings=False, **gemma))
    long = dict(
        vocab_size=256, chunkwise_kernel="chunkwise--native_autograd", sequence_kernel="native_sequence__native",
        step_kernel="native", autocast_kernel_dtype="float32", pad_token_id=None, bos_token_id=None,
        eos_token_id=None)
    yield transformers.xLSTMForCausalLM(transformers.xLSTMConfig(
        hidden_size=28, num_hidden_layers=3, num_heads=7, ffn_round_up_to_multiple_of=8, **long))
    yield transformers.xLSTMForCausalLM(transformers.xLSTMConfig(
        hidden_size=9, num_hidden_layers=2, num_heads=3, qk_dim_factor=0.67, gate_soft_cap=2.5,
        output_logit_soft_cap=4.0, ffn_proj_factor=1.5, **long))


def lines(count, seed):
    random = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijkl "))
    return ["".join(letters[random.integers(0, 13, random.integers(1, 80))]) for _ in range(count)]


def run(folder, *arguments, **options):
    done = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def load(path):
    model, report = transformers.AutoModelForCausalLM.from_pretrained(path, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    return model.eval().float()


def logits(model, symbols):
    with torch.no_grad():
        return model(torch.tensor([symbols]), use_cache=False).logits[0].double()


def difference(folder, model, name):
    """The largest difference of a line's log-probability, a symbol, from that of `unroll score`."""
    texts = lines(10, 2) + ["a"]
    rows = run(folder, "score", name, input="\n".join(texts) + "\n").splitlines()
    worst = 0
    for row, text in zip(rows, texts, strict=True):
        symbols = list(b"\n" + text.encode() + b"\n")
        ln = torch.log_softmax(logits(model, symbols[:-1]), -1)
        found = ln[range(len(symbols) - 1), symbols[1:]].sum().item()
        worst = max(worst, abs(found - float(row.split("\t")[0])) / (len(symbols) - 1))
    return worst


def same_tensors(first, second):
    a, b = load_file(first), load_file(second)
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    for key in a:
        # 1 + w of a norm is rounded to a Float, and w comes from it again.
        rounding = 2.0 ** -23 if key.startswith("model.") and key.endswith("norm.weight") else 0
        assert (a[key] - b[key]).abs().max() <= rounding, f"{key} has other numbers"


def package_difference(path, own):
    """The largest difference of a logit from that of the package xlstm."""
    from xlstm.xlstm_large.model import xLSTMLarge, xLSTMLargeConfig
    facts = json.loads((path / "config.json").read_text())
    names = ["embedding_dim", "num_heads", "num_blocks", "vocab_size", "qk_dim_factor", "v_dim_factor",
             "ffn_proj_factor", "ffn_round_up_to_multiple_of", "gate_soft_cap", "output_logit_soft_cap", "norm_eps",
             "eps", "use_bias", "add_out_norm", "weight_mode", "mode", "chunkwise_kernel", "sequence_kernel",
             "step_kernel", "autocast_kernel_dtype", "inference_state_dtype"]
    model = xLSTMLarge(xLSTMLargeConfig(**{name: facts[name] for name in names})).eval()
    tensors = load_file(path / "model.safetensors")
    tensors["embedding.weight"] = tensors.pop("backbone.embeddings.weight")
    model.load_state_dict(tensors, strict=True)
    symbols = list(b"\nof the same numbers, and more than a chunk of sixty-four symbols in one line\n")
    with torch.no_grad():
        found = model(torch.tensor([symbols]))
    found = found[0] if isinstance(found, tuple) else found
    return (found[0].double() - logits(own, symbols)).abs().max().item()


def check_own(folder, description):
    (folder / "config.yaml").write_text(
        f"name: it\nseed: 5\ndata: {{train: train.txt, valid: 0.1, tokenizer: byte}}\nmodel: {description}\n"
        "training: {batch_size: 4, bptt: 32, steps: 30, optimizer: {rule: adam}, schedule: {learning_rate: 0.01}}\n")
    run(folder, "train", "config.yaml", "--run", "it", "--progress", "none")
    run(folder, "export", "it", "there", "--format", "huggingface")
    model = load(folder / "there")
    found = difference(folder, model, "it")
    print(f"{found:.1e}  {description}")
    assert found < TOLERANCE, description
    if "xlstm" in description or "matrix-lstm" in description:
        other = package_difference(folder / "there", model)
        print(f"{other:.1e}  the same in the package xlstm")
        assert other < 1e-4, description
    prompt = torch.tensor([list(b"\nab")])
    model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=5, do_sample=False, use_cache=False)
    again(folder, "there")


def again(folder, there):
    """Imports a folder, exports it, and compares every tensor."""
    (folder / "data.yaml").write_text("name: again\ndata: {train: train.txt, valid: 0.1, tokenizer: byte}\n"
                                      "training: {batch_size: 4, bptt: 32, steps: 1}\n")
    run(folder, "import", there, "data.yaml", "--run", "again")
    run(folder, "export", "again", "back", "--format", "huggingface")
    same_tensors(folder / there / "model.safetensors", folder / "back" / "model.safetensors")


def check_theirs(folder, model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Large enough for logits that differ, and gains that are not 1; the norm of transformers adds 1.
            spread = 0.2 if parameter.dim() == 1 else 0.5
            parameter.add_(torch.randn_like(parameter) * spread)
    model.eval().save_pretrained(folder / "there")
    again(folder, "there")
    found = difference(folder, model, "again")
    print(f"{found:.1e}  {type(model).__name__} of transformers")
    assert found < TOLERANCE


def main():
    torch.manual_seed(1)
    torch.set_num_threads(1)
    cases = [(check_own, model) for model in MODELS] + [(check_theirs, model) for model in theirs()]
    for check, model in cases:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "train.txt").write_text("\n".join(lines(200, 1)) + "\n")
            check(folder, model)
    print(f"{len(cases)} models agree within {TOLERANCE} a symbol")


main()
