#!/usr/bin/env bash
# The script for SLURM, outside of it: requests to stop reach the ranks, and what is not complete is queued again.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 9000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
cd "$work"

# Stand-ins: of scontrol, one that tells what it was asked; of mpirun, one for this machine.
mkdir bin
printf '#!/bin/sh\necho "$*" >>"%s/queued"\n' "$work" >bin/scontrol
prepare_mpirun 2
cat >bin/mpirun <<END
#!/usr/bin/env bash
exec $(command -v mpirun) -np 2 --oversubscribe "\${@/#core/none}"
END
chmod +x bin/*
batch() {
  env PATH="$work/bin:$PATH" UNROLL_BINARY="$binary" SLURM_JOB_ID=77 \
    timeout -k 5 120 bash "$root/launch/slurm.sbatch" "$@"
}

code=0
batch config.yaml --run whole 2>log || code=$?
[ "$code" -eq 0 ] && [ ! -e queued ] || die "a complete run: $code, $(cat log)"
code=0
batch config.yaml --run r --set training.bptt=0 2>log || code=$?
[ "$code" -ne 0 ] && [ "$code" -ne 75 ] && [ ! -e queued ] || die "wrong usage: $code, $(cat log)"
pass "a complete run and wrong usage are not queued again"

for signal in USR1 TERM; do
  rm -f queued
  code=0
  env PATH="$work/bin:$PATH" UNROLL_BINARY="$binary" SLURM_JOB_ID=77 bash "$root/launch/slurm.sbatch" config.yaml \
    --run "stop-$signal" 2>log &
  pid=$!
  wait_for "$pid" has_lines "stop-$signal/metrics.jsonl" 5 || die "$(cat log)"
  kill "-$signal" "$pid"
  wait "$pid" || code=$?
  [ "$code" -eq 75 ] && [ "$(cat queued)" = "requeue 77" ] || die "$signal: $code, $(cat log)"
  step=$(losses "stop-$signal" | tail -n 1 | cut -d ' ' -f 1)
  [ "$(cat "stop-$signal/checkpoints/latest")" = "$(printf 'step-%08d' "$step")" ] || die "$signal: not saved"
  batch config.yaml --run "stop-$signal" 2>log || die "$signal, again: $(cat log)"
  same "stop-$signal" whole "$signal"
  pass "$signal: a checkpoint at the last step, queued again, and the same bytes after all"
done

# The time of the job ends.
rm -f queued
code=0
SLURM_JOB_END_TIME=$(($(date +%s) + 6)) batch config.yaml --run time --set training.steps=100000000 2>log || code=$?
[ "$code" -eq 75 ] && [ "$(cat queued)" = "requeue 77" ] && grep -q "because its time ends" log || die "$code, $(cat log)"
pass "the end of the job's time: 75 before it, and queued again"
