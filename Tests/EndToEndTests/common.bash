# shellcheck shell=bash
# What the scripts of this folder share: a program, a temporary folder, checks. Sourced, not run.
# shellcheck disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/launch/library.sh"
name=$(basename "$0" .sh)
[ -x "$binary" ] || { echo "$name: there is no program $binary: run launch/build" >&2; exit 69; }
export UNROLL_PROGRESS=lines

# In memory where there is such a folder, so that the speed of a disk decides nothing.
base=${TMPDIR:-/tmp}
if [ -w /dev/shm ]; then base=/dev/shm; fi
work=$(mktemp -d "$base/unroll-$name-XXXXXX")
cleanup() { rm -rf "$work"; }
[ -n "${KEEP_WORK-}" ] || trap cleanup EXIT

pass() { echo "ok    $*"; }
die() {
  echo "FAIL  $*"
  exit 1
}

# under RANKS ARGUMENTS…: the program alone, or under mpirun; never longer than a minute.
under() {
  local ranks=$1
  shift
  if [ "$ranks" -eq 1 ]; then
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 timeout -k 5 60 "$binary" "$@"
  else
    prepare_mpirun "$ranks"
    timeout -k 5 60 "${mpirun_command[@]}" --quiet "$binary" "$@"
  fi
}

# run RANKS ARGUMENTS…: trains, or tells why not.
run() {
  local ranks=$1
  shift
  under "$ranks" train "$@" 2>log || die "$*: $(cat log)"
}

# refused CODE WORDS COMMAND ARGUMENTS…: one sentence, nothing else, and that exit code.
refused() {
  local code=0 wanted=$1 words=$2
  shift 2
  under 1 "$@" >said 2>log </dev/null || code=$?
  [ "$code" -eq "$wanted" ] && [ ! -s said ] && [ "$(wc -l <log)" -eq 1 ] && grep -q -- "$words" log ||
    die "$*: $code, $(cat said log)"
}

# text CHARACTERS SEED: letters of which one often follows the one before, in lines.
text() {
  awk -v n="$1" -v s="$2" 'BEGIN {
    a = "abcdefghijkl mnopqrst\n"; k = length(a); p = 0
    for (i = 0; i < n; i++) {
      s = (s * 16807) % 2147483647; p = s % 100 < 65 ? (p + 1) % k : int(s / 1000) % k
      printf "%s", substr(a, p + 1, 1)
    }
  }'
}

# draw LINES SEED PROGRAM: lines that an awk program prints from pick(n), a number below n, and its line i.
draw() {
  awk -v n="$1" -v s="$2" '
    function pick(k) { s = (s * 16807) % 2147483647; return int(s / 7) % k }
    BEGIN { for (i = 0; i < n; i++) { '"$3"' } }'
}

# config FILE: a small model with dropout; streams, steps and widths are different numbers.
config() {
  cat >"$1" <<END
name: small
seed: 3
data: {train: $work/train.txt, valid: $work/valid.txt, tokenizer: character}
model:
  embedding: 20
  dropout: 0.2
  layers:
    - {cell: lstm, hidden: 48}
    - {cell: gru, hidden: 40}
training:
  batch_size: 7
  bptt: 16
  steps: 200
  optimizer: {rule: adam}
  schedule: {learning_rate: 0.004}
  clip: {norm: 1}
checkpoint: {every: 9, keep: 3}
evaluation: {every: 50, batch_size: 3}
END
}

# The metrics of a run without what differs from run to run: times, and when checkpoints were on the disk.
metrics() {
  sed -E '/"checkpoint_step"/d
    s/"(communication_seconds|compute_seconds|data_seconds|step_seconds|time|tokens_per_second)":[^,}]*,?//g
    s/"(hidden_share|imbalance|slowest_host|slowest_rank|wait_seconds|rank_compute_seconds)":(\[[^]]*\]|[^,}]*),?//g' \
    "$1/metrics.jsonl"
}

# The losses of a run, one a line after its step.
losses() { sed -nE 's/.*"loss":([^,}]*).*"step":([0-9]+).*/\2 \1/p' "$1/metrics.jsonl"; }

latest() { echo "$1/checkpoints/$(cat "$1/checkpoints/latest")"; }

# same RUN OTHER WHAT: the last checkpoints have the same bytes, and the metrics the same numbers.
same() {
  local file
  for file in model optimizer hidden; do
    cmp "$(latest "$1")/$file.safetensors" "$(latest "$2")/$file.safetensors" ||
      die "$3: $file.safetensors is not the same"
  done
  diff <(metrics "$1") <(metrics "$2") >&2 || die "$3: metrics.jsonl is not the same"
}

# wait_for PID CONDITION…: until the condition holds; fails if the process ends first.
wait_for() {
  local pid=$1
  shift
  until "$@" 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.01
  done
}

# Lines of steps and evaluations; those of checkpoints come when they are written.
lines_of() { grep -vc '"checkpoint_step"' "$1"; }
has_lines() { [ "$(lines_of "$1")" -ge "$2" ]; }

# rank_of MPIRUN RANK: the process of a rank, which is a child of mpirun.
rank_of() {
  local child found=()
  for child in $(cat "/proc/$1/task/"*/children); do
    if [ "$(readlink "/proc/$child/exe")" = "$(readlink -f "$binary")" ]; then found+=("$child"); fi
  done
  [ ${#found[@]} -gt "$2" ] && echo "${found[$2]}"
}

# What a program writes, as a page shows it: shown PAGE PROGRAM
shown() {
  awk -v command="    $ .build/release/$2" '
    inside && !/^    / { exit }
    inside { print substr($0, 5) }
    index($0, command) == 1 { inside = 1 }
  ' "$1"
}

# resembles WANTED SAID: lines with fractions have the same words, and about the same numbers, because other
# processors round otherwise.
resembles() {
  awk '
    NR == FNR { wanted[FNR] = $0; next }
    !(FNR in wanted) || wanted[FNR] !~ /[0-9]\.[0-9]/ { next }
    {
      count = split(wanted[FNR], parts)
      for (i = 1; i <= count; i++)
        if (parts[i] ~ /^[0-9.]+$/ ? ($i - parts[i]) ^ 2 > (parts[i] / 10) ^ 2 : $i != parts[i]) exit code = 1
    }
    END { exit code }
  ' "$1" "$2"
}
