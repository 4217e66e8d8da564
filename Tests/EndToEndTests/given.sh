#!/usr/bin/env bash
# What is given of sequences besides: what is known of each as a whole, by names and numbers, and
# frames of numbers for an encoder; trained on, drawn from, scored, decoded and evaluated, on any
# number of processes.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

# In each class another letter follows a letter.
draw 90 5 'k = pick(2); m = 4 + pick(5); printf "%s\t%d\t", k ? "up" : "down", m; c = pick(4)
  for (j = 0; j < m; j++) { printf "%s", substr("abcd", 1 + c % 4, 1); c += k ? 1 : 3 } print ""' >told.txt
echo 'data: {format: lines, train: told.txt, valid: 0.2, tokenizer: character, condition: {classes: [1], numbers: [2]}}' >told.yaml
model='model={embedding: 6, layers: [{cell: gru, hidden: 16}], condition_embedding: 3}'
training='training={batch_size: 6, steps: 300, optimizer: {rule: adam}, schedule: {learning_rate: 0.01}}'
for ranks in 1 2; do run $ranks told.yaml --set "$model" --set "$training" --run told-$ranks; done
loss() { grep '"valid_loss"' "$1/metrics.jsonl" | tail -n 1 | grep -oE '"valid_loss":[^,}]*' | cut -d : -f 2; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !(d * d < 1e-8) }'; }
near "$(loss told-1)" "$(loss told-2)" || die "one process, two processes: $(loss told-1) $(loss told-2)"
for ranks in 1 2; do
  under $ranks evaluate told-1 --part valid --json >line
  near "$(loss told-1)" "$(grep -oE '"loss":[^,}]*' line | cut -d : -f 2)" || die "evaluate: $(cat line)"
done
pass "train, evaluate: classes and numbers that lead lines, on one and two processes"

generate() { under 1 generate told-1 --seed 4 --temperature 0.5 "$@"; }
generate --condition up 8 >up
generate --condition down 8 >down
grep -qE 'ab|bc|cd|da' up && ! grep -qE 'ba|cb|dc|ad' up || die "not upwards: $(cat up)"
grep -qE 'ba|cb|dc|ad' down && ! grep -qE 'ab|bc|cd|da' down || die "not downwards: $(cat down)"
cmp up <(generate --condition up 8) || die "one seed, two texts"
refused 64 "'sideways' for column 1, which the model does not know; there are down, up" \
  generate told-1 --condition sideways 8
refused 64 "column 1 (down, up), then 1 number" generate told-1 --condition up
refused 64 "where a number stands" generate told-1 --condition up high
refused 64 "column 1 (down, up), then 1 number" generate told-1
pass "generate: a text of a class by its name"

under 1 score told-1 <(printf 'up\t4\tabcd\ndown\t4\tabcd\n') >scored
awk -F '\t' 'NR == 1 { a = $1 } NR == 2 { b = $1 } END { exit !(NR == 2 && a > b + 2) }' scored ||
  die "upwards is no likelier upwards: $(cat scored)"
echo abcd | under 1 score told-1 --condition up 4 | cut -f 1 >one
printf 'up\t4\n' >known
echo abcd | under 1 score told-1 --conditions known | cut -f 1 >two
cmp one two && cmp one <(head -n 1 scored | cut -f 1) || die "three ways, three figures: $(cat one two scored)"
printf 'sideways\t4\n' >known
refused 65 "there are down, up" score told-1 --conditions known told.txt
refused 65 "reads a condition" export told-1 x.safetensors
pass "score: conditions lead lines, or are told for all or in a table"

# A name of each frame's course, for an encoder that reads frames; and who speaks beside.
draw 60 8 'printf "%d\t%s\n", i, substr("upsatddip", 1 + 3 * pick(3), 3)' >words.txt
awk -F '\t' '{ k = $2 == "ups" ? 1 : $2 == "atd" ? 0 : -1
  for (t = 0; t < 3 + NR % 4; t++) printf "%d;%.2f;%.2f\n", $1, k * t / 3, k + NR % 3 / 9 }' words.txt |
  { echo "name;x;y" && cat; } >frames.csv
awk 'NR % 2 { print "eva,3"; next } { print "adam,4" }' words.txt >speakers.csv
cat >words.yaml <<END
data:
  format: pairs
  train: words.txt
  valid: 0.2
  tokenizer: character
  source: {format: csv, train: frames.csv, columns: {inputs: [x, y], id: name, separator: ;}}
  condition: {train: speakers.csv, classes: [1], numbers: [2]}
END
model='model={embedding: 6, encoder: {layers: [{cell: gru, hidden: 9, bidirectional: concat}]}, layers: [{cell: gru, hidden: 14}], attention: additive}'
for ranks in 1 2; do run $ranks words.yaml --set "$model" --set "$training" --run words-$ranks; done
near "$(loss words-1)" "$(loss words-2)" || die "one process, two processes: $(loss words-1) $(loss words-2)"
under 1 decode words-1 --source frames.csv --conditions speakers.csv >said
diff said words.txt >&2 || die "frames to words"
under 1 decode words-1 --source frames.csv --condition eva 3 --sample --seed 3 >drawn
[ "$(wc -l <drawn)" -eq 60 ] && cut -f 1 drawn | cmp - <(cut -f 1 words.txt) || die "drawn: $(head drawn)"
under 2 evaluate words-1 --data words.txt --source frames.csv --conditions speakers.csv --json >line
grep -q '"exact_match":1[,}.]' line || die "evaluate: $(cat line)"
under 1 score words-1 words.txt --source frames.csv --conditions speakers.csv >scored
[ "$(wc -l <scored)" -eq 60 ] && awk -F '\t' '$1 < -2 { exit 1 }' scored || die "score: $(head -n 3 scored)"
refused 64 "with --conditions" evaluate words-1 --data words.txt --source frames.csv
refused 64 "name their file with --source" decode words-1 --condition eva 3
printf 'name;x\n1;2\n' >short.csv
refused 65 "names no column 'y'" decode words-1 --source short.csv --condition eva 3
pass "decode, evaluate, score: frames of numbers to words, and who speaks"

run 1 words.yaml --set "$model" --set "${training/300/150}" --run part
run 2 words.yaml --set "$model" --set "$training" --run part
run 2 words.yaml --set "$model" --set "$training" --run whole
near "$(loss part)" "$(loss whole)" || die "stopped and resumed: $(loss part) $(loss whole)"
pass "train: frames and conditions go on after a stop"
