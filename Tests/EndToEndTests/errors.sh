#!/usr/bin/env bash
# Whatever is wrong, one process says one sentence, all end, and the exit code is the documented one.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 4000 1 >"$work/train.txt"
text 900 2 >"$work/valid.txt"
config "$work/config.yaml"

# refused CODE WORDS ARGUMENTS…: alone and with two processes.
refused() {
  local wanted=$1 words=$2 ranks code sentences
  shift 2
  for ranks in 1 2; do
    code=0
    under "$ranks" "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    [ "$code" -eq "$wanted" ] || die "$words: exit code $code, not $wanted: $(cat "$work/err")"
    sentences=$(grep -cE '^(unroll|error|Error): ' "$work/err" || true)
    [ "$sentences" -eq 1 ] || die "$words: $sentences sentences from $ranks: $(cat "$work/err")"
    grep -E '^(unroll|error|Error): ' "$work/err" | grep -qF -- "$words" || die "no '$words' in: $(cat "$work/err")"
    if grep -qiE 'fatal error|backtrace|crash|stack dump|\*\*\*' "$work/err"; then die "$(cat "$work/err")"; fi
  done
  pass "$wanted  $(grep -E '^(unroll|error|Error): ' "$work/err" | sed "s|$work/||g" | cut -c 1-100)"
}

train() { echo train "$work/config.yaml" --run "$work/$RANDOM$RANDOM"; }

# Split into words on purpose: no path of these has a space.
# shellcheck disable=SC2046
{
  sed 's/  bptt:/  btpt:/' "$work/config.yaml" >"$work/unknown.yaml"
  refused 64 "unknown.yaml:12:3" train "$work/unknown.yaml" --run "$work/a"
  grep -q "bptt" "$work/err" || die "the nearest key is not named: $(cat "$work/err")"
  refused 64 "training.bptt" $(train) --set training.bptt=many
  refused 64 "nothing.yaml" train "$work/nothing.yaml"
  refused 64 "training" $(train) --set training.epochs=3
  refused 65 "missing.txt" $(train) --set data.train="$work/missing.txt"
  : >"$work/empty.txt"
  refused 65 "empty.txt" $(train) --set data.train="$work/empty.txt"
  printf 'abc\xff\xfedef\n%s' "$(cat "$work/train.txt")" >"$work/binary.txt"
  refused 65 "binary.txt" $(train) --set data.train="$work/binary.txt"
  printf 'abcdef\n' >"$work/short.txt"
  refused 65 "short.txt" $(train) --set data.train="$work/short.txt"
  refused 65 "valid.txt" $(train) --set evaluation.batch_size=600
  printf 'a\n' >"$work/two.txt"
  refused 65 "two.txt" train "$work/config.yaml" --run "$work/untested" --set data.test="$work/two.txt"
  [ ! -e "$work/untested/metrics.jsonl" ] || die "what cannot be tested was trained"
}

code=0
under 3 train "$work/config.yaml" --run "$work/streams" --set training.batch_size=2 2>"$work/err" || code=$?
[ "$code" -eq 65 ] || die "batch_size 2 on 3 ranks: $code $(cat "$work/err")"
[ "$(grep -c '^unroll: ' "$work/err")" -eq 1 ] || die "$(cat "$work/err")"
pass "65  two streams for three processes"

# Files that may not grow: metrics.jsonl says it, and mpirun's are looked at before it starts.
code=0
(
  ulimit -f 64
  under 1 train "$work/config.yaml" --run "$work/limited" --set checkpoint.every=9000 --set evaluation.every=9000 --set training.steps=2000 2>"$work/err"
) || code=$?
[ "$code" -eq 74 ] && grep -q "metrics.jsonl has reached .*ulimit -f" "$work/err" || die "ulimit -f: $code $(cat "$work/err")"
code=0
(
  ulimit -f 4000
  UNROLL_BINARY=$binary "$root/launch/local" 2 "$work/config.yaml" --run "$work/limited-2" 2>"$work/err"
) || code=$?
[ "$code" -eq 73 ] && [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q "ulimit -f" "$work/err" || die "ulimit -f: $code $(cat "$work/err")"
pass "73, 74  a limit on the size of files"

used=$work/used
under 1 train "$work/config.yaml" --run "$used" --set training.steps=30 2>"$work/log" || die "$(cat "$work/log")"
refused 64 "training.early_stop would do nothing" train "$work/config.yaml" --run "$work/idle" \
  --set data.valid=null --set evaluation=null --set training.early_stop.patience=2
cat >"$work/tree.yaml" <<END
data: {format: trees, view: tree, train: $work/train.txt}
model: {embedding: 4, tree: {cell: plain, hidden: 4}}
training: {readout: {ridge: 1}}
END
refused 64 "remove training.readout" train "$work/tree.yaml" --run "$work/tree"
refused 64 "holds a run already" train "$work/config.yaml" --run "$used" --resume none
refused 65 "another seed" train "$work/config.yaml" --run "$used" --set seed=4
text 900 7 | tr a-j A-J >"$work/other.txt"
refused 65 "another vocabulary" train "$work/config.yaml" --run "$used" --set data.train="$work/other.txt"
refused 65 "nowhere" train "$work/config.yaml" --run "$work/b" --resume "$work/nowhere"
refused 65 "nowhere" evaluate "$work/nowhere" --data "$work/valid.txt"
refused 65 "gone.txt" evaluate "$used" --data "$work/gone.txt"
printf '{"text": "a b"}\n{"text": "a"}\n' >"$work/words.jsonl"
refused 65 "words.jsonl, line 2 has a text of one word" evaluate "$used" --task lambada "$work/words.jsonl"
refused 65 "gone.jsonl" evaluate "$used" --task pairs "$work/gone.jsonl"
refused 64 "Give the file of --task" evaluate "$used" --task pairs
refused 64 "--cache-theta needs --cache" evaluate "$used" --data "$work/valid.txt" --cache-theta 1
refused 64 "no text as data.test" evaluate "$used" --part test --cache
refused 73 "train.txt" train "$work/config.yaml" --run "$work/train.txt/run"
refused 76 "was not finite" train "$work/config.yaml" --run "$work/diverging" \
  --set "training.optimizer={rule: sgd}" --set training.clip=null --set training.schedule.learning_rate=1e38

# Nobody reads what is said: the run goes on. A result that cannot be written is told.
under 1 train "$work/config.yaml" --run "$work/unheard" --set training.steps=30 2>/dev/full ||
  die "standard error is full: exit code $?"
under 1 train "$work/config.yaml" --run "$work/unwatched" --set training.steps=30 2> >(exec true) ||
  die "nobody reads standard error: exit code $?"
code=0
under 1 generate "$work/unheard" 2>"$work/err" >/dev/full || code=$?
[ "$code" -eq 74 ] && [ "$(grep -c '^unroll: standard output cannot be written' "$work/err")" -eq 1 ] ||
  die "standard output is full: $code, $(cat "$work/err")"
pass "74  standard output that is full; standard error that is full or closed ends nothing"

# A pipe or a device in the place of a file is refused and not waited for.
good=$work/good
under 1 train "$work/config.yaml" --run "$good" --set training.steps=20 2>"$work/log" || die "$(cat "$work/log")"
mkfifo "$work/pipe"
# shellcheck disable=SC2046
for special in "$work/pipe" /dev/zero; do
  link=$work/special-$(basename "$special")
  cp -r "$good" "$link"
  ln -sf "$special" "$(latest "$link")/state.json"
  refused 65 "is not a regular file" evaluate "$(latest "$link")" --data "$work/valid.txt"
  code=0
  under 1 checkpoint verify "$(latest "$link")" >"$work/out" 2>"$work/err" || code=$?
  [ "$code" -eq 65 ] && grep -q "is not a regular file" "$work/err" || die "verify: $code $(cat "$work/err")"
  rm -r "$link/checkpoints" && cp -r "$good/checkpoints" "$link"
  ln -sf "$special" "$link/checkpoints/latest"
  under 2 train "$work/config.yaml" --run "$link" --set training.steps=21 2>"$work/err" || die "latest is $special: $(cat "$work/err")"
  grep -q '^warning: .*latest is missing' "$work/err" || die "$(cat "$work/err")"
  refused 64 "is not a regular file" train "$special"
  refused 65 "$special" $(train) --set data.train="$special"
  ln -sf "$special" "$work/words.txt"
  refused 65 "words.txt" $(train) --set data.tokenizer="$work/words.txt"
  refused 65 "is not a regular file" import "$special" "$work/config.yaml" --run "$work/imported"
done

# An encoded text that is cut short while it is trained on: one sentence with its name, and at the next
# start it is made anew with a word.
text 40000 3 >"$work/long.txt"
for ranks in 1 2; do
  run=$work/cut-$ranks
  under "$ranks" train "$work/config.yaml" --run "$run" --set data.train="$work/long.txt" --set training.steps=1000000 2>"$work/err" &
  wait_for $! has_lines "$run/metrics.jsonl" 20 || die "$(cat "$work/err")"
  truncate -s 128 "$run"/data/long*.tokens
  code=0
  wait $! || code=$?
  [ "$code" -eq 74 ] && [ "$(grep -c '^unroll: .*long.*\.tokens was cut short' "$work/err")" -eq 1 ] ||
    die "a text that is cut short: $code $(cat "$work/err")"
  if grep -qiE 'fatal error|backtrace|crash|stack dump|\*\*\*' "$work/err"; then die "$(cat "$work/err")"; fi
  step=$(basename "$(latest "$run")")
  under "$ranks" train "$work/config.yaml" --run "$run" --set data.train="$work/long.txt" --set training.steps=$((10#${step#step-} + 5)) 2>"$work/err" ||
    die "$(cat "$work/err")"
  [ "$(grep -c '^warning: .*written again' "$work/err")" -eq 1 ] || die "$(cat "$work/err")"
done
pass "74  an encoded text that is cut short while it is trained on"

# One damaged checkpoint: the one before, with a warning. All damaged: refused.
damage() { printf 'not these bytes' | dd of="$1/model.safetensors" bs=1 seek=3000 conv=notrunc status=none; }
damage "$(latest "$used")"
for ranks in 1 2; do
  cp -r "$used" "$used-$ranks"
  under "$ranks" train "$work/config.yaml" --run "$used-$ranks" --set training.steps=31 2>"$work/err" ||
    die "a damaged checkpoint: $(cat "$work/err")"
  [ "$(grep -c '^warning: .*is damaged' "$work/err")" -eq 1 ] || die "$(cat "$work/err")"
done
pass "0   a damaged checkpoint is passed over with one warning"
for folder in "$used"/checkpoints/step-*; do damage "$folder"; done
refused 65 "is whole" train "$work/config.yaml" --run "$used"

# A disk that fills up: only root can make one.
if [ "$(id -u)" -eq 0 ] && mkdir "$work/disk" && mount -t tmpfs -o size=1200k tmpfs "$work/disk" 2>/dev/null; then
  cleanup() {
    umount -l "$work/disk" 2>/dev/null || true
    rm -rf "$work"
  }
  for ranks in 1 2; do
    run=$work/disk/run-$ranks code=0
    # One step after another is kept, until the disk is full.
    under "$ranks" train "$work/config.yaml" --run "$run" --set checkpoint.every=3 --set checkpoint.keep=50 2>"$work/err" || code=$?
    [ "$code" -eq 74 ] || die "a full disk: $code $(cat "$work/err")"
    [ "$(grep -c '^unroll: ' "$work/err")" -eq 1 ] || die "$(cat "$work/err")"
    under 1 evaluate "$run" --data "$work/valid.txt" >"$work/out" || die "the checkpoint before is gone"
    if compgen -G "$run/checkpoints/.tmp-*" >/dev/null; then die "half a checkpoint is left"; fi
    rm -rf "$run"
  done
  pass "74  a full disk, and the checkpoint before is whole"
  # Full before the texts are encoded.
  head -c 2M /dev/zero >"$work/disk/full" 2>/dev/null || true
  refused 74 "No space left" train "$work/config.yaml" --run "$work/run" --set data.cache="$work/disk"
else
  echo "skip  a full disk: only root can mount one"
fi
