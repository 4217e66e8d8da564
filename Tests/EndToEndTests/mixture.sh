#!/usr/bin/env bash
# A mixture of token shards with documents that reset states: a run that is killed in mid-epoch ends with
# the bytes of one that nothing happened to, and 1, 2 and 4 ranks have the same losses up to rounding.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

# shard FILE CHARACTERS SEED: the encoded form of a text, whose documents are lines.
config config.yaml
shard() {
  text "$2" "$3" >one.txt
  rm -rf cache one
  run 1 config.yaml --run one --set data="{train: one.txt, tokenizer: byte, document: line, cache: cache}" \
    --set evaluation.every=null --set evaluation.batch_size=null --set training.steps=1 --set checkpoint.every=1
  mkdir -p "$(dirname "$1")"
  mv cache/*.tokens "$1"
}
text 1500 2 >valid.txt
shard shards/a/0.tokens 3000 3
shard shards/a/1.tokens 2500 4
shard shards/b/0.tokens 4000 5

mixed=(--set "data.train=[{path: shards/a, weight: 0.7}, {path: shards/b/*, weight: 0.3}]")
mixed+=(--set data.tokenizer=byte --set data.valid=shards/b/0.tokens --set data.document=reset)
mixed+=(--set training.batch_size=8 --set training.steps=400)
for ranks in 1 2 4; do run "$ranks" config.yaml --run "whole-$ranks" "${mixed[@]}"; done
for ranks in 2 4; do
  paste <(losses whole-1) <(losses "whole-$ranks") | awk '
    { d = $2 - $4; if (d < 0) d = -d; if ($1 != $3 || d > 1e-3 * $2) bad = 1; n++ }
    END { exit bad || n != 400 }' || die "$ranks ranks have other losses than one"
done
grep -q '"epoch":2' whole-1/metrics.jsonl || die "the run has one epoch only"
grep -q '"valid_bits_per_byte"' whole-1/metrics.jsonl || die "no bits per byte"
pass "1, 2 and 4 ranks read a mixture with the same losses"

# A kill that comes when the last step is taken already tests nothing, and is tried again.
for ranks in 1 2; do
  killed=0
  for attempt in {1..8}; do
    folder=killed-$ranks-$attempt
    if [ "$ranks" -eq 1 ]; then start=(); else prepare_mpirun "$ranks" && start=("${mpirun_command[@]}" --quiet); fi
    OPENBLAS_NUM_THREADS=1 ${start[@]+"${start[@]}"} "$binary" train config.yaml --run "$folder" "${mixed[@]}" 2>log &
    pid=$!
    wait_for "$pid" has_lines "$folder/metrics.jsonl" $((RANDOM % 200 + 25)) || true
    victim=$pid
    if [ "$ranks" -eq 1 ] || victim=$(rank_of "$pid" $((RANDOM % ranks))); then
      kill -KILL "$victim" 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
    run "$ranks" config.yaml --run "$folder" "${mixed[@]}"
    same "$folder" "whole-$ranks" "a mixture on $ranks ranks, killed"
    if grep -q "^The run was complete" log; then continue; fi
    killed=$((killed + 1))
    if [ "$killed" -eq 2 ]; then break; fi
  done
  [ "$killed" -ge 1 ] || die "every kill came after the last step"
  pass "a mixture on $ranks ranks, killed $killed times in mid-epoch: the same bytes and metrics"
done

printf "a\\nb\\n" >words.txt
refused 65 "encoded with another vocabulary" train config.yaml --run other "${mixed[@]}" \
  --set data.tokenizer=./words.txt
