"""Carries the weights of a run over to a vocabulary of other symbols, with numpy and safetensors alone.

    pip install numpy safetensors
    python revocabulary.py OLD NEW FILE.safetensors

OLD is the run with the weights, NEW a run of the same model with the new vocabulary, of one step or more. The file
gets the weights of OLD; of a symbol that both know, its rows of the embedding and of the output layer; of a symbol
that OLD does not know, the rows of NEW. `unroll train CONFIG --init-from FILE.safetensors` starts from it.
"""

import json
import pathlib
import sys

from safetensors.numpy import load_file, save_file


def read(run):
    """Returns the tensors of a run's latest checkpoint and the numbers of its symbols."""
    folder = pathlib.Path(run) / "checkpoints"
    folder = folder / (folder / "latest").read_text().strip()
    symbols = json.loads((folder / "vocabulary.json").read_text())["symbols"]
    return load_file(folder / "model.safetensors"), {symbol: index for index, symbol in enumerate(symbols)}


def main():
    if len(sys.argv) != 4:
        sys.exit("revocabulary.py: name two runs and a file: python revocabulary.py OLD NEW FILE.safetensors")
    (old, known), (new, wanted) = read(sys.argv[1]), read(sys.argv[2])
    both = [(wanted[symbol], known[symbol]) for symbol in wanted if symbol in known]
    for name, tensor in new.items():
        if name in ("encoder.weight", "decoder.weight", "decoder.bias"):
            for place, former in both:
                tensor[place] = old[name][former]
        elif name not in old or old[name].shape != tensor.shape:
            sys.exit(f"revocabulary.py: {name} is not the same in both: use the same model.")
        else:
            new[name] = old[name]
    save_file(new, sys.argv[3])
    print(f"{sys.argv[3]}: {len(both)} of {len(wanted)} symbols keep their rows")


if __name__ == "__main__":
    main()
