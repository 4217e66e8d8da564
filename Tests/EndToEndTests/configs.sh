#!/usr/bin/env bash
# Every file of configs/ is run for a few steps by one and by two processes: the losses of all steps
# and the evaluations agree to 1e-5, readouts to the byte (those of one sequence as they are, by four
# processes too), and evaluate finds what the run found. Files that a configuration asks for are
# generated. A configuration that this script does not know fails it. So do, for their losses, the
# variants whose figures are told beside it.
set -euo pipefail
source "$(dirname "$0")/common.bash"

words='m = 3 + pick(9); for (j = 0; j < m; j++) printf "%sw%d", j ? " " : "", pick(30); print ""'
tags='m = 3 + pick(9); for (j = 0; j < m; j++) { k = pick(30); printf "%sw%d|%s", j ? " " : "", k,
  k < 20 ? "O" : k < 25 ? "I-PER" : "I-LOC" } print ""'
piano='m = 4 + pick(9); for (j = 0; j < m; j++) printf "%s%d,%d", j ? " | " : "", 30 + pick(9), 45 + pick(9); print ""'
trees='a = pick(5); b = pick(5); c = pick(5); printf "(%d (%d w%d) (%d (%d w%d) (%d w%d)))\n",
  int((a + b + c) / 3), a, a, int((b + c) / 2), b, b, c, c'
# As the original files have it: 12 numbers a line, a blank line behind each utterance.
vowels='m = 7 + pick(3); for (t = 0; t < m; t++) { for (j = 0; j < 12; j++)
  printf "%.3f ", pick(2000) / 1000 - 1; print "" } print ""'

cd "$work"
mkdir -p data/poly-music data/multi30k data/wikiner-nn4nlp data/morph-seq2seq data/sst-trees data/wikitext-2
text 9000 1 >data/shakespeare.txt
under 1 prepare --tokenizer byte --document line --split valid=0.2 --out data/linux-source data/shakespeare.txt >log 2>&1 ||
  die "shards: $(cat log)"
seed=10
for part in train valid test; do
  case $part in train) lines=80 ;; *) lines=9 ;; esac
  seed=$((seed + 1))
  for pieces in JSB_Chorales Nottingham; do draw $lines $seed "$piano" >data/poly-music/$pieces.$part.txt; done
  draw $((4 * lines)) $seed "$words" >data/wikitext-2/$part.txt
  [ "$part" != train ] || head -n 200 data/wikitext-2/train.txt >data/wikitext-2/part.txt
  file=$part
  case $part in valid) file="val" ;; test) file="test_2016_flickr" ;; esac
  for language in en de; do
    draw $lines $((seed + ${#language})) "$words" >data/multi30k/$file.lc.norm.tok.$language
  done
  for side in src tgt; do draw $lines $seed "$words" >data/morph-seq2seq/$side.$part; done
  case $part in valid) file=dev ;; *) file=$part ;; esac
  draw $lines $seed "$tags" >data/wikiner-nn4nlp/$file.txt
  draw $lines $seed "$trees" >data/sst-trees/$file.txt
done
mkdir -p data/vowels-words
for part in train test; do
  draw 60 $((${#part} + 20)) 'printf "%d\t%s\n", i, substr("onetwosix", 1 + 3 * pick(3), 3)' >names
  # Numbered by their lines, whatever draw counts from.
  awk -F '\t' -v OFS='\t' '{ print NR, $2 }' names >data/vowels-words/$part.txt
  draw 60 $((${#part} + 30)) "$vowels" |
    awk -v OFS=, 'BEGIN { n = 1 } !NF { n++; next } { $1 = $1; print n, $0 }' >data/vowels-words/$part.csv
done
draw 270 3 "$vowels" >ae.train
draw 370 4 "$vowels" >ae.test
# The lines that the documentation tells whoever has the files to run.
sed -n '/^```sh$/,/^```$/{//!p;}' "$root/docs/data.md" >convert.sh
bash convert.sh || die "the lines of docs/data.md"
[ "$(grep -c '^$' data/japanese-vowels/train.csv)" -eq 270 ] || die "not 270 utterances to train on"
[ "$(cut -d , -f 1 data/japanese-vowels/test.csv | awk '$1 != p && p == "" { k = k " " $1 } { p = $1 }
  $1 != "" { n[$1] += 1 } END { for (i in n) speakers++; print speakers, length(k) }')" = "9 740" ] ||
  die "not 370 utterances of 9 speakers"
pass "the lines of docs/data.md make tables of the original files of Japanese Vowels"

# Three streams, as evaluate is asked for below: of a text, each leaves out its first symbol.
all='evaluation.batch_size=3'
unvalidated="$all training.epochs=null training.steps=6"
few="$unvalidated evaluation.every=3"
task='data.train_size=60 data.valid_size=20 data.test_size=20'
# settings NAME: what makes a configuration short.
settings() {
  case $1 in
    adding | conditioned | copy | embedded-reber | parity | reber | spoken-digits | temporal-order) echo "$few $task" ;;
    japanese-vowels) echo "$unvalidated" ;;
    jsb | multi30k | ner | nottingham | pronunciation | sst | sst-tree | vowels-words) echo "$few" ;;
    linux-source) echo "$few training.tokens=null training.precision=float32 training.batch_size=4 training.bptt=16
      model.embedding=20 model.layers.0.hidden=24 model.layers.1.hidden=20" ;;
    shakespeare) echo "$few training.bptt=16 evaluation.bptt=16" ;;
    wikitext2 | awd-wikitext2-part) echo "$few training.batch_size=4" ;;
    awd-wikitext2) echo "$few training.batch_size=4 model.embedding=30 model.layers.0.hidden=40 model.layers.1.hidden=40
      model.layers.2.hidden=30" ;;
    frames-echo) echo "$all $task" ;;
    japanese-vowels-echo) echo "$all model.layers.0.hidden=100" ;;
    # As they are, of one sequence: all processes but one have nothing to read.
    mackey-glass | narma) echo "evaluation.batch_size=3" ;;
    *) return 1 ;;
  esac
}

# variants NAME: settings of the variants that the configuration's comment or docs/results.md tells figures
# of, one a line, parted by |.
variants() {
  case $1 in
    adding)
      echo "model.layers.0.cell=gru"
      echo "model.layers=[{cell: elman, hidden: 64}]"
      echo "data.length=500|model.layers.0.chrono=500|data.train_size=12|data.valid_size=6|data.test_size=6"
      ;;
    conditioned)
      echo "model.condition=first_input"
      echo "model.condition=initial_state"
      ;;
    embedded-reber)
      echo "model.layers=[{cell: elman, hidden: 15}]"
      echo "model.layers=[{cell: elman, hidden: 15}]|training.bptt=1"
      ;;
    japanese-vowels) echo "model.layers.0.bidirectional=concat|model.dropout=0.4" ;;
    jsb | nottingham)
      echo "model.layers.0.cell=elman"
      echo "model.layers.0.cell=gru|training.optimizer.rule=adamw|training.average.decay=0.99"
      ;;
    multi30k)
      echo "model.attention=none|model.layers=[{cell: gru, hidden: 512}]"
      echo "model.attention=none|model.layers=[{cell: gru, hidden: 512}]|model.context=both"
      ;;
    ner) echo "model.layers.0.bidirectional=null|model.layers.0.hidden=200" ;;
    parity)
      for grammar in 1 2 3 4 5 6 7; do
        echo "data={task: tomita, grammar: $grammar, train_size: 60, valid_size: 20, test_size: 20}"
      done
      ;;
    pronunciation) echo "model.attention=none" ;;
    sst)
      echo "data.view=root"
      echo "model.layers.0.bidirectional=null|model.embedding=128"
      ;;
    sst-tree) echo "model={embedding: 30, tree: {cell: plain, hidden: 30}, dropout: 0.1}" ;;
    linux-source) echo "data.train=data/linux-source" ;;
    wikitext2) echo "training.precision=bfloat16" ;;
    awd-wikitext2-part)
      echo "model.layers=[{cell: lstm, hidden: 400}, {cell: lstm, hidden: 400}]|model.embedding_dropout=0|model.input_dropout=0|model.variational=false|training.random_bptt=null|training.activation_regularization=0|training.temporal_regularization=0"
      ;;
  esac
}

# figures RUN: every loss and measure, one a line after its name.
figures() {
  grep -oE '"((valid|test)_)?(loss|accuracy|root_accuracy)":[^,}]*' "$1/metrics.jsonl" | tr ':' ' '
}

# last RUN PART: the figures of a part as the run found them last.
last() {
  grep "\"$2_loss\"" "$1/metrics.jsonl" | tail -n 1 |
    grep -oE "\"$2_(loss|accuracy|root_accuracy)\":[^,}]*" | sed "s/$2_//" | tr ':' ' ' | sort
}

# apart FILE OTHER: the greatest relative difference of two lists of figures.
apart() {
  paste "$1" "$2" | awk '
    { a = $2 + 0; b = $4 + 0; d = a > b ? a - b : b - a; m = a < 0 ? -a : a; if (m > 0) d /= m
      if (d > worst) worst = d; if ($1 != $3 || $2 == "" || $4 == "") worst = 1 }
    END { print NR ? worst + 0 : 1 }'
}

# together CONFIG RUN RANKS ARGUMENTS…: runs it by one process and by as many as RANKS says, and tells how far
# apart their figures are, at most 1e-5.
together() {
  local config=$1 run=$2 counts=$3 ranks
  shift 3
  for ranks in 1 $counts; do
    under "$ranks" train "$config" "$@" --run "$run-$ranks" 2>log || die "$run $* with $ranks processes: $(cat log)"
    figures "$run-$ranks" >figures-$ranks
  done
  ranked=$(apart figures-1 figures-2)
  # Products in bfloat16 round what differs in the last bit of a float32 to other numbers.
  awk -v w="$ranked" -v t="${tolerance:-1e-5}" 'BEGIN { exit !(w <= t) }' ||
    die "$run $*: two processes part from one by $ranked: $(paste figures-1 figures-2)"
}

for config in "$root"/configs/*.yaml; do
  this=$(basename "$config" .yaml)
  found=$(settings "$this") || die "$this is not known here: say how to run it, in $0"
  arguments=()
  for setting in $found; do arguments+=(--set "$setting"); done
  counts=2
  case $this in mackey-glass | narma) counts="2 4" ;; esac
  together "$config" "$this" "$counts" "${arguments[@]}"
  if grep -q '^  readout:' "$config"; then
    for ranks in $counts; do
      cmp "$(latest "$this-1")/model.safetensors" "$(latest "$this-$ranks")/model.safetensors" ||
        die "$this: another readout with $ranks processes"
    done
  else
    [ "$(grep -c '^"loss"' figures-1)" -eq 6 ] || die "$this: not six losses: $(cat figures-1)"
  fi
  # Of the last checkpoint, evaluate finds what the run found; where nothing is validated, it was
  # tested.
  part=valid
  grep -q '"valid_loss"' figures-1 || part="test"
  last "$this-1" $part >trained
  under 2 evaluate "$this-1" --part $part --batch-size 3 --beam 0 --json >line 2>log ||
    die "$this: evaluate: $(cat log)"
  grep -oE '"(loss|accuracy|root_accuracy)":[^,}]*' line | tr ':' ' ' | sort >evaluated
  worst=$(apart trained evaluated)
  awk -v w="$worst" 'BEGIN { exit !(w <= 1e-5) }' ||
    die "$this: evaluate parts from the run by $worst: $(paste trained evaluated)"
  pass "$this: two processes as one, to $ranked, and evaluate as the run, to $worst"

  number=0
  while IFS='|' read -r -a changes; do
    number=$((number + 1)) more=()
    for change in "${changes[@]}"; do more+=(--set "$change"); done
    tolerance=1e-5
    case "${changes[*]}" in *bfloat16*) tolerance=1e-3 ;; esac
    together "$config" "$this-$number" 2 "${arguments[@]}" "${more[@]}" </dev/null
    pass "$this, ${changes[*]}: to $ranked"
  done < <(variants "$this")
  tolerance=
done
