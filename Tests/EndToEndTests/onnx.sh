#!/usr/bin/env bash
# The program of docs/onnx.md, as it stands there, scores a line in ONNX Runtime as unroll does.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 6000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
cd "$work"
under 1 train config.yaml --set 'model.layers=[{cell: lstm, hidden: 48}, {cell: gru, hidden: 20}]' \
  --set training.steps=60 --run mine >said 2>log || die "$(cat log)"
refused 64 "--joined is for --format pytorch" export mine mine.onnx --joined
under 1 train config.yaml --set 'model.layers=[{cell: leaky, hidden: 9, alpha: 0.5}]' \
  --set training.steps=1 --run leaky >said 2>log || die "$(cat log)"
refused 65 "layer 0 is a leaky, for which ONNX has no operator" export leaky leaky.onnx
[ ! -e leaky.onnx ] || die "a refused model has a file"
under 1 export mine mine.onnx >said 2>log || die "$(cat log)"
grep -qx 'inputs input h0_0 c0_0 h0_1' said || die "$(cat said)"
grep -qx 'outputs hn_0 cn_0 hn_1 logits' said || die "$(cat said)"
pass "export writes an ONNX file, and refuses what ONNX lacks"
python=${UNROLL_PYTHON:-python3}
if ! "$python" -c 'import onnxruntime' 2>/dev/null; then
  echo "skipped: $python has no onnxruntime, which the program of docs/onnx.md needs"
  exit 0
fi
sed -n '/^## A program to paste/,/^## /{/^```python/,/^```/{/^```/d;p;}}' "$root/docs/onnx.md" >paste.py
[ "$(wc -l <paste.py)" -ge 8 ] || die "docs/onnx.md has no program"
printf 'abcdef\n' >line
in_onnx=$("$python" paste.py "abcdef")
own=$(under 1 score mine line 2>log | cut -f 1)
awk -v a="$in_onnx" -v b="$own" 'BEGIN { d = a - b; exit !(a != "" && (d < 0 ? -d : d) < 1e-4) }' ||
  die "ONNX Runtime finds $in_onnx and unroll $own"
pass "the program of docs/onnx.md finds the log-probability that score prints"
