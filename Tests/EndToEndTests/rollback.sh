#!/usr/bin/env bash
# A run that goes back to an earlier checkpoint is killed at every system call that changes its folder;
# the plain command then goes on to the bytes and the metrics of a run that nothing happened to.
set -euo pipefail
source "$(dirname "$0")/common.bash"
command -v strace >/dev/null || { echo "skipped: there is no strace"; exit 0; }
text 4000 1 >"$work/train.txt"
text 900 2 >"$work/valid.txt"
config "$work/config.yaml"
cd "$work"
settings=(--set training.steps=45 --set checkpoint.every=10 --set checkpoint.keep=9
  --set evaluation.every=10)

run 1 "$work/config.yaml" --run "$work/whole" "${settings[@]}"
[ "$(losses "$work/whole" | wc -l)" -eq 45 ] || die "a whole run has $(losses "$work/whole" | wc -l) steps"

# Told by the name of its calls, those of other systems too.
killed=0
for calls in rename,renameat ftruncate unlink,unlinkat fsync; do
  for number in 1 2 3 4 5 6 7 8; do
    copy=$work/copy
    rm -rf "$copy"
    cp -r "$work/whole" "$copy"
    code=0
    {
      timeout -k 5 60 strace -f -o /dev/null -e "trace=$calls" \
        -e "inject=$calls:signal=KILL:when=$number" "$binary" train "$work/config.yaml" --run "$copy" \
        "${settings[@]}" --resume "$copy/checkpoints/step-00000020" >said 2>log || code=$?
    } 2>/dev/null
    [ "$code" -ne 0 ] || break
    [ "$code" -eq 137 ] || die "$calls $number: $code, $(cat log)"
    at=$(cat "$copy/checkpoints/latest")
    lines=$(losses "$copy" | wc -l)
    # Nothing is cut as long as the old course is what a plain command would go on with.
    [ "$at" != step-00000045 ] || [ "$lines" -eq 45 ] ||
      die "$calls $number: $lines steps are left where latest names $at"
    run 1 "$work/config.yaml" --run "$copy" "${settings[@]}"
    same "$copy" "$work/whole" "$calls $number, killed with latest at $at"
    killed=$((killed + 1))
  done
done
[ "$killed" -ge 8 ] || die "only $killed kills"
pass "killed at $killed calls on the way back to an earlier checkpoint: nothing is lost"
