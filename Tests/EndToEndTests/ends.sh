#!/usr/bin/env bash
# Models that say themselves where sequences end, by an output that halts and by a predicted length: lines of
# text and pairs, trained, resumed, evaluated, scored, drawn and decoded by the program.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

# near VALUE OTHER: the same to 1e-5.
near() {
  awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a != "" && d <= 1e-5 * (a < 0 ? -a : a)) }'
}
# told RUN: the last loss of the validation.
told() { grep '"valid_loss"' "$1/metrics.jsonl" | tail -n 1 | sed -E 's/.*"valid_loss":([^,}]*).*/\1/'; }

# Sources of 2 to 6 letters; what is made of one is its first letter and all of it, in capitals.
draw 60 5 'm = 2 + pick(5); for (j = 0; j < m; j++) printf "%s", substr("abcd", 1 + (i + j) % 4, 1); print ""' >source.txt
awk '{ print toupper(substr($0, 1, 1) $0) }' source.txt >target.txt
for part in source target; do
  head -n 45 $part.txt >$part-train.txt
  tail -n 15 $part.txt >$part-valid.txt
done
cat >training.yaml <<END
training: {batch_size: 6, steps: 24, optimizer: {rule: adam}, schedule: {learning_rate: 0.02}}
checkpoint: {every: 8}
evaluation: {every: 12}
END
cat >lines.yaml <<END
data: {format: lines, train: target-train.txt, valid: target-valid.txt, tokenizer: character}
model: {embedding: 6, dropout: 0.1, layers: [{cell: gru, hidden: 9}]}
END
cat >pairs.yaml <<END
data:
  format: pairs
  train: target-train.txt
  valid: target-valid.txt
  tokenizer: character
  source: {train: source-train.txt, valid: source-valid.txt, tokenizer: character}
model:
  {embedding: 6, dropout: 0.1, layers: [{cell: lstm, hidden: 9}], encoder: {embedding: 5, layers: [{cell: gru, hidden: 7}]}}
END

for end in halt length; do
  for kind in lines pairs; do
    made=$kind-$end
    options=("$kind.yaml" training.yaml --set "model.end=$end" --set "name=$made")
    run 1 "${options[@]}" --run "$made"
    run 2 "${options[@]}" --run "$made-two"
    paste <(losses "$made") <(losses "$made-two") | awk '
      { d = $2 - $4; if ($1 != $3 || d * d > 1e-6 * $2 * $2) bad = 1; n++ } END { exit bad || n != 24 }' ||
      die "$made on two processes: $(paste <(losses "$made") <(losses "$made-two"))"
    # Stopped after 13 steps and resumed, on each number of processes.
    for ranks in 1 2; do
      whole=$made$([ $ranks -eq 1 ] || echo -two)
      run $ranks "${options[@]}" --set training.steps=13 --run "$whole-again"
      run $ranks "${options[@]}" --run "$whole-again"
      cmp "$(latest "$whole")/model.safetensors" "$(latest "$whole-again")/model.safetensors" ||
        die "$whole: resumed, it is another"
      under $ranks evaluate "$(latest "$made")" --part valid --batch-size 4 --json >scored 2>log || die "$made: $(cat log)"
      near "$(told "$made")" "$(sed -E 's/.*"loss":([^,}]*).*/\1/' scored)" || die "$made: $(told "$made"), and $(cat scored)"
    done
  done
done
pass "train, resume, evaluate: ends by halting and by length, on one and two processes"

generate() { under 1 generate "$@"; }
for end in halt length; do
  made=lines-$end
  # The probability of a line is that of its symbols and its end, so those of all lines add up to the loss.
  under 1 score "$(latest "$made")" target-valid.txt >scores
  cut -f 3 scores | diff - target-valid.txt >&2 || die "$made: $(cat scores)"
  near "$(told "$made")" "$(awk '{ s -= $1; n += $2 } END { print s / n }' scores)" || die "$made: $(told "$made"), $(cat scores)"
  for seed in 1 2 3 4 5 6 7 8; do generate "$made" --seed $seed; done >drawn
  for seed in 1 2 3; do generate "$made" --seed $seed; done | cmp - <(head -n 3 drawn) || die "$made: one seed, two texts"
  [ "$(sort -u drawn | wc -l)" -gt 2 ] || die "$made: eight seeds, the same text: $(cat drawn)"
  generate "$made" --seed 3 --prompt AB | grep -q ^AB || die "$made: the prompt comes first"
done
# The longest line to train on has 7 letters.
awk 'length($0) > 7 { exit 1 }' drawn || die "longer than any that is predicted: $(cat drawn)"
printf 'ABCDABC\nABCDABCD\n' | under 1 score lines-length | cut -f 1 | paste -sd ' ' >scores
grep -qE '^-[0-9.]+ -inf$' scores || die "what cannot be said: $(cat scores)"
run 1 lines.yaml training.yaml --set model.end=length --set model.longest=9 --set name=longest --run longest
printf 'ABCDABCDA\nABCDABCDAB\n' | under 1 score longest | cut -f 1 | paste -sd ' ' >scores
grep -qE '^-[0-9.]+ -inf$' scores || die "model.longest is 9: $(cat scores)"
for seed in 1 2 3 4; do generate longest --seed $seed --prompt ABCDABC; done >drawn
awk 'length($0) < 7 || length($0) > 9 { exit 1 }' drawn || die "not 7 to 9 symbols: $(cat drawn)"
pass "score, generate: lines add up to the loss, one seed one text, no longer than model.longest"

for end in halt length; do
  made=pairs-$end
  for how in "--beam 1" "--beam 3" "--sample --seed 5"; do
    # shellcheck disable=SC2086
    under 1 decode "$made" $how --source source-valid.txt >said 2>log || die "$made $how: $(cat log)"
    # shellcheck disable=SC2086
    under 1 decode "$made" $how <source-valid.txt | cmp - said || die "$made $how: twice is another"
    [ "$(wc -l <said)" -eq 15 ] || die "$made $how: $(cat said)"
    [ $end = halt ] || awk 'length($0) > 7 { exit 1 }' said || die "$made $how is too long: $(cat said)"
  done
  ! under 1 decode "$made" --sample --seed 6 --source source-valid.txt | cmp -s - said || die "$made: two seeds, the same"
  under 1 decode "$made" --beam 1 --source source-valid.txt >greedy
  for how in "--temperature 0" "--top-k 1" "--top-p 1e-9"; do
    # Lengths are drawn with the temperature alone.
    [ $end = halt ] || [ "$how" = "--temperature 0" ] || continue
    # shellcheck disable=SC2086
    under 1 decode "$made" --sample $how --source source-valid.txt | cmp - greedy || die "$made $how: not the likeliest"
  done
  code=0
  under 1 decode "$made" --top-k 3 2>log </dev/null || code=$?
  [ "$code" -eq 64 ] && grep -q "need --sample" log || die "$made --top-k: $code, $(cat log)"
  refused 64 "use unroll decode" generate "$made"
done
pass "decode: greedy, by a beam and drawn, a line for each source"

for end in halt length; do
  made=pairs-$end
  # Given their sources, the lines add up to the loss too.
  under 1 score "$(latest "$made")" target-valid.txt --source source-valid.txt >scores
  cut -f 3 scores | diff - target-valid.txt >&2 || die "$made: $(cat scores)"
  near "$(told "$made")" "$(awk '{ s -= $1; n += $2 } END { print s / n }' scores)" || die "$made: $(told "$made"), $(cat scores)"
  tac source-valid.txt | under 1 score "$(latest "$made")" target-valid.txt --source /dev/stdin >others
  ! cmp -s scores others || die "$made: other sources, the same scores"
done
refused 64 "name the file with --source" score pairs-halt target-valid.txt
refused 64 "remove it" score lines-halt target-valid.txt --source source-valid.txt
refused 65 "give a source for each line" score pairs-halt target-valid.txt --source source-train.txt
pass "score: the lines of pairs, given their sources"

text 2000 3 >text.txt
refused 64 "this data is a running text" train training.yaml --set 'data={train: text.txt, valid: 0.1}' \
  --set 'model={embedding: 6, layers: [{cell: gru, hidden: 9}], end: halt}' --run never
refused 65 "raise model.longest" train lines.yaml training.yaml --set model.end=length --set model.longest=4 --run never
refused 64 "at most 7: give a" generate lines-length --prompt ABCDABCD
refused 65 "no module of PyTorch does" export lines-halt lines.safetensors
pass "what cannot be said of an end is refused in one sentence"
