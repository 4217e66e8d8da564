#!/usr/bin/env bash
# unroll prepare, killed at random and started again, alone and under mpirun: the shards have the bytes of
# an undisturbed preparation. Files of llm.c and Megatron are read by a script that knows only their formats.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

# Documents of a few lines, in several files, a packed one, and JSON lines: some megabytes, several pieces.
mkdir texts
for i in 1 2 3; do text 100000 "$i" >"texts/small-$i.txt"; done
for _ in {1..30}; do cat texts/small-*.txt; done >texts/large.txt
cat texts/large.txt texts/small-1.txt | gzip -1 >texts/packed.txt.gz
awk '{ printf "{\"id\": %d, \"text\": \"%s \\u00e9\"}\n", NR, $0 }' texts/small-2.txt >texts/lines.jsonl

arguments=(texts --tokenizer character --document line --split valid=0.05 --shard-tokens 3000000
  --save-every 0)

shards() { (cd "$1" && sha256sum -- *.tokens vocabulary.json manifest.json); }

under 1 prepare "${arguments[@]}" --out whole >said 2>log || die "a whole preparation: $(cat log)"
grep -q '^train' said || die "no report: $(cat said)"
shards whole >expected
[ "$(wc -l <expected)" -ge 8 ] || die "few shards: $(cat expected)"

for ranks in 1 2; do
  killed=0
  for attempt in {1..9}; do
    out=out-$ranks-$attempt
    # As often as it is killed, the same command is started again.
    for _ in {1..4}; do
      if [ "$ranks" -eq 1 ]; then
        "$binary" prepare "${arguments[@]}" --out "$out" >said 2>log &
      else
        prepare_mpirun "$ranks"
        "${mpirun_command[@]}" --quiet "$binary" prepare "${arguments[@]}" --out "$out" >said 2>log &
      fi
      pid=$!
      if ! wait_for "$pid" test -e "$out/progress.json"; then break; fi
      sleep "0.$(printf %02d $((RANDOM % 40)))"
      victims=$pid
      # The ranks are children of mpirun, and end with it.
      if [ "$ranks" -gt 1 ]; then victims=$(cat "/proc/$pid/task/"*/children 2>/dev/null || true); fi
      for victim in $victims; do
        if kill -KILL "$victim" 2>/dev/null; then
          killed=$((killed + 1))
          break
        fi
      done
      wait "$pid" 2>/dev/null || true
      [ ! -e "$out/manifest.json" ] || break
    done
    under "$ranks" prepare "${arguments[@]}" --out "$out" >said 2>log || die "after kills: $(cat log)"
    shards "$out" | diff expected - || die "$ranks ranks, killed $killed times: other bytes"
    [ -z "$(find "$out" -name '*.part' -o -name progress.json)" ] || die "left over: $(ls "$out")"
    rm -rf "$out"
    [ "$killed" -lt 5 ] || break
  done
  [ "$killed" -gt 1 ] || die "only $killed kills came before the end of a preparation"
  pass "killed $killed times on $ranks ranks: the shards of an undisturbed preparation"
done

# A signal ends it early, and the same command goes on.
"$binary" prepare "${arguments[@]}" --out stopped >said 2>log &
pid=$!
wait_for "$pid" test -e stopped/progress.json || true
kill -TERM "$pid" 2>/dev/null || true
code=0
wait "$pid" || code=$?
[ "$code" -eq 75 ] || [ "$code" -eq 0 ] || die "stopped with $code: $(cat log)"
under 1 prepare "${arguments[@]}" --out stopped >said 2>log || die "after a stop: $(cat log)"
shards stopped | diff expected - || die "after a stop: other bytes"
pass "stopped by a signal ($code), and continued"

# Standard input, and refusals.
under 1 prepare - --tokenizer byte --document line --out stdin <texts/small-1.txt >said 2>log ||
  die "standard input: $(cat log)"
[ "$(head -c 100128 stdin/train-000000.tokens | tail -c 100000 | cmp - texts/small-1.txt)" = "" ] ||
  die "standard input was changed"
refused 65 "another --seed" prepare "${arguments[@]}" --seed 2 --out whole
refused 65 "no tokenizer is called bpe" prepare texts --tokenizer bpe --out other
refused 65 "matches no file" prepare 'texts/*.md' --tokenizer byte --out other
refused 64 "no-end-token has no effect" prepare texts --tokenizer byte --no-end-token --out other
refused 64 "makes none" prepare texts --tokenizer byte --document none --split valid=0.1 --out other
printf 'caf\351\n' >latin.txt
printf 'a\n' >words.txt
refused 65 "latin.txt, line 1 (byte 3) is not UTF-8" prepare latin.txt --tokenizer ./words.txt --out other
head -c 3000 texts/packed.txt.gz >short.txt.gz
refused 65 "ends in the middle" prepare short.txt.gz --tokenizer byte --out short
pass "standard input, and one sentence for what cannot be prepared"

if command -v python3 >/dev/null; then
  for format in llm.c megatron; do
    under 1 prepare texts/small-1.txt texts/small-3.txt --tokenizer byte --document line \
      --format "$format" --shard-tokens 60000 --out "$format" >said 2>log || die "$format: $(cat log)"
  done
  cat texts/small-1.txt texts/small-3.txt >text
  python3 - <<'END' || die "python3 reads other tokens"
import glob, struct
text = open("text", "rb").read()

tokens = []
for path in sorted(glob.glob("llm.c/train-*.bin")):
    data = open(path, "rb").read()
    header = struct.unpack("<256i", data[:1024])
    assert header[:2] == (20240520, 1) and len(data) == 1024 + 2 * header[2], path
    tokens += struct.unpack("<%dH" % header[2], data[1024:])
assert bytes(tokens) == text

documents = []
for path in sorted(glob.glob("megatron/train-*.idx")):
    index = open(path, "rb").read()
    data = open(path[:-3] + "bin", "rb").read()
    magic, version, code, sequences, entries = struct.unpack("<9sQBQQ", index[:34])
    assert (magic, version, code) == (b"MMIDIDX\0\0", 1, 8)
    at = 34
    lengths = struct.unpack("<%di" % sequences, index[at:at + 4 * sequences])
    at += 4 * sequences
    places = struct.unpack("<%dq" % sequences, index[at:at + 8 * sequences])
    at += 8 * sequences
    firsts = struct.unpack("<%dq" % entries, index[at:])
    assert list(firsts) == list(range(sequences + 1))
    for length, place in zip(lengths, places):
        documents.append(bytes(struct.unpack_from("<%dH" % length, data, place)))
    assert places[-1] + 2 * lengths[-1] == len(data)
lines = open("texts/small-1.txt", "rb").read().splitlines(True) + \
    open("texts/small-3.txt", "rb").read().splitlines(True)
assert documents == lines, (len(documents), len(lines))
END
  pass "the files of llm.c and Megatron as their formats say"
else
  echo "skip  no python3 to read the files of llm.c and Megatron"
fi
