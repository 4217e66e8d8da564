#!/usr/bin/env bash
# Builds the packages of docs/examples as a user does, each with its own Package.swift, and runs them: they write
# what their pages show. They share the build folder of this package, whose modules have the same options, so that
# only their own files are compiled. The numbers of docs/examples/python are those of unroll.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$work"

# What SwiftPM notes in the build folder about the package that was built last, to be put back.
(cd "$scratch" && find . release/ -maxdepth 1 -type f \( -name '*.json' -o -name '*.yaml' \) -print0 |
  tar -c --null -f "$work/notes.tar" -T -)
trap 'tar -xpf "$work/notes.tar" -C "$scratch"; cleanup' EXIT

# example NAME: builds docs/examples/NAME, with the versions of other packages that this one has.
example() {
  local folder=$root/docs/examples/$1
  cp "$root/Package.resolved" "$folder/Package.resolved"
  swift_build --disable-build-manifest-caching --package-path "$folder" --product "$1" >log 2>&1 ||
    die "$1 cannot be built: $(grep -E 'error:' log | head -n 20 || tail -n 20 log)"
}

# ran NAME ARGUMENTS…: runs it; its output is in said.
ran() {
  OPENBLAS_NUM_THREADS=1 timeout -k 5 60 "$scratch/release/$1" "${@:2}" >said 2>log || die "$1: $(cat said log)"
}

for name in training-loop own-cell; do
  example "$name"
  mkdir "$name"
  cd "$name"
  if [ -f "$root/docs/examples/$name/train.yaml" ]; then
    cp "$root/docs/examples/$name/train.yaml" .
    if [ ! -f /usr/share/common-licenses/GPL-3 ]; then
      text 35000 1 >text.txt
      sed -i 's|/usr/share/common-licenses/GPL-3|text.txt|' train.yaml
    fi
  fi
  ran "$name"
  shown "$root/docs/examples/$name/README.md" "$name" >wanted
  [ -s wanted ] || die "docs/examples/$name/README.md shows no output"
  if [ ! -f text.txt ]; then
    resembles wanted said || die "$name wrote $(cat said), and its README.md shows $(cat wanted)"
  fi
  cd "$work"
done
cd own-cell
ran own-cell
grep -q '^complete' said || die "own-cell does not resume: $(cat said)"
cd "$work"
pass "the examples training-loop and own-cell build, and write what their pages show"

text 6000 1 >train.txt
text 1500 2 >valid.txt
config config.yaml
sed -i 's/cell: gru/cell: lstm/' config.yaml
run 1 config.yaml --run mine --set training.steps=60
printf 'abcdef\nmnop\n' >lines
under 1 score mine lines >scores 2>log || die "$(cat log)"

example inference
cat >trap.c <<'END'
#include <stdlib.h>
#include <unistd.h>
static int end(void) { write(2, "MPI starts\n", 11); _exit(42); }
int MPI_Init(int *count, char ***arguments) { return end(); }
int MPI_Init_thread(int *count, char ***arguments, int wanted, int *provided) { return end(); }
END
clang -shared -fPIC -Wno-unused-result trap.c -o trap.so 2>log || die "$(cat log)"
prepare_mpirun 2
if LD_PRELOAD=$work/trap.so timeout 60 "${mpirun_command[@]}" -x LD_PRELOAD "$binary" doctor >said 2>log ||
  ! grep -q 'MPI starts' log; then die "MPI starts unseen: $(cat said log)"; fi
LD_PRELOAD=$work/trap.so ran inference mine abcdef mnop
[ "$(grep -c '^continued: ' said)" -eq 2 ] || die "inference continues nothing: $(cat said)"
awk -F '\t' 'NR == FNR { own[FNR] = $1; next }
  /^log-probability/ { split($0, part, " "); d = part[2] - own[++n]; if (d < -1e-4 || d > 1e-4) exit code = 1 }
  END { exit code || n != 2 }' scores said || die "unroll score and inference differ: $(cat scores said)"
pass "the example inference has the log-probabilities of unroll score, and does not start MPI"

python=${UNROLL_PYTHON:-python3}
if ! "$python" -c 'import numpy, safetensors' 2>/dev/null; then
  echo "skip  docs/examples/python: $python has no numpy and safetensors"
  exit 0
fi
"$python" "$root/docs/examples/python/score.py" mine lines >said || die "score.py fails"
awk -F '\t' 'NR == FNR { own[FNR] = $1; next }
  { d = $1 / own[FNR] - 1; if (d < -1e-5 || d > 1e-5 || own[FNR] == "") exit code = 1; n++ } END { exit code || n != 2 }' \
  scores said || die "unroll score and score.py differ: $(cat scores said)"
pass "docs/examples/python/score.py has the log-probabilities of unroll score"

text 3000 3 | tr a-e A-E >other.txt
under 1 train config.yaml --run fresh --set data.train=other.txt --set data.valid=other.txt --stop-at 1 2>log ||
  [ $? -eq 75 ] || die "$(cat log)"
"$python" "$root/docs/examples/python/revocabulary.py" mine fresh start.safetensors >said || die "revocabulary.py fails"
run 1 config.yaml --run moved --init-from start.safetensors --set data.train=other.txt --set data.valid=other.txt \
  --set training.schedule.learning_rate=1e-12 --set training.steps=1
"$python" - "$(latest mine)" "$(latest moved)" <<'END' || die "rows of symbols are not those of the old run"
import json, sys
from safetensors.numpy import load_file
(old, a), (new, b) = [
    (load_file(f + "/model.safetensors"), json.load(open(f + "/vocabulary.json"))["symbols"]) for f in sys.argv[1:]]
both = [s for s in b if s in a]
assert 5 < len(both) < len(b), (a, b)
for name in ("encoder.weight", "decoder.weight", "decoder.bias"):
    assert all(abs(old[name][a.index(s)] - new[name][b.index(s)]).max() < 1e-6 for s in both), name
END
pass "docs/examples/python/revocabulary.py carries weights over to other symbols"
