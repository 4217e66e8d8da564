"""Tiny tokenizer files with the numbers that their own libraries give texts, and a comparison of the
program with those libraries.

    python tokenizers.py                                  # writes tokenizers.json
    python tokenizers.py --check                          # makes it again and compares
    python tokenizers.py --compare UNROLL FILE TEXT...    # lines of texts and 10,000 random strings

Needs `pip install tokenizers tiktoken sentencepiece`, and rwkv (`--no-deps`) for --compare with a
vocabulary of RWKV World. The folder of this file must not be on the path of modules, since it is called
like one of them.
"""

import base64
import io
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != HERE]
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece  # noqa: E402
import tiktoken  # noqa: E402
import tokenizers  # noqa: E402
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers  # noqa: E402

GPT2 = (
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
)
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

CORPUS = [
    "The quick brown fox jumps over the lazy dog, and it doesn't know why the dog's asleep.",
    "def encode(text):\n    for i in range(10):\n        print(text[i], end='\\n')\n    return None",
    "Les élèves étudient à l'école; über den Wolken muss die Freiheit wohl grenzenlos sein.",
    "Она читает книгу, а мы слушаем музыку. Съешь же ещё этих мягких французских булок.",
    "日本語の文章を書くのは楽しいです。東京は大きい都市です。",
    "In 1991 and 2026 there were 12345 things: the others, the other ones, and another thing.",
] * 4

TEXTS = [
    "", " ", "a", "the", " the dog's  tail", "they'll, we've, I'm, he'd, you're; DON'T 'S 'Ll \u017f'\u017f",
    "one\n\ntwo\n\n\nthree  \n   four\t\tfive \r\n six\r", "12345678 1 22 333 4444\u00b2\u2167\u0663",
    "    def f(x):\n        return x + 1\n\n", "trailing   ", "\n  ", "  \n  \n  x", "!!!...???\n\n\n--",
    "Съешь ещё этих мягких булок", "日本語の文章、東京。", "e\u0301te\u0301 \u1e69 s\u0323\u0307 \uac00 \u1100\u1161\u11a8",
    "emoji 😀 👩‍👩‍👧 ¿qué? \u200b\u00a0\u2003\u3000x", "a<|endoftext|>b <|endoftext|>\u0338",
    "\u0000\u0001\u001f\u007f\u0085\u2028", "x" * 70, "ab" * 60 + " " * 40 + "y", "\U0010ffff\U000e0101\ufeff",
    # The blank of SentencePiece as a character beside blanks.
    "a \u2581 b\u2581 c \u2581\u2581 the  \u2581 dog\u2581the\u2581\n\u2581   \u2581x",
]


def byte_level(cl100k):
    made = tokenizers.Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not cl100k)
    made.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K), "isolated"), level])
        if cl100k
        else level
    )
    made.decoder = decoders.ByteLevel()
    if not cl100k:
        made.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    made.train_from_iterator(CORPUS, trainer)
    if not cl100k:
        made.add_tokens(["   ", "    "])
    return made


def alphabet():
    codes = [*range(33, 127), *range(161, 173), *range(174, 256)]
    found = {chr(c): c for c in codes}
    found |= {chr(256 + n): b for n, b in enumerate(b for b in range(256) if b not in codes)}
    return found


def ranks(made):
    letters = alphabet()
    found = {bytes([b]): b for b in range(256)}
    for left, right in json.loads(made.to_str())["model"]["merges"]:
        found.setdefault(bytes(letters[c] for c in left + right), len(found))
    return found


def world(found):
    lines = []
    for number, symbol in enumerate(found, 1):
        try:
            literal = repr(symbol.decode())
        except UnicodeDecodeError:
            literal = repr(symbol)
        lines.append(f"{number} {literal} {len(symbol)}\n")
    return "".join(lines)


def longest(found, text):
    text, ids, numbers = text.encode(), [], {s: n for n, s in enumerate(found, 1)}
    at = 0
    while at < len(text):
        end = next(e for e in range(len(text), at, -1) if text[at:e] in numbers)
        ids.append(numbers[text[at:end]])
        at = end
    return ids


def piece_model(**options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in CORPUS for line in text.split("\n")),
        model_writer=out, minloglevel=2, num_threads=1, **options)
    return out.getvalue()


def numbers():
    gpt2, cl100k = byte_level(False), byte_level(True)
    found = ranks(gpt2)
    tik = tiktoken.Encoding(
        "tiny", pat_str=GPT2, mergeable_ranks=found, special_tokens={"<|endoftext|>": len(found)})
    cases = []

    def case(name, contents, encode, decode, isBinary=False):
        ids = [encode(text) for text in TEXTS]
        cases.append({
            "name": name, "file": base64.b64encode(contents).decode() if isBinary else contents,
            "isBinary": isBinary, "ids": ids, "texts": [decode(i) for i in ids]})

    for name, made in (("gpt2", gpt2), ("cl100k", cl100k)):
        contents = made.to_str()
        if name == "cl100k":
            # Merges as older files have them.
            data = json.loads(contents)
            data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
            contents = json.dumps(data)
        case(
            f"{name}.json", contents, lambda t, m=made: m.encode(t, add_special_tokens=False).ids,
            lambda i, m=made: m.decode(i, skip_special_tokens=False))
    case(
        "ranks.tiktoken",
        "".join(f"{base64.b64encode(s).decode()} {n}\n" for s, n in found.items()),
        tik.encode_ordinary, tik.decode)
    symbols = [bytes([0]), *found]
    symbols = list(dict.fromkeys(symbols))
    lookup = {n: s for n, s in enumerate(symbols, 1)}
    case(
        "world.txt", world(symbols), lambda t: longest(symbols, t),
        lambda ids: b"".join(lookup[i] for i in ids).decode())
    forms = [
        ("plain-bpe", dict(
            model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity",
            add_dummy_prefix=False, remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True)),
        ("blank-bpe", dict(
            model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity",
            remove_extra_whitespaces=False)),
        ("joined-bpe", dict(
            model_type="bpe", vocab_size=420, byte_fallback=True, normalization_rule_name="identity",
            add_dummy_prefix=False, remove_extra_whitespaces=False, split_by_unicode_script=False,
            user_defined_symbols=["\t", "a b", "e, t"])),
        ("unknown-unigram", dict(
            model_type="unigram", vocab_size=140, normalization_rule_name="identity",
            user_defined_symbols=["<sep>"])),
    ]
    for name, options in forms:
        model = piece_model(**options)
        made = sentencepiece.SentencePieceProcessor(model_proto=model)
        case(f"{name}.model", model, made.encode, made.decode, isBinary=True)
    return {"texts": TEXTS, "cases": cases}


def random_strings(count):
    source = random.Random(7)
    found = []
    for _ in range(count):
        parts = []
        for _ in range(source.randint(1, 60)):
            kind = source.random()
            if kind < 0.35:
                parts.append(chr(source.randint(0x20, 0x7E)))
            elif kind < 0.5:
                parts.append(source.choice(" \t\r\u00a0\u2003'  "))
            elif kind < 0.6:
                parts.append(chr(source.randint(0x80, 0x24F)))
            elif kind < 0.85:
                parts.append(chr(source.randint(0x300, 0xD7FF)))
            elif kind < 0.92:
                parts.append(source.choice(["'s", "'ll", "<|endoftext|>", "   ", "123", "'S"]))
            else:
                code = source.randint(0xE000, 0x10FFFF)
                parts.append(chr(code))
        found.append("".join(parts))
    return found


def oracle(path):
    """The encoder and decoder of a file by its own library."""
    if path.endswith(".model"):
        made = sentencepiece.SentencePieceProcessor(model_file=path)
        return made.encode, made.decode
    if path.endswith(".json"):
        made = tokenizers.Tokenizer.from_file(path)
        return (
            lambda t: made.encode(t, add_special_tokens=False).ids,
            lambda i: made.decode(i, skip_special_tokens=False))
    if path.endswith(".tiktoken"):
        found = {
            base64.b64decode(s): int(n) for s, n in (line.split() for line in open(path, "rb"))}
        made = tiktoken.Encoding(
            "file", pat_str=GPT2, mergeable_ranks=found,
            special_tokens={"<|endoftext|>": len(found)})
        return made.encode_ordinary, made.decode
    from rwkv.rwkv_tokenizer import TRIE_TOKENIZER

    made = TRIE_TOKENIZER(path)
    return made.encode, made.decode


def compare(unroll, path, texts):
    encode, decode = oracle(path)
    wrong = 0
    for name in [*texts, None]:
        lines = (
            random_strings(10000) if name is None
            else open(name, encoding="utf-8", newline="").read().split("\n"))
        ids = [encode(line) for line in lines]
        shown = "".join(" ".join(map(str, i)) + "\n" for i in ids)
        text = "".join(line + "\n" for line in lines)
        said = subprocess.run(
            [unroll, "tokenizer", "encode", path], input=text.encode(), capture_output=True, check=True)
        got = said.stdout.decode().split("\n")[: len(lines)]
        bad = [i for i, line in enumerate(shown.split("\n")[:-1]) if line != got[i]]
        said = subprocess.run(
            [unroll, "tokenizer", "decode", path], input=shown.encode(), capture_output=True, check=True)
        back = "".join(decode(i) + "\n" for i in ids).encode()
        wrong += len(bad) + (said.stdout != back)
        print(
            f"{name or 'random strings'}: {len(lines)} lines, {sum(map(len, ids))} symbols, "
            f"{len(bad)} lines differ; decoded {'equal' if said.stdout == back else 'DIFFERENT'}")
        for i in bad[:3]:
            print("  ", ascii(lines[i])[:200])
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compare"]:
        sys.exit(compare(sys.argv[2], sys.argv[3], sys.argv[4:]))
    path = os.path.join(HERE, "tokenizers.json")
    made = json.dumps(numbers(), ensure_ascii=True, indent=None, separators=(",", ":")) + "\n"
    if sys.argv[1:2] == ["--check"]:
        sys.exit(0 if open(path).read() == made else "tokenizers.json is of other numbers")
    open(path, "w").write(made)
