#!/usr/bin/env bash
# Looking at runs: the list with the state of each, and the page with their curves.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 6000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
cd "$work"
train() { under 1 train config.yaml --run "runs/$1" "${@:2}" 2>>log || die "$(tail -n 3 log)"; }
train whole --set training.steps=60 --set evaluation.every=20
train sub/other --set training.steps=40 --set evaluation.every=20 --set training.schedule.learning_rate=0.0001
# Another process ends this one before its last step.
under 1 train config.yaml --run runs/long --set training.steps=100000000 --set checkpoint.every=1000 2>>log &
child=$!
until grep -q '"step":50,' runs/long/metrics.jsonl 2>/dev/null; do sleep 0.1; done

state() { under 1 runs | awk -v run="$1" '$1 == run { print $2 }'; }
[ "$(state whole)" = complete ] || die "$(under 1 runs)"
[ "$(state sub/other)" = complete ] || die "$(under 1 runs)"
[ "$(state long)" = running ] || die "$(under 1 runs)"
kill -TERM "$(pgrep -P "$child" | head -n 1 || echo "$child")"
wait "$child" 2>/dev/null || true
[ "$(state long)" = stopped ] || die "$(under 1 runs)"
best=$(sed -nE 's/.*"valid_loss":([0-9.]+).*/\1/p' runs/whole/metrics.jsonl | sort -g | head -n 1)
[ "$(under 1 runs runs/whole | awk 'NR == 2 { print $6 }')" = "$(printf '%.4f' "$best")" ] || die "$(under 1 runs)"
[ "$(under 1 runs --json | wc -l)" -eq 3 ] || die "$(under 1 runs --json)"
[ "$(under 1 runs --json | grep -c '"state":"complete"')" -eq 2 ] || die "$(under 1 runs --json)"
sed -i 's/"loss":[0-9.]*/"loss":"nan"/' runs/long/metrics.jsonl
[ "$(state long)" = diverged ] || die "$(under 1 runs)"
pass "runs: running, complete, stopped and diverged runs are told apart"

[ "$(under 1 report runs/whole)" = runs/whole/report.html ] || die "another file"
page=runs/whole/report.html
for word in '<figure>' 'Loss, nats' 'Learning rate' 'Norm of the gradient' 'Targets a second' 'learning_rate' 'step-00000060\|>60<'; do
  grep -q "$word" "$page" || die "no $word in the page"
done
[ "$(grep -c '<svg' "$page")" -ge 4 ] || die "$(grep -c '<svg' "$page") plots"
# Every curve has points, and nothing comes from elsewhere.
[ "$(grep -c 'class="line" d="M' "$page")" -ge 5 ] || die "curves without points"
! grep -qE '<script|https?://|src=|@import|url\(' <(sed 's#http://www.w3.org/2000/svg##' "$page") || die "the page needs others"
if command -v python3 >/dev/null; then
  python3 - "$page" <<'END' || die "the page is no HTML that closes what it opens"
import sys
from html.parser import HTMLParser
void = {"meta", "br", "hr", "img", "link"}
class Parser(HTMLParser):
    open = []
    def handle_starttag(self, tag, attrs):
        if tag not in void: self.open.append(tag)
    def handle_startendtag(self, tag, attrs): pass
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag
parser = Parser()
parser.feed(open(sys.argv[1]).read())
assert not parser.open, parser.open
END
fi
code=0
under 1 report runs/whole runs/sub/other 2>err || code=$?
[ "$code" -eq 64 ] && grep -q -- --output err || die "$code, $(cat err)"
under 1 report runs/whole runs/sub/other --output both.html >/dev/null
grep -q 'training.schedule.learning_rate' both.html || die "no setting that differs"
grep -q 'training.steps' both.html || die "no steps that differ"
code=0
under 1 report nowhere 2>err || code=$?
[ "$code" -eq 64 ] && grep -q "give the folder of a run" err || die "$code, $(cat err)"
pass "report: a page with every curve, alone and of two runs, that needs nothing else"

# A run that was stopped and resumed twice: the files of TensorBoard, read by their format alone.
for steps in 30 60 90; do
  train board --set "training.steps=$steps" --set evaluation.every=15 --set evaluation.sample.prompt=ab \
    --set evaluation.sample.length=12
done
[ "$(find runs/board/tensorboard -name 'events.out.tfevents.*' | wc -l)" -eq 3 ] || die "$(ls runs/board/tensorboard)"
[ ! -e runs/bare/tensorboard ] || die "a folder of no run"
train bare --set training.steps=5 --set report.tensorboard=false
[ ! -e runs/bare/tensorboard ] || die "files that were not wanted"
if command -v python3 >/dev/null; then
  python3 - runs/board/tensorboard <<'END' || die "files of TensorBoard"
import glob, struct, sys

def crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at

def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0: value, at = varint(data, at)
        elif key & 7 == 1: value, at = struct.unpack("<d", data[at:at + 8])[0], at + 8
        elif key & 7 == 5: value, at = struct.unpack("<f", data[at:at + 4])[0], at + 4
        else:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value

seen = {}
for path in sorted(glob.glob(sys.argv[1] + "/*")):
    data, at, first = open(path, "rb").read(), 0, True
    while at < len(data):
        size, check = struct.unpack("<QI", data[at:at + 12])
        assert check == crc(data[at:at + 8]), "a length"
        body = data[at + 12:at + 12 + size]
        assert struct.unpack("<I", data[at + 12 + size:at + 16 + size])[0] == crc(body), "an event"
        at += 16 + size
        event = dict(fields(body))
        assert not first or event[3] == b"brain.Event:2"
        first = False
        step = event.get(2, 0)
        if 7 in event:
            assert dict(fields(event[7]))[1] == 1
            seen = {tag: [s for s in steps if s < step] for tag, steps in seen.items()}
        for number, value in fields(event.get(5, b"")):
            parts = dict(fields(value))
            seen.setdefault(parts[1].decode(), []).append(step)
for tag in ("loss/train", "loss/valid", "train/learning_rate", "train/gradient_norm", "bits_per_byte/valid"):
    assert seen[tag] and seen[tag] == sorted(set(seen[tag])), (tag, seen.get(tag))
assert seen["loss/valid"] == [15, 30, 45, 60, 75, 90], seen["loss/valid"]
for kind in ("weights/", "gradients/"):
    assert any(tag.startswith(kind) for tag in seen), seen.keys()
for tag in seen:
    if tag.startswith(("weights/", "gradients/", "sample/")): assert seen[tag] == [15, 30, 45, 60, 75, 90], (tag, seen[tag])
assert "sample/text_summary" in seen and "_hparams_/session_start_info" in seen, seen.keys()
END
fi
pass "TensorBoard: whole records, and steps that rise over two resumptions"

# The same as TensorBoard itself reads it, where it is installed: pip install tensorboard.
if ${PYTHON:-python3} -c 'import tensorboard' 2>/dev/null; then
  ${PYTHON:-python3} - runs/board/tensorboard <<'END' 2>/dev/null || die "what TensorBoard reads"
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
events = EventAccumulator(sys.argv[1], {"scalars": 0, "tensors": 0, "histograms": 0})
events.Reload()
evaluations = [15, 30, 45, 60, 75, 90]
assert [e.step for e in events.Scalars("loss/valid")] == evaluations
tags = events.Tags()
gradients = [tag for tag in tags["histograms"] if tag.startswith("gradients/")]
assert len(gradients) == len([tag for tag in tags["histograms"] if tag.startswith("weights/")]) > 4, tags
for tag in gradients:
    assert [e.step for e in events.Histograms(tag)] == evaluations, tag
    assert all(sum(e.histogram_value.bucket) == e.histogram_value.num for e in events.Histograms(tag)), tag
assert any(h.histogram_value.max > 0 > h.histogram_value.min for h in events.Histograms(gradients[0]))
samples = [e.tensor_proto.string_val[0].decode() for e in events.Tensors("sample/text_summary")]
assert len(samples) == 6 and all(s.startswith("    ab") for s in samples), samples
content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
settings = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
assert settings["training.batch_size"].number_value == 7, settings
assert settings["training.optimizer.rule"].string_value == "adam" and settings["seed"].number_value == 3
assert settings["model.layers.0.hidden"].number_value == 48
END
  pass "TensorBoard: the program reads curves, histograms, samples and settings"
fi

# Samples are on the console, in the metrics and on the page.
grep -A 1 'step 90: sample' log | tail -n 1 | grep -q '^    ab' || die "$(tail -n 5 log)"
[ "$(grep -c '"samples":\[{"prompt":"ab","text":"ab' runs/board/metrics.jsonl)" -eq 6 ] || die "samples in the metrics"
under 1 report runs/board >/dev/null
grep -q 'Samples after step 90' runs/board/report.html || die "no samples on the page"
refused 64 'the model writes no text' train config.yaml --print-config --set 'data={task: parity}' --set evaluation.sample.length=9
pass "samples: on the console, in the metrics, in the report; refused by a model that writes none"

# A configuration to start from, and one that is there.
[ "$(under 1 init characters train.txt 2>/dev/null)" = train.yaml ] || die "another file"
under 1 train train.yaml --print-config >/dev/null || die "a configuration that is refused"
under 1 train train.yaml --set training.steps=3 --set training.epochs=null --set training.schedule.warmup=0 2>>log || die "$(tail -n 2 log)"
refused 64 'exists already' init words train.txt
refused 64 'did you mean "lstm"' train train.yaml --print-config --set model.layers.0.cell=lstn
pass "init: a configuration that trains, and never in the place of another"
