#!/usr/bin/env bash
# Two hosts, which this machine plays, train with the bits of two ranks on one host, and every way of
# exchanging gradients goes on with the same bytes after kill -9.
set -euo pipefail
source "$(dirname "$0")/common.bash"
if ! "$root/launch/two-hosts" true >"$work/log" 2>&1; then
  echo "skip  two hosts: $(tail -n 1 "$work/log")"
  exit 0
fi
cd "$work"
text 60000 1 >train.txt
text 3000 2 >valid.txt
config config.yaml

# hosts ARGUMENTS…: trains on two hosts.
hosts() { timeout -k 5 120 "$root/launch/two-hosts" "$binary" train config.yaml "$@" 2>log; }

same() { cmp -s "$1/checkpoints/$(cat "$1/checkpoints/latest")/model.safetensors" "$2/checkpoints/$(cat "$2/checkpoints/latest")/model.safetensors"; }

under 2 train config.yaml --run one 2>log || die "one host: $(cat log)"
hosts --run two || die "two hosts: $(cat log)"
same one two || die "two hosts have other bits than one"
pass "two hosts, each layer sent as it is complete: the bits of two ranks on one host"

number=0
for mode in wire=bfloat16 'compression={powersgd: {rank: 2, start: 20}}' 'compression={top_k: {share: 0.01, warmup: 20}}' \
  'compression={one_bit: {start: 20}}' 'outer={every: 30}' 'outer={every: 30, rule: nesterov, overlap: 7}'; do
  number=$((number + 1))
  hosts --run "whole-$number" --set "communication.$mode" --set checkpoint.every=10 --set checkpoint.keep=2 || die "$mode: $(cat log)"
  # Killed once it has saved, whatever it is doing then.
  timeout -k 5 120 "$root/launch/two-hosts" "$binary" train config.yaml --run "killed-$number" --set "communication.$mode" \
    --set checkpoint.every=10 --set checkpoint.keep=2 >log 2>&1 &
  launcher=$!
  for _ in $(seq 600); do
    if [ -e "killed-$number/checkpoints/latest" ]; then break; fi
    sleep 0.05
  done
  for process in /proc/[0-9]*; do
    if { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | grep -q "^$binary train config.yaml --run killed-$number "; then
      kill -9 "${process#/proc/}" 2>/dev/null || true
      break
    fi
  done
  wait "$launcher" || true
  stopped=$(cat "killed-$number/checkpoints/latest")
  hosts --run "killed-$number" --set "communication.$mode" --set checkpoint.every=10 --set checkpoint.keep=2 || die "$mode: $(cat log)"
  same "whole-$number" "killed-$number" || die "$mode: other bytes after kill -9 behind $stopped"
  pass "$mode: killed behind $stopped, resumed, the same bytes"
done

# Two ranks on each host share its memory.
four() { timeout -k 5 120 "$root/launch/two-hosts" --ranks 2 "$binary" train config.yaml --set training.batch_size=8 "$@" 2>log; }

four --run shared || die "four ranks: $(cat log)"
four --run after --set communication.overlap=false || die "four ranks, sums after the pass: $(cat log)"
same shared after || die "sums after the backward pass have other bits"
four --run sharded --set communication.shard_optimizer=true || die "four ranks, sharded: $(cat log)"
same shared sharded || die "a sharded optimizer has other bits"
pass "two hosts of two ranks: the same bits with a sharded optimizer, and whenever sums begin"

sent() { python3 -c 'import json,sys; print([json.loads(l)["bytes_sent"] for l in open(sys.argv[1]) if "bytes_sent" in l][5])' "$1/metrics.jsonl"; }
four --run separate --set communication.node=separate || die "four ranks with separate memory: $(cat log)"
[ "$((2 * $(sent shared)))" -lt "$(sent separate)" ] || die "shared memory sends $(sent shared) bytes, separate $(sent separate)"
pass "a rank of a host with shared memory sends $(sent shared) bytes, with separate memory $(sent separate)"

before=$(ls /dev/shm)
timeout -k 5 120 "$root/launch/two-hosts" --ranks 2 "$binary" train config.yaml --set training.batch_size=8 --run killed \
  --set communication.node=shared --set training.steps=100000 --set checkpoint.every=10 --set checkpoint.keep=2 >log 2>&1 &
launcher=$!
for _ in $(seq 600); do
  if [ -e killed/checkpoints/latest ]; then break; fi
  sleep 0.05
done
for process in /proc/[0-9]*; do
  if { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null | grep -q "^$binary train config.yaml .*--run killed "; then
    kill -9 "${process#/proc/}" 2>/dev/null || true
  fi
done
wait "$launcher" || true
[ "$(ls /dev/shm)" = "$before" ] || die "killed ranks left files in /dev/shm: $(ls /dev/shm)"
pass "ranks that are killed leave nothing of their shared memory"
