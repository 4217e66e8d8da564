"""Makes metrics.json: corpus BLEU as sacrebleu finds it, and entities as seqeval counts them.

    python3 Tests/Oracles/metrics.py > Tests/Oracles/metrics.json

Made with sacrebleu 2.6.0 and seqeval 1.2.2, whose default counts as conlleval does.
"""

import json
import random

from sacrebleu.metrics import BLEU
from seqeval.metrics import f1_score, precision_score, recall_score

# Whole words and punctuation apart, as a corpus that was cut into tokens has them.
SENTENCES = """
a man in an orange hat starring at something .
a boston terrier is running on lush green grass in front of a white fence .
a girl in karate uniform breaking a stick with a front kick .
five people wearing winter jackets and helmets stand in the snow , with snowmobiles in the background .
people are fixing the roof of a house .
a guy works on a building .
the the the the the
""".strip().split("\n")


def changed(words, rate, random):
    """Words dropped, doubled, replaced and exchanged at a rate."""
    result = []
    for word in words:
        chance = random.random()
        if chance < rate / 4:
            continue
        if chance < rate / 2:
            result += [word, word]
        elif chance < 3 * rate / 4:
            result.append(random.choice(["a", "the", "man", "."]))
        elif chance < rate and result:
            result.insert(len(result) - 1, word)
        else:
            result.append(word)
    return result


def bleu_cases():
    generator = random.Random(1)
    cases = []
    for rate in [0, 0.1, 0.3, 0.6, 0.9]:
        references = [s.split() for s in SENTENCES]
        cases.append(([changed(r, rate, generator) for r in references], references))
    # Too short, no match of long runs, none at all, nothing predicted, too short for runs of four.
    cases.append(([["a", "man", "in"], ["a"]], [SENTENCES[0].split(), SENTENCES[5].split()]))
    cases.append(([["hat", "orange", "an", "in", "man", "a"]], [SENTENCES[0].split()]))
    cases.append(([["x", "y", "z", "u", "v"]], [SENTENCES[0].split()]))
    cases.append(([[]], [SENTENCES[0].split()]))
    cases.append(([["a", "guy"]], [["a", "guy"]]))
    cases.append(([["the"] * 9], [SENTENCES[6].split()]))
    cases.append(([["a", "guy", "works", "on", "it"], []], [SENTENCES[5].split(), ["no"]]))
    metric = BLEU(tokenize="none", force=True)
    return [
        {
            "predicted": predicted, "references": references,
            "score": metric.corpus_score(
                [" ".join(p) for p in predicted], [[" ".join(r) for r in references]]).score,
        }
        for predicted, references in cases
    ]


def tag_cases():
    generator = random.Random(2)
    tags = ["O", "O", "O", "I-PER", "I-PER", "B-PER", "I-ORG", "B-ORG", "I-LOC", "B-MISC"]
    cases = []
    for rate in [0, 0.1, 0.4, 1]:
        truth = [[generator.choice(tags) for _ in range(1 + k % 9)] for k in range(40)]
        predicted = [
            [generator.choice(tags) if generator.random() < rate else t for t in s] for s in truth]
        cases.append((predicted, truth))
    cases.append(([["O", "O"]], [["O", "I-PER"]]))
    return [
        {
            "predicted": predicted, "truth": truth,
            "precision": float(precision_score(truth, predicted, zero_division=0)),
            "recall": float(recall_score(truth, predicted, zero_division=0)),
            "f1": float(f1_score(truth, predicted, zero_division=0)),
        }
        for predicted, truth in cases
    ]


print(json.dumps({"bleu": bleu_cases(), "tags": tag_cases()}))
