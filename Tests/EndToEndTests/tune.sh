#!/usr/bin/env bash
# unroll tune: the better half goes on, a search goes on after any stop with the same result, what cannot be
# trained is left out, and a test of rates finds where the loss falls. unroll train --stop-at stops and resumes.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

text 6000 1 >words.txt
text 900 2 >other.txt
cat >small.yaml <<'YAML'
name: small
data: {train: words.txt, valid: other.txt}
model: {embedding: 8, layers: [{cell: gru, hidden: 16}]}
training:
  batch_size: 4
  bptt: 16
  steps: 24
  optimizer: {rule: adam}
  schedule: {learning_rate: 0.01, shape: cosine}
evaluation: {every: 6}
YAML

# Stopping at a step and going on is the run that was not stopped.
run 1 small.yaml --run whole
code=0
under 1 train small.yaml --run parts --stop-at 7 2>log || code=$?
[ "$code" -eq 75 ] && grep -q "Stopped after step 7 as asked" log || die "--stop-at: $code, $(cat log)"
code=0
under 1 train small.yaml --run parts --stop-at 7 2>log || code=$?
[ "$code" -eq 75 ] || die "--stop-at again: $code, $(cat log)"
run 1 small.yaml --run parts
same whole parts "after --stop-at"
code=0
under 2 train small.yaml --run ranks --stop-at 12 2>log || code=$?
[ "$code" -eq 75 ] && grep -q "Stopped after step 12 as asked" log || die "on two ranks: $code, $(cat log)"
pass "a run that stops at given steps is the one that does not"

over=(--over training.schedule.learning_rate=1e-4..1e-1:log --over 'training.optimizer={rule: adam},{rule: sgd}')
under 1 tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --run one >said 2>log || die "tune: $(cat log)"
[ "$(grep -c dropped said)" -eq 3 ] && [ "$(grep -c complete said)" -eq 1 ] || die "$(cat said)"
grep -q "^The best: one/trial-00" said || die "$(cat said)"
grep -q "After step 6 2 of 4 trials go on" log || die "$(cat log)"
[ "$(head -2 said | tail -1 | awk '{print $NF}')" = complete ] || die "the best is not the first: $(cat said)"
grep -q "<circle" one/tune.svg || die "no plot"
pass "the better half goes on"

# Again: nothing is trained, the same table. Killed in the middle: the same table.
under 1 tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --run one >again 2>log || die "again: $(cat log)"
cmp said again || die "the table changes: $(cat again)"
! grep -q "^trial" log || die "trials were run again: $(cat log)"
"$binary" tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --jobs 1 --run two >/dev/null 2>log &
search=$!
wait_for "$search" grep -q "^trial 2" log || die "the search ended by itself: $(cat log)"
code=0
kill -TERM "$search" && wait "$search" || code=$?
[ "$code" -eq 75 ] && grep -q "the same command goes on" log || die "stopped: $code, $(cat log)"
under 1 tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --run two >resumed 2>log || die "resumed: $(cat log)"
diff <(sed 's/one/two/' said) resumed || die "a search that was stopped ends differently"
under 1 tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --run one --json >json 2>log || die "$(cat log)"
if command -v python3 >/dev/null; then
  python3 -c 'import json; found = json.load(open("json")); assert len(found["trials"]) == 4 and found["best"]' ||
    die "$(cat json)"
fi
pass "a search goes on after a stop, and ends alike"

# One of the settings cannot be: it is left out. All cannot: the reason of the first.
under 1 tune small.yaml --over training.schedule.warmup=0,-1 --trials 2 --run part >said 2>log || die "$(cat log)"
grep -q failed said && grep -q complete said || die "$(cat said)"
grep -q "trial .: training.schedule.warmup=-1: failed: .*warmup" log || die "the reason is not told: $(cat log)"
refused 64 "part holds another search" tune small.yaml --over seed=1..9 --trials 2 --run part
refused 64 "warmup" tune small.yaml --over training.schedule.warmup=-2,-1 --trials 2 --run none
refused 64 "nothing is varied" tune small.yaml --run none
code=0
under 1 tune small.yaml --over seed=1..9 --trials 2 --halve-at 5 --run early >said 2>log || code=$?
[ "$code" -eq 64 ] && grep -q "no validation loss to compare up to step 5" log || die "$code, $(cat said log)"
refused 64 "write the first and the last rate" tune small.yaml --find-rate --rates 1..0.1 --run none
refused 64 "would do nothing" tune small.yaml --over seed=1..99 --set seed=3 --run none
refused 64 "only 2 combinations" tune small.yaml --over seed=1,2 --run none
refused 64 "is not before the end of the trials" tune small.yaml --over seed=1..9 --trials 2 --halve-at 24 --run none
refused 64 "has no effect on a run of 24 steps" train small.yaml --run none --stop-at 24
sed -i 's/steps: 24/steps: 30/' small.yaml
refused 64 "one holds another search" tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --run one
sed -i 's/steps: 30/steps: 24/' small.yaml
pass "what cannot be is left out or refused"

# Trials that diverge are never preferred. Epochs that are no whole number are trained to their end.
code=0
under 1 tune small.yaml --over training.schedule.learning_rate=0.01,1e38,0.02 --trials 3 --halve-at 6 --run wild \
  >said 2>log || die "diverging trials: $(cat log)"
[ "$(grep -c diverged said)" -eq 1 ] && [ "$(grep -c complete said)" -ge 1 ] || die "$(cat said)"
code=0
under 1 tune small.yaml --over training.schedule.learning_rate=1e37,1e38 --trials 2 --run wilder >said 2>log || code=$?
[ "$code" -eq 76 ] && grep -q "every trial diverged" log || die "$code, $(cat log)"
sed 's/steps: 24/epochs: 0.5/' small.yaml >half.yaml
under 1 tune half.yaml --over seed=1..9 --trials 2 --halve-at 12 --run half >said 2>log || die "epochs: $(cat log)"
run 1 half.yaml --run straight --set "$(sed -n 's/.*\(seed=[0-9]\).*/\1/p' said | tail -1)"
[ "$(awk '$NF == "complete" {print $(NF - 1)}' said)" = "$(metrics straight | grep -o '"step":[0-9]*' | tail -1 | cut -d: -f2)" ] ||
  die "half an epoch ends early: $(cat said)"

# A search that is killed leaves a trial behind; the same command says so, or waits for nothing and goes on.
"$binary" tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --jobs 1 --run three >/dev/null 2>log &
search=$!
wait_for "$search" grep -q "^trial 1" log || die "the search ended by itself: $(cat log)"
kill -KILL "$search"
wait "$search" 2>/dev/null || true
for _ in 1 2 3 4 5 6 7 8 9 10; do
  code=0
  under 1 tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --run three >resumed 2>log || code=$?
  [ "$code" -eq 77 ] || break
  sleep 0.5
done
[ "$code" -eq 0 ] || die "after a kill: $code, $(cat log)"
under 1 tune small.yaml "${over[@]}" --trials 4 --halve-at 6,12 --run one >said 2>log || die "again: $(cat log)"
diff <(sed 's/one/three/' said) resumed || die "a search that was killed ends differently"
pass "trials that diverge, parts of epochs, and a search that is killed"

under 1 tune small.yaml --find-rate --rate-steps 120 --run rates >said 2>log || die "--find-rate: $(cat log)"
grep -q "The loss falls fastest at a rate of" said || die "$(cat said)"
grep -q "<polyline" rates/rates.svg || die "no plot of rates"
[ ! -s log ] || die "$(cat log)"
under 1 tune small.yaml --find-rate --rate-steps 120 --run rates >again 2>log || die "again: $(cat log)"
cmp said again || die "the test changes"
sed '/^evaluation/d; s/, valid: other.txt//' small.yaml >alone.yaml
under 1 tune alone.yaml --find-rate --rate-steps 120 --run alone >said 2>log || die "without validation: $(cat log)"
refused 64 "holds a test of other rates" tune small.yaml --find-rate --rate-steps 99 --run rates
pass "a test of learning rates"
