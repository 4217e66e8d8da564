#!/usr/bin/env bash
# A disk that is full, or whose quota is used up, does not end training: what is missing is said, and saved later.
set -euo pipefail
# Among mounts of its own, which end with it.
if [ "$(id -u)" -eq 0 ] && [ -z "${UNROLL_OWN_MOUNTS-}" ] && unshare -m true 2>/dev/null; then
  UNROLL_OWN_MOUNTS=yes exec unshare -m "$0" "$@"
fi
source "$(dirname "$0")/common.bash"
command -v prlimit >/dev/null || { echo "skipped: there is no prlimit"; exit 0; }
text 9000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
cd "$work"
# No run is left behind if a check fails, and nothing is removed while a disk is mounted.
pid=
finish() {
  trap '' TERM INT HUP
  if [ -n "$pid" ]; then
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  if mountpoint -q "$work/full"; then umount -q "$work/full" || umount -l "$work/full" || true; fi
  if mountpoint -q "$work/full"; then
    echo "full-disk: $work is left, because the disk in it cannot be unmounted" >&2
  else
    cleanup
  fi
}
trap finish EXIT
trap 'exit 143' TERM INT HUP
endless=(--set training.steps=100000000 --set checkpoint.every=100)

# The limit on the size of files stands for a quota: it can be lifted again while the run goes on.
for way in true false; do
  folder=limited-$way
  # A log of the run before would be read as this one's.
  rm -f log
  prlimit --fsize=20000:unlimited env OPENBLAS_NUM_THREADS=1 "$binary" train config.yaml --run "$folder" \
    "${endless[@]}" --set checkpoint.asynchronous=$way 2>log &
  pid=$!
  wait_for "$pid" grep -q "NOT SAVED: the checkpoint of step 200 " log || die "asynchronous $way: $(cat log)"
  # A short line may still fit where a long one did not.
  grep -q "metrics.jsonl has reached .*ulimit -f.*the run continues without its metrics" log || die "asynchronous $way: $(cat log)"
  if ls "$folder"/checkpoints | grep .; then die "something is left of checkpoints that failed"; fi
  prlimit --pid "$pid" --fsize=unlimited:unlimited
  wait_for "$pid" test -e "$folder/checkpoints/latest" || die "asynchronous $way: $(cat log)"
  wait_for "$pid" grep -q "is written again" log || die "asynchronous $way: $(cat log)"
  kill -TERM "$pid"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 75 ] || die "asynchronous $way: $code, $(cat log)"
  "$binary" checkpoint verify "$folder" >said 2>&1 || die "$(cat said)"
  if grep -qv '^{.*}$' "$folder/metrics.jsonl"; then die "a broken line in metrics.jsonl"; fi
  grep -q '"saved":true' "$folder/metrics.jsonl" || die "no line of a checkpoint"
  last=$(losses "$folder" | tail -n 1 | cut -d ' ' -f 1)
  under 1 train config.yaml --run "whole-$way" --set training.steps="$last" --set checkpoint.every=100 2>log2 ||
    die "$(cat log2)"
  for file in model optimizer hidden; do
    cmp "$(latest "$folder")/$file.safetensors" "$(latest "whole-$way")/$file.safetensors" ||
      die "asynchronous $way: another $file after $last steps"
  done
  pass "asynchronous $way: failed checkpoints and metrics end nothing, and change no bit"
done

# The last checkpoint of a run fails: 74, and the same command goes on from the one before.
code=0
prlimit --fsize=20000:unlimited env OPENBLAS_NUM_THREADS=1 "$binary" train config.yaml --run last 2>log || code=$?
[ "$code" -eq 74 ] && grep -q "^unroll: The run ends after step 200, and its last checkpoint could not be written" log ||
  die "the last one: $code, $(cat log)"
run 1 config.yaml --run whole
run 1 config.yaml --run last
for file in model optimizer hidden; do
  cmp "$(latest last)/$file.safetensors" "$(latest whole)/$file.safetensors" || die "another $file"
done
code=0
prlimit --fsize=20000:unlimited env OPENBLAS_NUM_THREADS=1 "$binary" train config.yaml --run stop \
  --set checkpoint.on_failure=stop 2>log || code=$?
[ "$code" -eq 74 ] && [ "$(losses stop | wc -l)" -lt 60 ] || die "on_failure stop: $code, $(cat log)"
pass "74 if the last checkpoint fails, or the first with on_failure: stop"

# A real full disk.
rm -f log
if [ "$(id -u)" -eq 0 ] && mkdir full && mount -t tmpfs -o size=16m tmpfs full 2>/dev/null; then
  OPENBLAS_NUM_THREADS=1 "$binary" train config.yaml --run full/run --set data.cache="$work/cache" \
    --set report.tensorboard=false --set checkpoint.every=20 --set training.steps=100000000 2>log &
  pid=$!
  wait_for "$pid" test -e full/run/checkpoints/latest || die "$(cat log)"
  before=$(cat full/run/checkpoints/latest)
  head -c 16M /dev/zero >full/filler 2>/dev/null || true
  wait_for "$pid" grep -q "NOT SAVED" log || die "$(cat log)"
  rm full/filler
  wait_for "$pid" bash -c "[ \"\$(cat full/run/checkpoints/latest)\" \\> \"$before\" ]" || die "$(cat log)"
  kill -TERM "$pid"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 75 ] || die "a full disk: $code, $(cat log)"
  "$binary" checkpoint verify full/run >said 2>&1 || die "$(cat said)"
  pass "a disk that was full for a while: training went on, and the newest checkpoint is whole"
else
  echo "skip  a real full disk: mounting one needs root"
fi
