#!/usr/bin/env bash
# What is done with a trained model: the same seed draws the same text, a score does not depend on the
# number of processes, and the lines of a text add up.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 6000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
run=$work/run
under 2 train "$work/config.yaml" --run "$run" 2>"$work/log" || die "$(cat "$work/log")"

draw() { under 1 generate "$run" --length 200 --prompt "abc" "$@"; }
[ "$(draw --seed 5)" = "$(draw --seed 5)" ] || die "one seed, two texts"
[ "$(draw --seed 5)" != "$(draw --seed 6)" ] || die "two seeds, one text"
[ "$(draw --temperature 0 --seed 5)" = "$(draw --temperature 0 --seed 6)" ] || die "the likeliest text needs no seed"
[ "$(draw --top-k 1)" = "$(draw --temperature 0)" ] || die "the likeliest of one"
[ "$(draw | head -c 3)" = abc ] || die "the prompt comes first"
pass "generate: the same seed draws the same text"

printf 'abc\nb\ncabcabca\n' >"$work/prompts"
several() { under 1 generate "$run" --prompts "$work/prompts" --count 2 --length 60 "$@"; }
several --batch-size 6 >"$work/together"
several --batch-size 4 >"$work/groups"
several --batch-size 1 <"$work/prompts" >"$work/alone"
cmp "$work/together" "$work/alone" || die "texts depend on those beside them"
cmp "$work/together" "$work/groups" || die "texts depend on the groups"
[ "$(grep -c '^======== [1-6]$' "$work/together")" -eq 6 ] || die "$(cat "$work/together")"
[ "$(under 1 generate "$run" --prompts - --length 60 --count 2 <"$work/prompts")" = "$(cat "$work/together")" ] ||
  die "prompts of standard input"
several --json >"$work/json"
[ "$(grep -c '"end":"length"' "$work/json")" -eq 6 ] || die "$(cat "$work/json")"
under 1 generate "$run" --prompt abc --length 300 --stop ab --json >"$work/json"
grep -q '"end":"stop"' "$work/json" || die "no stop: $(cat "$work/json")"
[[ $(under 1 generate "$run" --prompt abc --length 300 --stop ab) != abc*ab* ]] || die "the stop string is printed"
answers() { under 1 generate "$run" --interactive --length 20 --temperature 0 --stop X; }
[ "$(printf 'abc\n/reset\nabc\n' | answers | uniq | wc -l)" -eq 1 ] || die "/reset forgets nothing"
code=0
under 1 generate "$run" --interactive --prompt abc >"$work/out" 2>&1 || code=$?
[ "$code" -eq 64 ] || die "an interactive prompt: $code"
pass "generate: several texts at once are those alone; stop strings, JSON, conversations"

# number KEY: of a line of JSON on standard input.
number() { sed -nE "s/.*\"$1\":([-0-9.e+]+).*/\1/p"; }
# near A B TOLERANCE
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { d = a - b; exit !(a != "" && (d < 0 ? -d : d) <= t * (a < 0 ? -a : a)) }'; }

for streams in 1 3; do
  under 1 evaluate "$run" --data "$work/valid.txt" --batch-size $streams --json >"$work/one"
  under 2 evaluate "$run" --data "$work/valid.txt" --batch-size $streams --bptt 33 --json >"$work/two"
  [ "$(wc -l <"$work/two")" -eq 1 ] || die "more than one rank speaks: $(cat "$work/two")"
  near "$(number loss <"$work/one")" "$(number loss <"$work/two")" 1e-5 || die "$(cat "$work/one" "$work/two")"
  [ "$(number targets <"$work/one")" -eq $((1500 - streams)) ] || [ "$streams" -ne 1 ] || die "$(cat "$work/one")"
  [ "$(number targets <"$work/one")" -eq "$(number targets <"$work/two")" ] || die "$(cat "$work/one" "$work/two")"
done
trained=$(sed -nE 's/.*"valid_loss":([^,}]*).*/\1/p' "$run/metrics.jsonl" | tail -n 1)
under 1 evaluate "$run" --data "$work/valid.txt" --batch-size 3 --json >"$work/one"
near "$trained" "$(number loss <"$work/one")" 1e-5 || die "the last validation was $trained: $(cat "$work/one")"
pass "evaluate: the same on one and two processes, in any windows, and as while training"

printf '{"sentence_good": "abc", "sentence_bad": "cba"}\n{"sentence_good": "a", "sentence_bad": "a"}\n' >"$work/pairs.jsonl"
under 1 evaluate "$run" --task pairs "$work/pairs.jsonl" --json >"$work/one"
under 2 evaluate "$run" --task pairs "$work/pairs.jsonl" --json --batch-size 1 >"$work/two"
cmp -s "$work/one" "$work/two" || die "$(cat "$work/one" "$work/two")"
[ "$(number lines <"$work/one")" -eq 2 ] || die "$(cat "$work/one")"
pass "evaluate --task: the same on one and two processes"
for adapting in "--cache --cache-window 50" "--dynamic --dynamic-statistics 20"; do
  # shellcheck disable=SC2086
  under 1 evaluate "$run" --data "$work/valid.txt" --batch-size 2 --json $adapting >"$work/one"
  # shellcheck disable=SC2086
  under 2 evaluate "$run" --data "$work/valid.txt" --batch-size 2 --json $adapting >"$work/two"
  near "$(number loss <"$work/one")" "$(number loss <"$work/two")" 1e-5 || die "$(cat "$work/one" "$work/two")"
done
pass "evaluate --cache and --dynamic: the same on one and two processes"

# A line is read after an end of line, so as a text of its own it is what evaluate scores.
under 1 score "$run" "$work/valid.txt" >"$work/scores"
[ "$(wc -l <"$work/scores")" -eq "$(grep -c '' "$work/valid.txt")" ] || die "not a score for each line"
total=0
for line in 2 5 9; do
  sed -n "${line}p" "$work/valid.txt" >"$work/line"
  { echo; cat "$work/line"; } >"$work/text"
  under 1 evaluate "$run" --data "$work/text" --json >"$work/one"
  total=$(awk -v a="$(number loss <"$work/one")" -v n="$(number targets <"$work/one")" 'BEGIN { printf "%.6f", -a * n }')
  scored=$(sed -n "${line}p" "$work/scores")
  near "$total" "$(cut -f 1 <<<"$scored")" 1e-4 || die "line $line: $total and $scored"
  [ "$(cut -f 2 <<<"$scored")" = "$(number targets <"$work/one")" ] || die "line $line: $scored"
done
pass "score: a line has the probability that evaluate gives it"

# Weights out and in again in each form are the same network.
under 1 evaluate "$run" --data "$work/valid.txt" --batch-size 3 --json >"$work/one"
k=0
for form in "" "--joined" "--update-gate candidate" "--joined --update-gate candidate"; do
  k=$((k + 1))
  # shellcheck disable=SC2086
  under 1 export "$run" "$work/$k.safetensors" $form >"$work/out" || die "export $form"
  under 1 import "$work/$k.safetensors" "$work/config.yaml" --run "$work/in-$k" >"$work/out" 2>"$work/log" || die "$form: $(cat "$work/log")"
  under 1 evaluate "$work/in-$k" --data "$work/valid.txt" --batch-size 3 --json >"$work/two"
  near "$(number loss <"$work/one")" "$(number loss <"$work/two")" 1e-5 || die "$form: $(cat "$work/one" "$work/two")"
  # shellcheck disable=SC2086
  under 1 export "$work/in-$k" "$work/again.safetensors" $form >"$work/out" || die "export $form again"
  # The steps that the headers tell differ, and with them their lengths; numbers lie behind the headers.
  size=$(($(stat -c %s "$work/$k.safetensors") - $(od -An -N8 -tu8 "$work/$k.safetensors") - 8))
  cmp <(tail -c $size "$work/$k.safetensors") <(tail -c $size "$work/again.safetensors") || die "$form: other numbers"
done
cd "$work"
cmp 1.vocabulary.json "$(latest "$run")/vocabulary.json" || die "the vocabulary beside the weights"
refused 65 "layers.0.weight_l0 as \[192, 68\] and not \[196, 69\]" import 2.safetensors config.yaml --run in-5 \
  --set 'model.layers=[{cell: lstm, hidden: 49}, {cell: gru, hidden: 40}]'
refused 65 "multiply the candidate, and not the past" import 3.safetensors config.yaml --run in-6 --update-gate past
pass "export, import: the same network in four forms, with the same bits in each"
refused 64 "does not end with .safetensors" export "$run" model.bin
pass "export, import: the vocabulary is beside the weights, and another form is refused"

# What a model does not know is counted, by one rank, and a prompt of nothing else is refused.
sed 's/[abcdef]/é/g' valid.txt >foreign.txt
under 2 evaluate "$run" --data foreign.txt --batch-size 2 >said 2>log
grep -q "of 1500 symbols unknown" said || die "$(cat said)"
[ "$(grep -c "warning: in the text are" log)" -eq 1 ] || die "$(cat log)"
under 1 evaluate "$run" --data valid.txt >said 2>log
! grep -q unknown said log || die "all is known: $(cat said log)"
refused 64 "no symbol of the prompt" generate "$run" --prompt "ééé"
under 1 generate "$run" --prompt "éab" --length 5 >said 2>log
grep -q "1 of 3 symbols unknown (33.3 %)" log || die "$(cat log)"
printf '\357\273\277abc\r\n' | under 1 score "$run" >said 2>log
printf 'abc\n' | under 1 score "$run" 2>log | cmp - said || die "a byte order mark or a carriage return counts"
under 1 train config.yaml --set data.valid=foreign.txt --set training.steps=1 --set name=x --run known 2>log >said || die "$(cat log)"
[ "$(grep -c "warning: in data.valid" log)" -eq 1 ] || die "$(cat log)"
pass "symbols that the model does not know are told"

# The latest checkpoint or the best, and which it was.
under 1 generate "$run" --length 3 >said 2>log
grep -q "^from .*$(cat "$run/checkpoints/latest")\$" log || die "$(cat log)"
under 1 generate "$run" --best --length 3 >said 2>log
grep -q "^from .*$(cat "$run/checkpoints/best")\$" log || die "$(cat log)"
cp -r "$run" other && rm other/checkpoints/best
for command in generate "evaluate --data valid.txt" "score valid.txt" "checkpoint inspect" "export out.safetensors"; do
  # shellcheck disable=SC2086
  set -- $command
  case $1 in
    checkpoint) set -- checkpoint inspect other --best ;;
    export) set -- export other out.safetensors --best ;;
    score) set -- score other valid.txt --best ;;
    *) set -- "$1" other --best "${@:2}" ;;
  esac
  refused 65 "has no best checkpoint" "$@"
done
pass "--best takes the best checkpoint, and the command says which it took"

# Words of a new user.
refused 64 "did you mean .train" trian config.yaml
code=0
under 1 generate "$run" --temperature -1 >said 2>log || code=$?
[ "$code" -eq 64 ] && grep -q "must not be negative" log || die "$code, $(cat log)"
mkdir runs && cp -r "$run" runs/mine
refused 65 "give one of them, such as runs/mine" generate runs
"$root/launch/local" --help | grep -q "^Usage: launch/local" || die "launch/local --help"
pass "a new user's mistakes are told as what they are"
