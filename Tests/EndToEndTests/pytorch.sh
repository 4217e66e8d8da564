#!/usr/bin/env bash
# The program of docs/pytorch.md, as it stands there, scores a line in PyTorch as unroll does.
set -euo pipefail
source "$(dirname "$0")/common.bash"
python=${UNROLL_PYTHON:-python3}
if ! "$python" -c 'import torch, safetensors' 2>/dev/null; then
  echo "skipped: $python has no torch and safetensors, which the program of docs/pytorch.md needs"
  exit 0
fi
text 6000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
cd "$work"
sed -n '/^## A program to paste/,/^## /{/^```python/,/^```/{/^```/d;p;}}' "$root/docs/pytorch.md" >paste.py
[ "$(wc -l <paste.py)" -ge 8 ] || die "docs/pytorch.md has no program"
under 1 train config.yaml --set 'model.layers=[{cell: lstm, hidden: 48}, {cell: lstm, hidden: 48}]' \
  --set training.steps=60 --run mine >said 2>log || die "$(cat log)"
under 1 export mine mine.safetensors >said 2>log || die "$(cat log)"
printf 'abcdef\n' >line
in_torch=$("$python" paste.py "abcdef")
own=$(under 1 score mine line 2>log | cut -f 1)
awk -v a="$in_torch" -v b="$own" 'BEGIN { d = a - b; exit !(a != "" && (d < 0 ? -d : d) < 1e-4) }' ||
  die "PyTorch finds $in_torch and unroll $own"
pass "the program of docs/pytorch.md finds the log-probability that score prints"
