#!/usr/bin/env bash
# Golden losses: small runs that touch every cell, head, wrapper, mode, format, task, rule and schedule,
# in float32 and bfloat16, compared with the numbers that golden/ keeps of them. A line there is a run:
# its name, the losses of its first, middle and last step, and the CRCs of its last checkpoint's files.
# On a machine whose numbers are kept (one file for each kind of processor) they have to be the same to
# the bit; the first losses of other runs have to agree with those of another kind within 1e-4.
# Usage: golden.sh [record | compare [FILE]]
#   record   writes the numbers of this machine to golden/, after a change of numerics
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/common.bash"

# The instruction set decides which kernels run, and so the last bits; a choice of others is not what is kept.
unset OPENBLAS_CORETYPE ONEDNN_MAX_CPU_ISA
kind() {
  local flags vendor
  flags=$(grep -m 1 '^flags' /proc/cpuinfo)
  vendor=$(sed -nE '/^vendor_id/{s/.*: *//p;q}' /proc/cpuinfo)
  case $flags in
    *amx_bf16*) echo "$vendor-amx" ;;
    *avx512_bf16*) echo "$vendor-avx512-bf16" ;;
    *avx512f*) echo "$vendor-avx512" ;;
    *avx2*) echo "$vendor-avx2" ;;
    *) echo "$vendor" ;;
  esac
}

words='m = 3 + pick(9); for (j = 0; j < m; j++) printf "%sw%d", j ? " " : "", pick(30); print ""'
labels='printf "c%d\t", pick(3); m = 2 + pick(7); for (j = 0; j < m; j++) printf "%sw%d", j ? " " : "", pick(20); print ""'
tags='m = 3 + pick(9); for (j = 0; j < m; j++) { k = pick(30); printf "%sw%d|%s", j ? " " : "", k,
  k < 20 ? "O" : k < 25 ? "I-PER" : "I-LOC" } print ""'
piano='m = 4 + pick(9); for (j = 0; j < m; j++) printf "%s%d,%d", j ? " | " : "", 30 + pick(9), 45 + pick(9); print ""'
trees='a = pick(5); b = pick(5); c = pick(5); printf "(%d (%d w%d) (%d (%d w%d) (%d w%d)))\n",
  int((a + b + c) / 3), a, a, int((b + c) / 2), b, b, c, c'
table='m = 4 + pick(6); for (t = 0; t < m; t++) printf "%d,k%d,%.3f,%.3f,%.3f\n", i, i % 3, pick(2000) / 1000 - 1,
  pick(2000) / 1000 - 1, pick(2000) / 1000 - 1'

cd "$work"
text 6000 1 >text.txt
text 900 2 >valid.txt
draw 60 3 "$words" >lines.txt
draw 60 4 "$words" >source.txt
draw 60 5 "$labels" >labels.txt
draw 60 6 "$tags" >tags.txt
draw 60 7 "$piano" >piano.txt
draw 60 8 "$trees" >trees.txt
{ echo id,kind,a,b,c; draw 60 9 "$table"; } >table.csv
# Lines that a class and a number lead, and lines that the name of a series leads.
awk '{ printf "k%d\t%d\t%s\n", NR % 3, NR % 5, $0 }' lines.txt >told.txt
awk -F , 'NR > 1 { name[$1] = 1 } END { for (i in name) print i }' table.csv | sort -n |
  paste - lines.txt >framed.txt

# What all runs have in common; its base and its settings are laid over it.
cat >common.yaml <<'END'
seed: 5
model: {layers: [{cell: lstm, hidden: 12}]}
training:
  batch_size: 6
  steps: 50
  optimizer: {rule: adam}
  schedule: {learning_rate: 0.01}
  clip: {norm: 1}
checkpoint: {every: 1000}
END
base() {
  case $1 in
    text) echo 'data: {train: text.txt}
model: {embedding: 10}
training: {bptt: 9}' ;;
    bytes) echo 'data: {train: text.txt, tokenizer: byte, document: line}
training: {bptt: 9}' ;;
    lines) echo 'data: {format: lines, train: lines.txt}
model: {embedding: 10}' ;;
    labels) echo 'data: {format: labels, train: labels.txt}
model: {embedding: 10}' ;;
    tags) echo 'data: {format: tags, train: tags.txt}
model: {embedding: 10}' ;;
    pairs) echo 'data: {format: pairs, train: lines.txt, source: {train: source.txt}}
model: {embedding: 10, encoder: {embedding: 7, layers: [{cell: gru, hidden: 8, bidirectional: concat}]}}' ;;
    piano) echo 'data: {format: piano, train: piano.txt}' ;;
    phrases) echo 'data: {format: trees, view: phrases, train: trees.txt}
model: {embedding: 10}' ;;
    trees) echo 'data: {format: trees, view: nodes, train: trees.txt}' ;;
    numbers) echo 'data: {format: csv, train: table.csv, columns: {inputs: [a, b], targets: [c], id: id}}' ;;
    series) echo 'data: {format: csv, train: table.csv, columns: {inputs: [a, b, c], id: id}}' ;;
    classes) echo 'data: {format: csv, train: table.csv, columns: {inputs: [a, b], label: kind, id: id}}' ;;
    told) echo 'data: {format: lines, train: told.txt, condition: {classes: [1], numbers: [2]}}
model: {embedding: 10}' ;;
    framed) echo 'data:
  format: pairs
  train: framed.txt
  source: {format: csv, train: table.csv, columns: {inputs: [a, b, c], id: id}}
model: {embedding: 10, encoder: {layers: [{cell: gru, hidden: 8, bidirectional: concat}]}}' ;;
    conditioned) echo 'data: {task: conditioned, train_size: 60, valid_size: 6, test_size: 6}
model: {embedding: 10}' ;;
    *) echo "data: {task: $1, train_size: 60, valid_size: 6, test_size: 6}" ;;
  esac
}

# The runs: a base, then the settings, parted by |.
runs() {
  # Every cell with every option, over a text and its documents.
  sed -E 's/^(.*)$/bytes|model.layers=[{cell: \1}]|training.batch_size=5/' <<'END'
clockwork, hidden: 12, periods: [1, 2, 3]
clockwork, hidden: 12, periods: [1, 2], nonlinearity: sigmoid, biases: 1
deep-transition, hidden: 11
deep-transition, hidden: 11, transition: [9, 13], nonlinearity: relu, shortcut: true
dense, hidden: 11
dense, hidden: 11, taps: 3, nonlinearity: sigmoid
echo-state, hidden: 11
echo-state, hidden: 11, leak: 0.4, connections: 2, spectral_radius: 1.2, bias_scaling: 0.1, input_scaling: 0.5
elman, hidden: 11
elman, hidden: 11, nonlinearity: relu, biases: 1
gated-deltanet, hidden: 12
gated-deltanet, hidden: 12, heads: 3, key_width: 6, negative_eigenvalues: true, kernel: 3
gru, hidden: 11
gru, hidden: 11, chrono: 20, biases: 1
gru-reset-before, hidden: 11
gru-reset-before, hidden: 11, chrono: 20, biases: 1
hgrn2, hidden: 12
hgrn2, hidden: 12, heads: 3, key_width: 6, layer_index: 1, layer_count: 3
jordan, hidden: 11
jordan, hidden: 11, outputs: 7, nonlinearity: sigmoid, output_nonlinearity: identity
jordan, hidden: 11, teacher_forcing: true
leaky, hidden: 11
leaky, hidden: 11, alpha: 0.9, input_delay: 1, nonlinearity: identity, recurrent: false
leaky, hidden: 11, alpha: [0.1, 0.8], nonlinearity: relu
lstm, hidden: 11
lstm, hidden: 11, forget_bias: 1, peephole: gers, projection: 7, biases: 1
lstm, hidden: 11, coupled: true, layer_norm: true, chrono: 20
lstm, hidden: 11, peephole: previous
m2rnn, hidden: 12
m2rnn, hidden: 12, heads: 3, key_width: 6, kernel: 4, clip_state_gradient: 0.5
mamba2, hidden: 12, state: 8
mamba2, hidden: 12, heads: 4, state: 6, groups: 2, kernel: 3
matrix-lstm, hidden: 12
matrix-lstm, hidden: 12, heads: 2, key_width: 6, gate_cap: 0, zero_gates: true
min-gru, hidden: 11
min-gru, hidden: 11, candidate: positive
min-lstm, hidden: 11
min-lstm, hidden: 11, candidate: positive
mlstm, hidden: 11
mlstm, hidden: 11, form: krause, forget_bias: 1
multiplicative, hidden: 11
retention, hidden: 12
retention, hidden: 12, heads: 3, key_width: 12
rg-lru, hidden: 12
rg-lru, hidden: 12, heads: 3
rwkv6, hidden: 12
rwkv6, hidden: 12, heads: 3, mix_rank: 4, decay_rank: 3, layer_index: 1, layer_count: 3
rwkv7, hidden: 12
rwkv7, hidden: 12, heads: 3, decay_rank: 4, rate_rank: 3, gate_rank: 5, layer_index: 1, layer_count: 3
second-order, hidden: 6
slstm, hidden: 12
slstm, hidden: 12, heads: 3, forget_exponent: 0.7
skip, hidden: 11
skip, hidden: 11, delays: [2, 5], nonlinearity: relu, biases: 1
update-gru, hidden: 11
update-gru, hidden: 11, gate_candidate: true, biases: 1
xlstm-mlstm, hidden: 12
xlstm-mlstm, hidden: 12, heads: 2, kernel: 3
xlstm-slstm, hidden: 12
xlstm-slstm, hidden: 12, heads: 3, kernel: 2, forget_exponent: 0.7
END
  cat <<'END'
text|model.layers=[{cell: lstm, hidden: 12}, {cell: gru, hidden: 9, dropout: 0.3}, {linear: 7}]|model.dropout=0.2
text|model.layers=[{cell: lstm, hidden: 12}, {cell: lstm, hidden: 12}]|model.dropout=0.2|model.variational=true|model.recurrent=true
text|model.layers=[{cell: gru, hidden: 10, residual: true}, {cell: gru, hidden: 10, residual: true}]|model.tied=true
text|model.shortcut=true|model.input_dropout=0.1|model.output_bias=false
text|model.layers.0.zoneout=0.2|model.layers.0.initial_state=learnt
text|model.layers.0.feedback=output|model.layers.0.feedback_width=5|model.layers.0.feedback_nonlinearity=sigmoid
text|model.layers.0.feedback=target|model.layers.0.initial_state=e0
text|model.initializer=orthogonal|model.embedding_initializer={normal: 0.1}|model.output_initializer=xavier|model.output_bias_initializer={uniform: 0}
text|model.layers=[{cell: elman, hidden: 12, frozen: true}, {cell: gru, hidden: 9, rate: 0.5}]|model.embedding_rate=0.1
text|training.stride=4
text|training.stride=4|model.layers=[{cell: skip, hidden: 11, delays: [2, 12]}]
text|training.recompute=sqrt|model.dropout=0.2
text|training.recompute={states: 2, steps: 2}
text|training.carry_state=false|training.loss_reduction=sum_over_time|training.schedule.learning_rate=0.001
text|training.label_smoothing=0.1|training.z_loss=0.001|training.average={decay: 0.9, warmup: 5}
text|training.clip={norm: 0.5, value: 0.1, per_parameter: 0.3, adaptive: 0.05}
text|data.tokenizer=word|data.vocabulary={size: 50, min_count: 2}
text|data.valid=0.2|evaluation={every: 20, batch_size: 4, bptt: 5}|training.schedule.plateau={patience: 0, threshold: 0.5}|training.early_stop={patience: 9}
text|training.optimizer={rule: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.0001}|training.schedule={learning_rate: 0.5, shape: step, every: 9, factor: 0.7}
text|training.optimizer={rule: sgd}|training.schedule={learning_rate: 1, shape: epoch_decay, factor: 0.7}
text|training.optimizer={rule: adamw, decay: matrices}|training.schedule={learning_rate: 0.01, shape: cosine, warmup: 9, final: 0.001}
text|training.optimizer={rule: rmsprop, centered: true, momentum: 0.5}|training.schedule={learning_rate: 0.003, shape: linear, steps: 40}
text|training.optimizer={rule: adagrad}|training.schedule={learning_rate: 0.05, shape: wsd, decay: 20}
text|training.schedule={learning_rate: 0.01, shape: exponential, factor: 0.5, every: 9}
text|training.schedule={learning_rate: 0.01, shape: inverse_square_root, warmup: 9}
text|training.schedule={learning_rate: 0.01, shape: cosine, restarts: {period: 7, multiplier: 2}}
text|training.optimizer={rule: lion}|training.schedule.learning_rate=0.001
text|training.optimizer={rule: ademamix}
text|training.optimizer={rule: schedule_free}
text|training.optimizer={rule: muon}|training.schedule.learning_rate=0.02
text|model.output={kind: adaptive, cutoffs: [4, 9], div_value: 2, soft_cap: 5}
text|model.output={kind: sampled, samples: 5}
text|model.layers.0.weight_dropout=0.3|model.embedding_dropout=0.1|training.random_bptt={deviation: 2}|training.activation_regularization=1|training.temporal_regularization=1
text|model={preset: hawk, width: 16, depth: 2}
text|model={preset: xlstm, width: 16, depth: 3, slstm_every: 2}
lines
lines|training.scheduled_sampling={steps: 40}
lines|model.end=halt
lines|model.end=length|model.length_input=total
lines|training.batch_tokens=40|training.bptt=5
lines|training.bucket=false|training.recompute=2
labels|model.layers.0.bidirectional=concat
labels|model.layers=[{cell: gru, hidden: 9, bidirectional: sum}, {cell: lstm, hidden: 9, bidirectional: concat}]|model.dropout=0.1
labels
tags|model.layers.0.bidirectional=concat|model.layers.0.zoneout=0.1
tags|model.embedding=null|model.layers.0.bidirectional=sum
pairs
pairs|model.context=every_step|model.attention=additive
pairs|model.context=both|model.attention=multiplicative|model.attention_place=input|model.encoder.dropout=0.1
pairs|model.attention=additive|model.attention_place=input|model.layers=[{cell: gru, hidden: 9}, {cell: gru, hidden: 9}]
pairs|model.end=length|model.context=both
pairs|model.end=halt|model.encoder.layers=[{cell: dense, hidden: 9}]
piano
piano|model.end=halt
phrases
trees|model={embedding: 9, tree: {cell: plain, hidden: 9}, dropout: 0.1}
trees|model={embedding: 9, tree: {cell: lstm, hidden: 11}, dropout: 0.1}
trees|data.view=tree|model={embedding: 9, tree: {cell: lstm, hidden: 11}}
text|model.layers.0.feedback=target|training.recompute=3|training.scheduled_sampling={shape: exponential, steps: 20}
tags|model.layers=[{cell: gru, hidden: 9, bidirectional: concat}, {cell: jordan, hidden: 9, teacher_forcing: true}]|training.scheduled_sampling={choice: greedy, shape: constant, from: 0.2}
pairs|model.attention=additive|training.scheduled_sampling={shape: inverse_sigmoid, steps: 9, to: 0.1}
numbers
numbers|model.layers=[{cell: elman, hidden: 9, feedback: target}]
series|model.end=length
series|training.scheduled_sampling={shape: constant, from: 0.3}
classes|model.layers.0.bidirectional=concat
conditioned
conditioned|model.condition=first_input
conditioned|model.condition=initial_state
told
told|model.condition_embedding=4|model.condition=initial_state
told|model.condition_embedding=4|model.condition=first_input|model.end=length
framed
framed|model.attention=additive|model.context=every_step|model.encoder.dropout=0.1
series|training={batch_size: 4, readout: {ridge: 0.001, washout: 1}}|training.steps=null|training.optimizer=null|training.schedule=null|training.clip=null|checkpoint=null|model.layers=[{cell: echo-state, hidden: 20}]|model.shortcut=true
classes|training={batch_size: 4, readout: {}}|training.steps=null|training.optimizer=null|training.schedule=null|training.clip=null|checkpoint=null|model.layers=[{cell: echo-state, hidden: 20}]
adding|data.length=22
associative-recall|data.length=24|data.pairs=[2, 4]|data.alphabet=32|training.steps=6
copy|data.symbols=3|data.delay=4
embedded-reber
frames
mackey-glass|data.length=30
modular-arithmetic|training.steps=6
multiplication|data.length=22
narma|data.length=30
parity
reber
selective-copy|training.steps=6
spoken-digits|model={embedding: 6, layers: [{cell: gru, hidden: 9}], encoder: {layers: [{cell: gru, hidden: 8}]}, attention: multiplicative}
temporal-order|training.steps=6
tomita
word-problem|training.steps=6
END
}

# figures OF RUN: three losses and the checksums of what the last checkpoint holds.
figures() {
  local file
  losses "$1" | awk '{ l[NR] = $2 } END { printf "%s %s %s", l[1] != "" ? l[1] : "-", l[25] != "" ? l[25] : "-", NR ? l[NR] : "-" }'
  for file in model optimizer hidden; do
    if [ -f "$(latest "$1")/$file.safetensors" ]; then
      printf ' %s' "$(cksum <"$(latest "$1")/$file.safetensors" | cut -d ' ' -f 1)"
    else
      printf ' -'
    fi
  done
  echo
}

measure() {
  local settings precision arguments part
  while IFS= read -r line; do
    IFS='|' read -r -a settings <<<"$line"
    base "${settings[0]}" >base.yaml
    for precision in float32 bfloat16; do
      case $line in *readout*) [ $precision = float32 ] || continue ;; esac
      arguments=()
      for part in "${settings[@]:1}"; do arguments+=(--set "$part"); done
      rm -rf golden-run
      under 1 train common.yaml base.yaml "${arguments[@]}" --set training.precision=$precision \
        --run golden-run 2>log </dev/null || die "$line: $(cat log)" >&2
      printf '%s|%s = %s\n' "$line" "$precision" "$(figures golden-run)"
    done
  done <runs.txt
}

# A new cell may wait for its numbers.
"$binary" networks >networks.txt
runs >runs.txt
missing=$(sed -nE '/^CELLS/,/^[A-Z]+$/s/^  ([a-z0-9-]+) .*/\1/p' networks.txt | while read -r cell; do
  grep -qE "cell: $cell[,}]" runs.txt || echo "$cell"
done)
if [ -n "$missing" ]; then
  echo "skip  golden losses of ${missing//$'\n'/, }: add lines to runs, in $(basename "$0"), and record"
fi

kept=$here/golden/$(kind).txt
measure >now.txt
case ${1-compare} in
  record)
    mkdir -p "$here/golden"
    cp now.txt "$kept"
    pass "$(wc -l <"$kept") runs recorded in $kept"
    ;;
  compare)
    if [ -n "${2-}" ]; then kept=$2; fi
    if [ -n "${2-}" ]; then kept=$2; fi
    # Runs that another kind of processor has recorded since have its first losses.
    awk -F ' = ' -v kept="$kept" '
      BEGIN { while ((getline line < kept) > 0) { split(line, part, " = "); own[part[1]] = part[2] } }
      FILENAME != "now.txt" { other[$1] = $2; source[$1] = FILENAME; next }
      { seen[$1] = 1 }
      $1 in own { if (own[$1] != $2) { print $1 ": " $2 " in place of " own[$1]; bad = 1 } else same++; next }
      !($1 in other) { print $1 ": nobody has recorded it"; bad = 1; next }
      { split(other[$1], a, " "); split($2, b, " "); d = a[1] - b[1]; if (d < 0) d = -d
        if (d > 1e-4 * (a[1] < 0 ? -a[1] : a[1]) + 1e-6) {
          print $1 ": first loss " b[1] " in place of " a[1] " in " source[$1]; bad = 1 } else near++ }
      END {
        for (name in own) if (!(name in seen)) { print name ": recorded, and run no more"; bad = 1 }
        if (!bad) printf "%d runs are the same to the bit as kept, %d have the first losses of other processors within 1e-4\n", same, near
        exit bad
      }' "$here"/golden/*.txt now.txt >compared || die "other numbers: $(cat compared)"
    pass "$(cat compared)"
    ;;
  *) die "usage: golden.sh [record | compare [FILE]]" ;;
esac
