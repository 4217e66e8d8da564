#!/usr/bin/env bash
# What is done with trained models of sequences: trees and fitted readouts are scored as while
# training, on any number of processes; series of numbers and pieces for a piano go on on their own.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

# sums PART: of the last line of metrics that has them; found: of a line of evaluate.
sums() {
  grep "\"$2_loss\"" "$1/metrics.jsonl" | tail -n 1 |
    grep -oE "\"$2_(loss|accuracy|root_accuracy)\":[^,}]*" | sed "s/$2_//" | sort
}
found() { grep -oE '"(loss|accuracy|root_accuracy)":[^,}]*' | sort; }
# near FILE OTHER LINES: so many figures of the same names, to 1e-6.
near() {
  [ "$(wc -l <"$1")" -eq "$3" ] && paste -d : "$1" "$2" | awk -F : '
    { d = $2 - $4; if (d < 0) d = -d; if ($1 != $3 || d > 1e-6 * ($2 < 0 ? -$2 : $2)) bad = 1 }
    END { exit bad }'
}

# The label of a tree is whether b or a is in it more often.
trees='a = pick(3); b = pick(3); c = pick(3); s = b + c - 2; t = a + s - 1
  s = s < 0 ? 0 : s == 0 ? 1 : 2; t = t < 0 ? 0 : t == 0 ? 1 : 2
  printf "(%d (%d %s) (%d (%d %s) (%d %s)))\n", t, a, substr("acb", a + 1, 1), s, b, substr("acb", b + 1, 1),
    c, substr("acb", c + 1, 1)'
draw 90 5 "$trees" >train.txt
draw 31 6 "$trees" >valid.txt
draw 43 7 "$trees" >test.txt
cat >tree.yaml <<END
data: {format: trees, view: nodes, train: train.txt, valid: valid.txt, test: test.txt}
model: {embedding: 7, tree: {cell: lstm, hidden: 9}}
training: {batch_size: 6, steps: 30, optimizer: {rule: adam}, schedule: {learning_rate: 0.01}}
evaluation: {every: 12}
END
run 2 tree.yaml --run tree
grep -q "90 trees for training" log || die "no trees: $(cat log)"
grep -q " labels/s" log || die "no labels: $(cat log)"
sums tree test >trained
best=tree/checkpoints/$(cat tree/checkpoints/best)
for ranks in 1 2; do
  for trees in 1 5; do
    under $ranks evaluate "$best" --part test --batch-size $trees --json | found >scored
    near trained scored 3 || die "$ranks processes, $trees trees: $(paste trained scored)"
  done
done
under 1 evaluate "$best" --data test.txt --json | found >scored
near trained scored 3 || die "the same file: $(paste trained scored)"
under 1 evaluate "$best" --part test | grep -qE "accuracy [0-9.]+ %, of roots [0-9.]+ %, 215 targets" ||
  die "the accuracy at roots is not said"
pass "evaluate: trees as at the end of a run, on one and two processes, in any batches"

# Readouts of symbols, of numbers and of labels.
draw 60 8 'm = 4 + pick(5); for (j = 0; j < m; j++) printf "%s%s", j ? " " : "", substr("abcd", 1 + (i + j) % 4, 1); print ""' >lines.txt
draw 40 9 'm = 5 + pick(6); k = 40 + pick(9); for (j = 0; j < m; j++) printf "%s%d,%d", j ? " | " : "", k + j % 4, k + 9; print ""' >pieces.txt
draw 30 3 'm = 9 + pick(6); for (j = 0; j < m; j++) printf "%d;%.4f;%.4f\n", i, sin(0.6 * j + i), cos(0.6 * j + i)' |
  { echo "run;x;y" && cat; } >rows.csv
reservoir='model={layers: [{cell: echo-state, hidden: 50, spectral_radius: 0.9}]}'
echo 'data: {format: lines, train: lines.txt, valid: 0.2}' >symbols.yaml
echo 'data: {format: csv, train: rows.csv, valid: 0.2, columns: {inputs: [y, x], targets: next, id: run, separator: ;}}' >numbers.yaml
echo 'data: {format: piano, train: pieces.txt, valid: 0.2}' >labels.yaml
for kind in symbols numbers labels; do
  run 2 $kind.yaml --set "$reservoir" --set 'training={batch_size: 4, readout: {ridge: 1e-4}}' --run fit-$kind
  sums fit-$kind valid >trained
  for ranks in 1 2; do
    under $ranks evaluate fit-$kind --part valid --batch-size 3 --json | found >scored
    near trained scored "$([ $kind = symbols ] && echo 2 || echo 1)" || die "$kind: $(paste trained scored)"
  done
done
pass "evaluate: readouts of symbols, numbers and labels as when they were fitted"

generate() { under 1 generate "$@"; }
generate fit-numbers --length 0 --prime rows.csv >copy
awk -F ';' 'NR > 1 { printf "%d;%.4f;%.4f\n", $1 - 1, $3, $2 }' copy | diff - <(tail -n +2 rows.csv) >&2 ||
  die "series come back as they were"
head -n 6 rows.csv >start.csv
generate fit-numbers --length 12 --prime start.csv >long
head -n 13 long >part.csv
generate fit-numbers --length 5 --prime part.csv >again
cmp long again || die "a series goes on as it began"
[ "$(wc -l <long)" -eq 18 ] || die "not 17 rows: $(cat long)"
# The series is a turning pointer, so a readout goes on with it.
tail -n +2 long | awk -F ';' '{ d = $3 - sin(0.6 * (NR - 1)); if (d * d > 0.01) exit 1 }' ||
  die "the series is another: $(cat long)"
generate fit-numbers --length 3 | tail -n +2 | grep -qE '^1;[-0-9.e]+;[-0-9.e]+$' || die "nothing to go on from"
pass "generate: a table goes on as it began, in the columns of the run's data"

head -n 2 pieces.txt >two.txt
generate fit-labels --length 9 --seed 5 --prime two.txt >five
[ "$(generate fit-labels --length 0 --prime pieces.txt)" = "$(cat pieces.txt)" ] || die "pieces come back as they were"
[ "$(cut -c 1-20 five)" = "$(cut -c 1-20 two.txt)" ] || die "what is read comes first"
[ "$(tr -cd '|\n' <five | awk '{ print length }' | paste -sd ' ')" = \
  "$(tr -cd '|\n' <two.txt | awk '{ print length + 9 }' | paste -sd ' ')" ] || die "not nine steps more: $(cat five)"
cmp five <(generate fit-labels --length 9 --seed 5 --prime two.txt) || die "one seed, two pieces"
! cmp -s five <(generate fit-labels --length 9 --seed 6 --prime two.txt) || die "two seeds, one piece"
generate fit-labels --length 0 --prime five | cmp - five || die "a piece is read as it was written"
pass "generate: pieces for a piano are drawn with the seed, and read again"

# Columns of targets that hold what the next row reads, and a series that says where it ends.
draw 40 6 'm = 3 + pick(2); for (j = 0; j < m; j++) printf "%d;%d;%d\n", i, j, j + 1' |
  { echo "run;x;next" && cat; } >ahead.csv
echo 'data: {format: csv, train: ahead.csv, columns: {inputs: [x], targets: [next], id: run, separator: ;}}' >ahead.yaml
ahead='model={layers: [{cell: gru, hidden: 12}], end: halt}'
run 2 ahead.yaml --set "$ahead" --set 'training={batch_size: 4, steps: 400, schedule: {learning_rate: 0.02}}' --run ahead
head -n 2 ahead.csv | cut -d ';' -f 1,2 >first.csv
generate ahead --length 50 --prime first.csv >told
[ "$(head -n 1 told)" = "run;x" ] || die "the columns that are read: $(cat told)"
awk -F ';' 'NR > 1 { d = $2 - (NR - 2); if (d * d > 0.1) exit 1 } END { exit NR < 4 || NR > 9 }' told ||
  die "0, 1, 2, … to 3 or 4: $(cat told)"
pass "generate: columns of targets that hold what the next row reads go on too, to their end"
under 1 evaluate ahead --data ahead.csv --free 1 --after 2 >line 2>log || die "evaluate: $(cat log)"
grep -q "nrmse free 1" line || die "nothing of the free run: $(cat line)"
pass "evaluate: they are measured as they go on, too"

# Numbers asked for in some rows, or once in the last.
tail -n +2 rows.csv | awk -F ';' -v OFS=';' '{ print $1, $2, NR % 3 == 1 ? $3 : "" }' |
  { echo "run;x;y" && cat; } >some.csv
tail -n +2 rows.csv | awk -F ';' -v OFS=';' 'NR > 1 { print p[1], p[2], $1 != p[1] ? p[3] : "" }
  { for (k = 1; k <= 3; k++) p[k] = $k } END { print p[1], p[2], p[3] }' | { echo "run;x;y" && cat; } >last.csv
for kind in some last; do
  echo "data: {format: csv, train: $kind.csv, valid: 0.2, columns: {inputs: [x], targets: [y], id: run, separator: ;}}" >$kind.yaml
  for ranks in 1 2; do
    run $ranks $kind.yaml --set 'model={layers: [{cell: gru, hidden: 7}]}' --run $kind-$ranks \
      --set 'training={batch_size: 4, steps: 12}'
    sums $kind-$ranks valid >trained
    [ $ranks -eq 1 ] && cp trained alone
    near alone trained 1 || die "$kind: one process, two processes: $(paste alone trained)"
    under $ranks evaluate $kind-1 --part valid --json >line
    found <line >scored
    near alone scored 1 || die "$kind, $ranks processes: $(paste alone scored)"
  done
done
grep -q '"targets":6}' line || die "not one answer for each of 6 series: $(cat line)"
grep -q ' sequences/s' log || die "series that ask once are not counted as such: $(cat log)"
code=0
under 1 evaluate last-1 --data some.csv 2>log || code=$?
[ $code -eq 64 ] && grep -q "predicts once per sequence" log || die "other rows: $code, $(cat log)"
pass "evaluate: numbers asked for in some rows or in the last, on one and two processes"

echo 'data: {format: csv, train: rows.csv, columns: {inputs: [x], targets: [y], id: run, separator: ;}}' >other.yaml
run 1 other.yaml --set "$reservoir" --set 'training={batch_size: 4, readout: {ridge: 1e-4}}' --run fit-other
refused 64 "does not predict its own next frame" generate fit-other
code=0
under 2 evaluate fit-other --data rows.csv --free 1 --after 1 >said 2>log || code=$?
[ $code -eq 64 ] && [ ! -s said ] && [ "$(grep -c "cannot run on its own outputs" log)" -eq 1 ] ||
  die "evaluate --free on two processes: $code, $(cat said log)"
refused 64 "give --prime FILE" generate fit-numbers --prompt a
refused 64 "give --prompt TEXT" generate fit-symbols --prime rows.csv
refused 64 "remove --top-k" generate fit-labels --top-k 3
refused 65 "names no column 'y'" generate fit-numbers --prime lines.txt
refused 65 "does not exist" generate fit-numbers --prime nowhere.csv
pass "generate: what cannot run on its own outputs is refused in one sentence"

# Pairs whose answers are as long as their sources: what a line is decoded to depends on that line alone.
draw 300 4 'm = 1 + pick(9); if (i % 40 == 3) m += 20; for (j = 0; j < m; j++) printf "%s%s", j ? " " : "", substr("abcdef", 1 + pick(6), 1); print ""' >source.txt
tr abcdef cdefab <source.txt >target.txt
cat >pairs.yaml <<END
data: {format: pairs, train: target.txt, valid: 0.2, source: {train: source.txt}}
model:
  embedding: 6
  encoder: {embedding: 5, layers: [{cell: gru, hidden: 11, bidirectional: concat}]}
  attention: multiplicative
  layers: [{cell: gru, hidden: 13}]
training: {batch_tokens: 90, epochs: 2, schedule: {learning_rate: 0.01}}
END
run 2 pairs.yaml --run pairs
head -n 130 source.txt >some.txt
tac some.txt >backwards.txt
for beam in 1 3; do
  under 1 decode pairs --source some.txt --beam $beam >together
  under 1 decode pairs --source backwards.txt --beam $beam | tac | cmp - together ||
    die "beam $beam: another order, other answers"
  head -n 9 some.txt | while IFS= read -r line; do echo "$line" | under 1 decode pairs --beam $beam; done |
    cmp - <(head -n 9 together) || die "beam $beam: a line alone, another answer"
  for ranks in 1 2 4; do
    under $ranks evaluate pairs --part valid --beam $beam --json | grep -oE '"measures":.*}' >measured
    [ $ranks -eq 1 ] && cp measured alone
    cmp alone measured || die "beam $beam, $ranks processes: $(cat alone measured)"
  done
done
awk '{ n = gsub(/ /, " ") + 1 } n > 12 { long++ } END { exit long == 0 }' together ||
  die "nothing that a greatest length could shorten: $(cat together)"
pass "decode: a line's answer depends on that line alone, and BLEU on no number of processes"

# The budget of training holds in evaluation.
sums pairs valid | grep loss >trained
for how in "" "--batch-size 7" "--batch-tokens 40"; do
  for ranks in 1 2; do
    # shellcheck disable=SC2086
    under $ranks evaluate pairs --part valid --beam 0 --json $how | found | grep loss >scored
    near trained scored 1 || die "evaluate $how, $ranks processes: $(paste trained scored)"
  done
done
code=0
under 1 evaluate pairs --part valid --batch-size 7 --batch-tokens 40 >said 2>log || code=$?
[ $code -eq 64 ] && grep -q "not both" log || die "two sizes of batches: $code, $(cat said log)"
pass "evaluate: within a budget of steps, a longer sequence alone, as without"

under 1 score pairs target.txt --source source.txt | cut -f 1 >scores
head -n 5 target.txt >few.txt
head -n 5 source.txt >few-sources.txt
under 1 score pairs few.txt --source few-sources.txt | cut -f 1 | paste -d : - <(head -n 5 scores) |
  awk -F : '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-4) exit 1 } END { exit NR != 5 }' ||
  die "lines have other likelihoods among others"
pass "score: lines side by side as alone"

# Translation in sub-words: the source is the target backwards, in capital letters.
draw 300 6 'm = 2 + pick(4); t = s2 = ""
  for (j = 0; j < m; j++) {
    w = substr("banana bandit canal candle", 1 + 7 * pick(4), 6); sub(/ .*/, "", w)
    t = t (j ? " " : "") w; s2 = toupper(w) (j ? " " : "") s2 }
  print t "\t" s2' >both.txt
cut -f 1 both.txt >said.txt
cut -f 2 both.txt >told.txt
for side in said told; do
  under 1 tokenizer train --kind bpe --size 280 --out $side.model $side.txt >/dev/null 2>log ||
    die "a model of $side.txt: $(cat log)"
done
cat >subwords.yaml <<END
data:
  {format: pairs, train: said.txt, valid: 0.1, tokenizer: said.model, source: {train: told.txt, tokenizer: told.model}}
model:
  embedding: 24
  dropout: 0.1
  encoder: {embedding: 24, layers: [{cell: gru, hidden: 24, bidirectional: concat}]}
  layers: [{cell: gru, hidden: 48}]
  attention: multiplicative
training: {batch_size: 30, steps: 240, optimizer: {rule: adam}, schedule: {learning_rate: 0.01}}
evaluation: {every: 60}
END
run 2 subwords.yaml --run subwords
run 2 subwords.yaml --run stopped --set training.steps=120
run 2 subwords.yaml --run stopped
same stopped subwords "a model of sub-words that goes on"
rm said.model told.model
head -n 6 told.txt | under 1 decode subwords >decoded 2>log || die "sub-words: $(cat log)"
cmp decoded <(head -n 6 said.txt) || die "sub-words: $(paste decoded said.txt | head -n 6)"
for ranks in 1 2; do
  under $ranks evaluate subwords --part valid --json | grep -oE '"bleu":[^,}]*' >measured
  [ $ranks -eq 1 ] && cp measured alone
  cmp alone measured || die "BLEU of sub-words, $ranks processes: $(cat alone measured)"
done
[ "$(sed 's/.*://' measured)" != 0 ] || die "BLEU of sub-words is 0"
pass "pairs in sub-words: resumed to the same bytes, translated as text without the models' files"
