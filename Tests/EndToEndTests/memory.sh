#!/usr/bin/env bash
# Too little memory is one sentence and exit code 64: under a limit of a control group, and of ulimit.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"
text 9000 1 >train.txt
text 1500 2 >valid.txt
config config.yaml

# A model of more than 1 GiB a rank, also where two share a copy of the weights.
large=(--set model.layers.0.hidden=3200 --set model.embedding=3200 --set training.steps=1)

# refused_by WORDS COMMAND…: by one sentence, whatever the number of ranks.
refused_by() {
  local words=$1 code=0
  shift
  "$@" >said 2>log </dev/null || code=$?
  [ "$code" -eq 64 ] || die "$words: $code, $(cat log)"
  [ "$(grep -c '^unroll: ' log)" -eq 1 ] || die "$words: $(cat log)"
  grep -q "$words" log || die "$words: $(cat log)"
  if grep -qiE 'fatal error|backtrace|crash|stack dump' log; then die "$(cat log)"; fi
}

limited() {
  (
    ulimit -v "$1"
    shift
    exec "$@"
  )
}
for ranks in 1 2; do
  prepare_mpirun "$ranks"
  start=("${mpirun_command[@]}" --quiet)
  if [ "$ranks" -eq 1 ]; then start=(); fi
  refused_by "ulimit -v, which grants each process" \
    limited 900000 ${start[@]+"${start[@]}"} "$binary" train config.yaml --run big "${large[@]}"
done
pass "a model too large for ulimit -v is refused with a sentence"

# In the midst of something, where nobody has looked before.
run 1 config.yaml --run small --set training.steps=2
for _ in $(seq 250); do cat train.txt; done >long.txt
refused_by "the system refuses [0-9]* MiB of memory" \
  limited 2500000 "$binary" evaluate small --data long.txt --bptt 2000000
pass "memory that the system refuses is a sentence"

# Where a control group can be made: as root, of either version.
group=
for root_of_groups in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  for file in memory.limit_in_bytes memory.max; do
    folder=$root_of_groups/unroll-test-$$
    [ -z "$group" ] && mkdir "$folder" 2>/dev/null || continue
    if echo $((300 << 20)) >"$folder/$file" 2>/dev/null; then group=$folder; else rmdir "$folder"; fi
  done
done
if [ -z "$group" ]; then
  echo "skipped: no control group can be made here"
  exit 0
fi
trap 'rmdir "$group"; cleanup' EXIT
grouped() { bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"; }
for ranks in 1 2; do
  prepare_mpirun "$ranks"
  start=("${mpirun_command[@]}" --quiet)
  if [ "$ranks" -eq 1 ]; then start=(); fi
  refused_by "$group/memory" \
    grouped ${start[@]+"${start[@]}"} "$binary" train config.yaml --run big "${large[@]}"
done
grouped "$binary" train config.yaml --run small-too --set training.steps=3 2>log || die "$(cat log)"
pass "a model too large for its control group is refused with a sentence, and a small one is trained"
