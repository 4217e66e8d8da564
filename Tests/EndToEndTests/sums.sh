#!/usr/bin/env bash
# What all ranks decide alike has the same bits: sums over ranks, whichever algorithms Open MPI chooses,
# and learning rates, whichever functions the C library chooses for the processor. A run that ends worse
# than guessing says so, and exits with 76.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 6000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
cd "$work"

for ranks in 3 4; do
  run $ranks config.yaml --run plain-$ranks --set training.steps=18
  for k in 1 2 3 4 5 6; do
    (
      export OMPI_MCA_coll_tuned_use_dynamic_rules=1 OMPI_MCA_coll_tuned_allreduce_algorithm=$k \
        OMPI_MCA_coll_tuned_allgather_algorithm=$((k < 5 ? k : 5))
      run $ranks config.yaml --run by-$ranks-$k --set training.steps=18
    ) || die "algorithm $k with $ranks ranks: $(cat log)"
    for file in model optimizer; do
      cmp "$(latest plain-$ranks)/$file.safetensors" "$(latest by-$ranks-$k)/$file.safetensors" ||
        die "algorithm $k of $ranks ranks makes another $file"
    done
  done
  pass "$ranks processes: the same bits by each of six algorithms for sums"
done

rates() { sed -nE 's/.*"learning_rate":([^,}]*).*/\1/p' "$1/metrics.jsonl"; }
for schedule in "shape: cosine" "shape: exponential, factor: 0.997, every: 7"; do
  for functions in all few; do
    (
      # The C library then does without fused products, as on an older processor.
      [ $functions = all ] || export GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4
      run 1 config.yaml --run "$functions" --set "training.schedule={learning_rate: 0.004, $schedule}" \
        --set training.steps=3000 --set model.embedding=2 --set 'model.layers=[{cell: elman, hidden: 3}]' \
        --set training.bptt=2 --set data.valid=null --set evaluation=null --set checkpoint.every=10000
    ) || die "$schedule: $(cat log)"
  done
  [ "$(rates all | sort -u | wc -l)" -gt 2500 ] || die "$schedule: hardly any rates"
  cmp <(rates all) <(rates few) || die "$schedule: other rates by other functions of the C library"
  rm -r all few
done
pass "3000 learning rates of a schedule have the same bits whichever functions the C library chooses"

for ranks in 1 2; do
  code=0
  under $ranks train config.yaml --run far-$ranks --set training.schedule.learning_rate=100 \
    --set training.steps=60 --set training.clip=null 2>log || code=$?
  [ $code -eq 76 ] || die "a run that diverged exits with $code: $(cat log)"
  grep -q "validation .*, worse than guessing (" log || die "the console: $(cat log)"
  [ "$(grep -c "Diverged: after 60 steps the validation loss is .* of guessing: lower the learning rate" log)" -eq 1 ] ||
    die "the last sentence: $(cat log)"
  ! grep -q "the best so far" log || die "the best so far: $(cat log)"
done
pass "a run that ends above the loss of guessing says so and exits with 76"
