"""Compares the JSON Schema of `unroll schema` with what the program accepts.

Usage: schema_check.py UNROLL FOLDER_OF_CONFIGURATIONS [COUNT]

Mutates the configurations until there are COUNT (200) that the program accepts and COUNT that it refuses
(`train --print-config`), and judges each by check-jsonschema (pip install check-jsonschema). Every
accepted one has to be valid. Of the refused ones, those that a schema cannot tell are counted by the
program's sentences.
"""
import collections
import copy
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

import yaml

binary, folder = sys.argv[1], sys.argv[2]
count = int(sys.argv[3]) if len(sys.argv) > 3 else 200
draw = random.Random(1)
names = {"cell", "rule", "shape", "task", "format", "preset", "tokenizer", "optimizer", "norm", "mlp"}


class Loader(yaml.SafeLoader):
    """Numbers as in YAML 1.2: 1e-3 is one."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", __import__("re").compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"))


def places(value, path=()):
    """The paths of all values."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, path + (key,))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def put(value, path, new):
    at(value, path[:-1])[path[-1]] = new


def mutate(config, others):
    config = copy.deepcopy(config)
    for _ in range(draw.choice([1, 1, 1, 2])):
        path = draw.choice(list(places(config)))
        old = at(config, path)
        kind = draw.randrange(9)
        if kind == 0 and isinstance(path[-1], str):
            del at(config, path[:-1])[path[-1]]
        elif kind == 1 and isinstance(old, dict):
            old[draw.choice(["hiden", "lr", "no_such_key", "epochs", "dropout"])] = 1
        elif kind == 2:
            put(config, path, draw.choice(["lstn", -1, 0, 2.5, True, [], {}, "adam", None]))
        elif kind == 3 and isinstance(old, (int, float)) and not isinstance(old, bool):
            put(config, path, draw.choice([old * 2, -old, old + 1, old / 2, str(old)]))
        elif kind == 4 and isinstance(old, str):
            put(config, path, draw.choice([old + "x", old[:-1], old.upper(), 3]))
        elif kind == 5 and path[-1] == "cell":
            put(config, path, draw.choice(["gru", "elman", "lstm", "min-gru", "jordan", "slstm"]))
        elif kind == 6:
            other = draw.choice(others)
            section = draw.choice(list(other))
            config[section] = copy.deepcopy(other[section])
        elif kind == 7 and isinstance(old, (int, float)) and not isinstance(old, bool) and old > 0:
            put(config, path, type(old)(max(1, old)))
        else:
            config["seed"] = draw.randrange(1000)
    return config


def judge(files):
    """The files that the schema refuses, with the first reason."""
    run = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "-o", "json", "--schemafile", schema, *files],
        capture_output=True, text=True)
    report = json.loads(run.stdout)
    found = {error["filename"]: error for error in report.get("errors", [])}
    found.update({error["filename"]: error for error in report.get("parse_errors", [])})
    return found


with tempfile.TemporaryDirectory() as work:
    schema = os.path.join(work, "schema.json")
    with open(schema, "wb") as file:
        file.write(subprocess.run([binary, "schema"], check=True, capture_output=True).stdout)
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--check-metaschema", schema], check=True,
        stdout=subprocess.DEVNULL)
    originals = sorted(glob.glob(folder + "/*.yaml"))
    refused = judge(originals)
    assert not refused, f"the schema refuses {refused}"
    configs = [yaml.load(open(path), Loader) for path in originals]
    groups = {True: [], False: []}
    sentences = {}
    seen = set()
    while min(len(group) for group in groups.values()) < count:
        config = mutate(draw.choice(configs), configs)
        text = json.dumps(config, sort_keys=True)
        if text in seen:
            continue
        seen.add(text)
        path = os.path.join(work, f"{len(seen)}.json")
        with open(path, "w") as file:
            file.write(text)
        run = subprocess.run(
            [binary, "train", path, "--print-config"], capture_output=True, text=True)
        assert run.returncode in (0, 64), run.stderr
        group = groups[run.returncode == 0]
        if len(group) < count:
            group.append(path)
            sentences[path] = run.stderr.strip()
    wrong = judge(groups[True])
    for path, error in wrong.items():
        print("accepted by the program, refused by the schema:", error["message"][:200], open(path).read()[:300])
    caught = judge(groups[False])
    missed = [path for path in groups[False] if path not in caught]
    kinds = collections.Counter()
    for path in missed:
        sentence = sentences[path].split(": ", 1)[-1].split(": ", 1)[-1]
        kinds[sentence[:110]] += 1
    for sentence, number in kinds.most_common():
        print(f"  {number} not told by the schema: {sentence}")
    print(
        f"{len(originals)} configurations and {count - len(wrong)} of {count} accepted ones are valid; "
        f"{len(caught)} of {count} refused ones are not, {len(missed)} break rules that the schema does not say")
    assert not wrong
    assert len(caught) >= count * 0.6, "the schema tells too little"
