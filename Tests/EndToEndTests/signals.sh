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

# Before the first step there is nothing to save, whatever is being done: here a text is encoded.
for _ in $(seq 4000); do cat "$work/train.txt"; done >"$work/long.txt"
long=(--set data.train="$work/long.txt" --set training.steps=20)
under 1 train "$work/config.yaml" --run "$work/whole-long" "${long[@]}" 2>"$work/log" || die "$(cat "$work/log")"
for ranks in 1 2; do
  run=$work/early-$ranks code=0
  UNROLL_BINARY=$binary "$root/launch/local" "$ranks" "$work/config.yaml" --run "$run" "${long[@]}" 2>"$work/log" &
  pid=$!
  wait_for "$pid" test -e "$run/data" || die "$(cat "$work/log")"
  sleep 0.2
  kill -TERM "$pid"
  wait "$pid" || code=$?
  [ "$code" -eq 75 ] || die "while a text is encoded: $code, $(cat "$work/log")"
  [ "$(grep -c '^Stopped before a step was taken' "$work/log")" -eq 1 ] || die "$(cat "$work/log")"
  [ ! -e "$run/metrics.jsonl" ] || die "it was not stopped while the text was encoded"
  if find "$run" -name '*.tmp*' | grep .; then die "something is left of a file that was not finished"; fi
done
under 1 train "$work/config.yaml" --run "$work/early-1" "${long[@]}" 2>"$work/log" || die "$(cat "$work/log")"
same "$work/early-1" "$work/whole-long" "stopped while a text was encoded"
rm "$work/long.txt"
pass "SIGTERM while a text is encoded, to one process and to two: 75, nothing left, and the same bytes after all"

# In the midst of an evaluation, and of the test at the end.
for _ in $(seq 800); do cat "$work/valid.txt"; done >"$work/long.txt"
for ranks in 1 2; do
  for part in valid test; do
    set=(--set training.steps=24 --set evaluation.every=15 --set evaluation.batch_size="$ranks"
      --set data.$part="$work/long.txt")
    where=evaluation
    # Lines before it: steps, and of the test evaluations after the steps 15 and 24.
    lines=15 words="Stopped after step 15 as asked"
    if [ "$part" = test ]; then lines=26 words="Stopped in the test" where=test; fi
    UNROLL_BINARY=$binary "$root/launch/local" "$ranks" "$work/config.yaml" \
      --run "$work/whole-$part-$ranks" "${set[@]}" 2>"$work/log" || die "$(cat "$work/log")"
    run=$work/$part-$ranks code=0
    UNROLL_BINARY=$binary "$root/launch/local" "$ranks" "$work/config.yaml" --run "$run" "${set[@]}" 2>"$work/log" &
    pid=$!
    wait_for "$pid" has_lines "$run/metrics.jsonl" "$lines" || die "$(cat "$work/log")"
    kill -TERM "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq 75 ] || die "in the $where: $code, $(cat "$work/log")"
    grep -q "$words" "$work/log" || die "in the $where: $(cat "$work/log")"
    [ "$(lines_of "$run/metrics.jsonl")" -eq "$lines" ] || die "the $where was finished before the end"
    UNROLL_BINARY=$binary "$root/launch/local" "$ranks" "$work/config.yaml" --run "$run" "${set[@]}" 2>"$work/log" ||
      die "$(cat "$work/log")"
    same "$run" "$work/whole-$part-$ranks" "stopped in the $where"
    pass "SIGTERM in the midst of the $where, $ranks rank(s): 75, and the same bytes after all"
  done
done

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

# mpirun and the launcher itself may be killed: nothing is left in shared memory.
for victim in mpirun local; do
  run=$work/killed-$victim
  UNROLL_BINARY=$binary TMPDIR=$work "$root/launch/local" 2 "$work/config.yaml" --run "$run" \
    --set training.steps=100000000 2>"$work/log" &
  pid=$!
  wait_for "$pid" has_lines "$run/metrics.jsonl" 5 || die "$(cat "$work/log")"
  for mpirun in $(cat "/proc/$pid/task/$pid/children"); do
    if rank=$(rank_of "$mpirun" 0); then break; fi
  done
  processes=("$mpirun" "$rank" "$(rank_of "$mpirun" 1)")
  folder=$(sed -nE 's|.* (/dev/shm/unroll-job-[^/]*)/.*|\1|p' "/proc/$rank/maps" | head -n 1)
  [ -d "$folder" ] || die "the ranks share no folder of the job"
  if [ "$victim" = mpirun ]; then kill -KILL "$mpirun"; else kill -KILL "$pid"; fi
  wait "$pid" 2>/dev/null || true
  left=()
  for _ in $(seq 50); do
    left=()
    for path in "$folder" "${processes[@]/#//proc/}"; do
      if [ -e "$path" ]; then left+=("$path"); fi
    done
    if [ ${#left[@]} -eq 0 ]; then break; fi
    sleep 0.1
  done
  [ ${#left[@]} -eq 0 ] || die "$victim killed: ${left[*]} left"
  if find "$work" -maxdepth 1 -name 'unroll-marks-*' | grep .; then die "$victim killed: a folder of marks is left"; fi
done
pass "SIGKILL to mpirun or to launch/local: no process and no file is left"

# A job that has saved and does not come to its end is ended, and can be resumed all the same.
cat >"$work/slow" <<END
#!/usr/bin/env bash
trap 'kill -USR1 "\$child"' USR1
"$binary" "\$@" &
child=\$!
until wait "\$child"; [ \$? -lt 128 ]; do :; done
read -r -t 60 _ <> <(:)
END
chmod +x "$work/slow"
run=$work/slow-end code=0
UNROLL_GRACE=3 UNROLL_BINARY=$work/slow "$root/launch/local" 2 "$work/config.yaml" --run "$run" 2>"$work/log" &
pid=$!
wait_for "$pid" has_lines "$run/metrics.jsonl" 3 || die "$(cat "$work/log")"
kill -TERM "$pid"
wait "$pid" || code=$?
[ "$code" -eq 75 ] || die "a grace that ran out after a save: $code, $(cat "$work/log")"
grep -q "did not stop within 3 seconds" "$work/log" || die "$(cat "$work/log")"
UNROLL_BINARY=$binary "$root/launch/local" 2 "$work/config.yaml" --run "$run" 2>"$work/log" || die "$(cat "$work/log")"
same "$run" "$work/whole-2" "a grace that ran out after a save"
pass "a grace that ran out after a save: 75, and the same bytes after all"

# While a checkpoint is written, on a disk that is slow: the run waits for it.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
  # slowly RUN DELAY: trains without end, with checkpoints that take so long at each fsync; sets tracer and pid.
  slowly() {
    OPENBLAS_NUM_THREADS=1 strace -f -o /dev/null -e trace=fsync -e inject=fsync:delay_enter="$2" \
      "$binary" train "$work/config.yaml" --run "$1" --set training.steps=100000000 2>"$work/log" &
    tracer=$!
    wait_for "$tracer" bash -c "ls -A '$1/checkpoints' | grep -q '^.tmp-step-'" || die "$(cat "$work/log")"
    read -r pid _ <"/proc/$tracer/task/$tracer/children" || true
  }
  run=$work/saving
  slowly "$run" 200ms
  kill -TERM "$pid"
  stopped "while a checkpoint is written" "$tracer" "$run"
  pass "SIGTERM while a checkpoint is written: 75, and a checkpoint at the last step"
else
  echo "skip  signals while a checkpoint is written: strace may not trace here"
fi

# A run that has a limit of time stops before it, as if asked; in a SLURM job it knows the limit by itself.
for ranks in 1 2; do
  for way in option job; do
    run=$work/limit-$way-$ranks code=0
    arguments=(--time-limit 4s)
    if [ "$way" = job ]; then
      arguments=()
      export SLURM_JOB_END_TIME=$(($(date +%s) + 5))
    fi
    start=$SECONDS
    # Ranks inherit the environment on one host.
    under "$ranks" train "$work/config.yaml" --run "$run" "${arguments[@]}" --set training.steps=100000000 \
      2>"$work/log" || code=$?
    [ "$code" -eq 75 ] && [ $((SECONDS - start)) -le 8 ] || die "a limit of time: $code, $(cat "$work/log")"
    unset SLURM_JOB_END_TIME
    grep -q "^Stopped after step .* because its time ends" "$work/log" || die "$(cat "$work/log")"
    step=$(losses "$run" | tail -n 1 | cut -d ' ' -f 1)
    [ "$(cat "$run/checkpoints/latest")" = "$(printf 'step-%08d' "$step")" ] || die "not saved: $(cat "$work/log")"
  done
done
pass "a limit of time, given or that of the job: 75 before it, and a checkpoint at the last step"
