#!/usr/bin/env bash
# A checkpoint and a configuration of version 0.1.0 are read today: the checkpoint is whole, and the run goes on
# to the losses of that version's undisturbed run, on one process and on two.
set -euo pipefail
source "$(dirname "$0")/common.bash"
old=$root/Tests/EndToEndTests/version-0.1.0
cd "$work"
text 4000 1 >train.txt
text 900 2 >valid.txt

under 1 checkpoint verify "$old/step-00000020" >said 2>&1 || die "verify: $(cat said)"

# near RUN: its losses after step 20 are those that version 0.1.0 had, but for rounding.
near() {
  python3 - "$1/metrics.jsonl" "$old/losses.txt" <<'END'
import json, sys
found = {}
for line in open(sys.argv[1]):
    line = json.loads(line)
    for key, name in (("loss", ""), ("valid_loss", " validation")):
        if key in line: found[f"{line['step']}{name}"] = line[key]
for line in open(sys.argv[2]):
    key, loss = line.rsplit(" ", 1)
    if int(key.split()[0]) <= 20: continue
    if abs(found.get(key, 0) - float(loss)) > 1e-4 * float(loss):
        sys.exit(f"step {key}: {found.get(key)}, in version 0.1.0 {loss}")
END
}

for ranks in 1 2; do
  folder=run-$ranks
  mkdir -p "$folder/checkpoints"
  cp -r "$old/step-00000020" "$folder/checkpoints/"
  echo step-00000020 >"$folder/checkpoints/latest"
  run "$ranks" "$old/config.yaml" --run "$folder" >said
  near "$folder" || die "$ranks processes differ"
done
run 1 "$old/config.yaml" --run anew >said
python3 - anew/metrics.jsonl "$old/losses.txt" <<'END' || die "a new run of the old configuration differs"
import json, sys
first = next(json.loads(line)["loss"] for line in open(sys.argv[1]) if '"loss"' in line)
old = float(open(sys.argv[2]).readline().split()[1])
sys.exit(abs(first - old) > 1e-4 * old)
END
pass "a checkpoint of version 0.1.0 is resumed, on one process and on two; its configuration runs"
