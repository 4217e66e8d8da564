#!/usr/bin/env bash
# unroll init and unroll schema: files are never replaced, names of any kind are quoted, and what is written
# trains.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

short=(--set training.steps=3 --set training.epochs=null --set training.schedule.warmup=0)

# The name comes from the data; a second time nothing is replaced.
text 6000 1 >words.txt
[ "$(under 1 init characters words.txt 2>log)" = words.yaml ] || die "init: $(cat log)"
grep -q '^unroll train words.yaml starts' log || die "init: $(cat log)"
run 1 words.yaml "${short[@]}"
before=$(sha256sum words.yaml)
refused 64 "words.yaml exists already: choose another file with --output" init characters words.txt
[ "$(sha256sum words.yaml)" = "$before" ] || die "a file was replaced"
pass "a configuration that trains, and that is never replaced"

# Names with blanks, quotation marks and colons. The comments are commands.
odd="it's: a \"text\" #1.txt"
cp words.txt "$odd"
under 1 init characters "$odd" -o "my file.yaml" >said 2>log || die "init: $(cat log)"
grep -q "^#   unroll train 'my file.yaml' " "my file.yaml" || die "$(head -5 "my file.yaml")"
grep -q "^unroll train 'my file.yaml' starts" log || die "$(cat log)"
run 1 "my file.yaml" --run odd "${short[@]}"
broken=$'a\nb.txt'
cp words.txt "$broken"
refused 64 "a path has a line end" init characters "$broken"
refused 64 "output has a line end" init characters words.txt -o $'a\nb.yaml'
pass "names of any kind"

# A tokenizer stands beside the configuration, and the comment makes the same one again.
under 1 init subwords "$odd" -o pieces.yml >said 2>log || die "init: $(cat log)"
[ -f pieces.model ] && [ "$(sort said)" = $'pieces.model\npieces.yml' ] || die "$(cat said; ls)"
run 1 pieces.yml --run pieces "${short[@]}"
command=$(sed -n 's/^ *# Made with: unroll //p' pieces.yml)
mv pieces.model first.model
eval "under 1 $command" >said 2>log || die "$command: $(cat log)"
cmp first.model pieces.model || die "$command makes another tokenizer"
refused 64 "pieces.yml exists already" init subwords "$odd" -o pieces.yml
pass "a tokenizer for a .yml, and the command that makes it"

# Compressed files, gaps, and columns that are no numbers.
gzip -k words.txt
refused 65 "words.txt.gz is compressed by gzip: unpack it with gunzip" init characters words.txt.gz -o packed.yaml
refused 65 "words.txt.gz is compressed" init words words.txt words.txt.gz -o packed.yaml
[ ! -e packed.yaml ] || die "a configuration of a compressed file"
awk 'BEGIN { print "date,open,close"; for (i = 1; i < 90; i++) printf "d%d,%.2f,%.2f\n", i, sin(i), cos(i) }' >table.csv
under 1 init series table.csv >said 2>log || die "init: $(cat log)"
grep -q "inputs: \[open, close\], targets: next}" table.yaml || die "$(cat table.yaml)"
run 1 table.yaml --run table "${short[@]}"
sed '7s/,[^,]*$/,/' table.csv >gap.csv
refused 65 "gap.csv, line 7 has no number in column 3 (close)" init series gap.csv
pass "compressed files and gaps are refused, dates are left out"

# The schema is the same every time, and JSON.
under 1 schema >one.json 2>log && under 1 schema >two.json 2>>log || die "schema: $(cat log)"
cmp one.json two.json || die "the schema differs from time to time"
if command -v python3 >/dev/null; then
  python3 - one.json <<'END' || die "the schema"
import json, sys
schema = json.load(open(sys.argv[1]))
assert schema["additionalProperties"] is False and "training" in schema["properties"]
assert not [name for name in schema["$defs"] if "unknown" in name or "0x" in name]
END
fi
pass "a schema, the same every time"
