#!/usr/bin/env bash
# A rank that is stopped, or that no longer advances, ends its job in time; a job that is stopped whole does not end.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 9000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
limit=5
endless=(--set training.steps=1000000 --set watchdog="${limit}s")

# begin RUN: two ranks train without end; sets job and the process ids of the ranks.
begin() {
  prepare_mpirun 2
  "${mpirun_command[@]}" --quiet bash -c 'echo $$ >"$0.$OMPI_COMM_WORLD_RANK"; exec "$@"' "$1.pid" \
    "$binary" train "$work/config.yaml" --run "$1" "${endless[@]}" 2>"$work/log" &
  job=$!
  wait_for "$job" has_lines "$1/metrics.jsonl" 20 || die "$(cat "$work/log")"
  ranks=("$(cat "$1.pid.0")" "$(cat "$1.pid.1")")
}

# ended WHAT WORDS: the job ends with 79 in time, says WORDS once, and leaves no process.
ended() {
  local code=0 start=$SECONDS rank
  timeout 60 tail --pid="$job" -f /dev/null || die "$1: the job did not end"
  wait "$job" || code=$?
  [ "$code" -eq 79 ] || die "$1: exit code $code; $(cat "$work/log")"
  [ $((SECONDS - start)) -le $((limit + 25)) ] || die "$1: ended after $((SECONDS - start)) s"
  [ "$(grep -c "$2" "$work/log")" -eq 1 ] || die "$1: $(cat "$work/log")"
  for rank in "${ranks[@]}"; do
    if kill -0 "$rank" 2>/dev/null; then sleep 2; fi
    if kill -0 "$rank" 2>/dev/null; then die "$1: process $rank is left"; fi
  done
  pass "$1: exit code 79 after $((SECONDS - start)) s"
}

for rank in 1 0; do
  begin "$work/stop-$rank"
  kill -STOP "${ranks[$rank]}"
  ended "rank $rank is stopped" "nothing was heard of rank $rank on "
done

# A rank in the middle of something that does not end: a write of the root takes an hour.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
  begin "$work/stuck"
  strace -o /dev/null -e inject=write:delay_enter=3600s -e trace=write -p "${ranks[0]}" >/dev/null 2>&1 &
  tracer=$!
  # The tracer holds what it traces, whoever ends it.
  (tail --pid="$job" -f /dev/null; kill -9 "$tracer") >/dev/null 2>&1 &
  ended "rank 0 does not return from a write" "rank 0 on .* has not advanced for $limit s"
else
  echo "skip  a rank that lives and does not advance: strace may not trace here"
fi

# Time in which the whole job was stopped does not count.
begin "$work/whole"
kill -STOP "${ranks[@]}"
sleep $((limit + 4))
lines=$(lines_of "$work/whole/metrics.jsonl")
kill -CONT "${ranks[@]}"
wait_for "$job" has_lines "$work/whole/metrics.jsonl" $((lines + 50)) || die "$(cat "$work/log")"
kill -USR1 "$job"
code=0
wait "$job" || code=$?
[ "$code" -eq 75 ] || die "a job that went on: $code; $(cat "$work/log")"
pass "a job that was stopped whole goes on"
