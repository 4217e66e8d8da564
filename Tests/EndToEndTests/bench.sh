#!/usr/bin/env bash
# Measuring: every task on one and two processes, what is written for others, and what is refused.
set -euo pipefail
source "$(dirname "$0")/common.bash"

small=(--layers 2 --hidden 13 --embedding 9 --vocabulary 70 --batch-size 3 --bptt 7 --steps 3)
# number KEY: of a line of JSON on standard input.
number() { sed -nE "s/.*\"$1\":([-0-9.e+]+).*/\1/p"; }

for ranks in 1 2; do
  for task in train evaluate generate; do
    under $ranks bench "${small[@]}" --task $task --json >"$work/json" || die "$task on $ranks"
    [ "$(wc -l <"$work/json")" -eq 1 ] || die "more than one rank speaks: $(cat "$work/json")"
    [ "$(number ranks <"$work/json")" = $ranks ] || die "$(cat "$work/json")"
    [ "$(number steps <"$work/json")" = 3 ] || die "$(cat "$work/json")"
    for key in tokens_per_second gflops peak_gflops read_gigabytes_per_second; do
      awk -v x="$(number $key <"$work/json")" 'BEGIN { exit !(x > 0) }' || die "$task, $key: $(cat "$work/json")"
    done
  done
done
under 1 bench "${small[@]}" >"$work/words"
for word in model window speed arithmetic time memory start loss; do
  grep -q "^$word " "$work/words" || die "no $word in: $(cat "$work/words")"
done
pass "bench: every task is measured on one and two processes, in words and as JSON"

under 1 bench "${small[@]}" --json --write-text "$work/text" --write-weights "$work/weights" >"$work/json"
# 3 streams of 200,000 / 21 windows of 7 steps and a last target, 4 bytes a symbol.
[ "$(stat -c %s "$work/text")" -eq $((4 * 3 * (200000 / 21 * 7 + 1))) ] || die "the text has $(stat -c %s "$work/text") bytes"
grep -aq decoder.weight "$work/weights" || die "no weights in the file of weights"
text 6000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
under 1 bench "$work/config.yaml" --vocabulary 33 --steps 2 >"$work/words"
grep -q "lstm 48, dropout 0.2 → gru 40" "$work/words" || die "$(cat "$work/words")"
grep -q "33 symbols" "$work/words" || die "$(cat "$work/words")"
grep -q "7 streams × 16 steps" "$work/words" || die "$(cat "$work/words")"
pass "bench: the text and the weights are written, and a configuration is measured"

# kernels [VARIABLE=VALUE]: those that OpenBLAS uses.
kernels() { env -u OPENBLAS_CORETYPE "$@" "$binary" bench "${small[@]}" --json | sed -nE 's/.*"kernels":"([^"]*)".*/\1/p'; }
[ "$(kernels OPENBLAS_CORETYPE=Prescott)" = Prescott ] || die "the user's choice of kernels is not taken"
if grep -q ' avx2 ' /proc/cpuinfo && grep -q ' fma ' /proc/cpuinfo; then
  case $(kernels) in
    Haswell | Zen | SkylakeX | Cooperlake | SapphireRapids) ;;
    *) die "on a processor with AVX2 OpenBLAS uses kernels for $(kernels)" ;;
  esac
fi
pass "bench: OpenBLAS uses kernels for the vectors of this processor, or those that the user has chosen"

refused() {
  local code=0
  under 1 bench --steps 1 "$@" >"$work/out" 2>"$work/error" || code=$?
  [ $code -eq 64 ] || die "exit code $code of bench $*: $(cat "$work/error")"
  [ ! -s "$work/out" ] || die "bench $* prints: $(cat "$work/out")"
}
refused --hidden 0
refused --batch-size 0
refused --vocabulary 1
refused --cell lstn
refused --precision float16
refused --task training
refused --hidden 16777216 --layers 3
refused --task generate --hidden 16777216
refused "$work/config.yaml"
refused "$work/none.yaml"
under 1 bench "${small[@]}" --write-text /proc/unroll >/dev/null 2>"$work/error" && die "written into /proc"
[ "$(wc -l <"$work/error")" -eq 1 ] || die "not one sentence: $(cat "$work/error")"
pass "bench: what cannot be measured is refused with 64 and a sentence"
