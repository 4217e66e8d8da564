#!/usr/bin/env bash
# A run of two processes, one of which is killed at a random step, and the same command again: the
# result has the same bytes as that of a run that nothing happened to.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 9000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"

under 2 train "$work/config.yaml" --run "$work/whole" 2>"$work/log" || die "a whole run: $(cat "$work/log")"

# A kill that comes when the last step is taken already tests nothing, and is tried again.
killed=0
for attempt in {1..12}; do
  run=$work/killed-$attempt step=$((RANDOM % 120 + 5)) victim=$((RANDOM % 2))
  prepare_mpirun 2
  "${mpirun_command[@]}" --quiet "$binary" train "$work/config.yaml" --run "$run" 2>"$work/log" &
  mpirun=$!
  wait_for "$mpirun" has_lines "$run/metrics.jsonl" "$step" || true
  if pid=$(rank_of "$mpirun" "$victim"); then kill -KILL "$pid" 2>/dev/null || true; fi
  code=0
  wait "$mpirun" || code=$?
  if [ "$code" -eq 0 ]; then continue; fi
  [ "$code" -eq 137 ] || die "mpirun returned $code after a kill"
  under 2 train "$work/config.yaml" --run "$run" 2>"$work/log" || die "after the kill: $(cat "$work/log")"
  same "$run" "$work/whole" "rank $victim killed about step $step"
  if grep -q "^The run was complete" "$work/log"; then continue; fi
  grep -q "^Resuming after step" "$work/log" || [ "$step" -lt 12 ] || die "began anew: $(cat "$work/log")"
  pass "rank $victim killed about step $step, resumed: the same bytes and metrics"
  killed=$((killed + 1))
  [ "$killed" -lt 3 ] || exit 0
done
die "only $killed of $attempt kills came before the end of the run"
