#!/usr/bin/env bash
# Signals end a run with a checkpoint and exit code 75; the same command goes on to the same bytes.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 9000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"

# stopped NAME PID RUN: it ends with 75, and its last checkpoint is of the last step.
stopped() {
  local code=0 step
  wait "$2" || code=$?
  [ "$code" -eq 75 ] || die "$1: exit code $code; $(cat "$work/log")"
  step=$(losses "$3" | tail -n 1 | cut -d ' ' -f 1)
  [ "$(cat "$3/checkpoints/latest")" = "$(printf 'step-%08d' "$step")" ] ||
    die "$1: the last step is $step, the checkpoint $(cat "$3/checkpoints/latest")"
  grep -q "Stopped after step $step as asked" "$work/log" || die "$1: $(cat "$work/log")"
}

under 1 train "$work/config.yaml" --run "$work/whole-1" 2>"$work/log" || die "$(cat "$work/log")"
for signal in TERM INT USR1 HUP; do
  run=$work/$signal
  # Background processes of a shell ignore INT, those of nohup HUP; the program must not inherit that.
  env --default-signal=INT,HUP "$binary" train "$work/config.yaml" --run "$run" 2>"$work/log" &
  pid=$!
  wait_for "$pid" has_lines "$run/metrics.jsonl" $((RANDOM % 150 + 3)) || die "$(cat "$work/log")"
  kill "-$signal" "$pid"
  stopped "$signal" "$pid" "$run"
  under 1 train "$work/config.yaml" --run "$run" 2>"$work/log" || die "$(cat "$work/log")"
  same "$run" "$work/whole-1" "$signal"
  pass "SIG$signal to one process: 75, a checkpoint at the last step, and the same bytes after all"
done

# A program that was started to outlive its terminal goes on without it.
run=$work/nohup
env --ignore-signal=HUP "$binary" train "$work/config.yaml" --run "$run" 2>"$work/log" &
pid=$!
wait_for "$pid" has_lines "$run/metrics.jsonl" 3 || die "$(cat "$work/log")"
kill -HUP "$pid"
wait "$pid" || die "SIGHUP where it is ignored: $?, $(cat "$work/log")"
same "$run" "$work/whole-1" "SIGHUP where it is ignored"
pass "SIGHUP where it is ignored: nothing happens"

# Before the first step, while a text is encoded.
for _ in $(seq 400); do cat "$work/train.txt"; done >"$work/long.txt"
run=$work/early
"$binary" train "$work/config.yaml" --run "$run" --set data.train="$work/long.txt" 2>"$work/log" &
pid=$!
wait_for "$pid" test -e "$run/.lock" || die "$(cat "$work/log")"
kill -USR1 "$pid"
stopped "a signal before the first step" "$pid" "$run"
pass "SIGUSR1 while a text is encoded: 75 and a checkpoint"

UNROLL_BINARY=$binary "$root/launch/local" 2 "$work/config.yaml" --run "$work/whole-2" 2>"$work/log" ||
  die "$(cat "$work/log")"
run=$work/local
UNROLL_BINARY=$binary "$root/launch/local" 2 "$work/config.yaml" --run "$run" 2>"$work/log" &
pid=$!
wait_for "$pid" has_lines "$run/metrics.jsonl" $((RANDOM % 120 + 3)) || die "$(cat "$work/log")"
kill -TERM "$pid"
stopped "launch/local" "$pid" "$run"
UNROLL_BINARY=$binary "$root/launch/local" 2 "$work/config.yaml" --run "$run" 2>"$work/log" ||
  die "$(cat "$work/log")"
same "$run" "$work/whole-2" "launch/local"
pass "SIGTERM to launch/local with two processes: 75, a checkpoint, and the same bytes after all"
