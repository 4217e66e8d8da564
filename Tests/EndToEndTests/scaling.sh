#!/usr/bin/env bash
# Scaling: the figures of one and two ranks within one run, baselines, and the links that the doctor measures,
# also over a line of a known speed between two hosts that this machine plays.
set -euo pipefail
source "$(dirname "$0")/common.bash"
cd "$work"

small=(--layers 1 --hidden 40 --embedding 20 --vocabulary 70 --batch-size 3 --bptt 7 --steps 5 --rounds 2)
code=0
# codeof COMMAND…: the exit code, in `code`; standard output and error in `said` and `log`.
codeof() {
  code=0
  "$@" >said 2>log || code=$?
}

under 2 bench --scaling 1,2 "${small[@]}" >said || die "bench --scaling 1,2"
grep -qE "^ranks +hosts +tokens/s +over one +efficiency +compute" said || die "$(cat said)"
grep -qE "^ +1 +1 +[0-9,]+ +1\.00 +100 %" said || die "no line of one rank: $(cat said)"
grep -qE "^ +2 +1 +[0-9,]+ +[0-9.]+ +[0-9]+ %.* rank [01] on $(hostname)$" said || die "no line of two: $(cat said)"
under 2 bench --scaling 1,2 "${small[@]}" --json >said || die "bench --scaling 1,2 --json"
[ "$(wc -l <said)" -eq 1 ] || die "not one line: $(cat said)"
grep -q '"rows":\[{.*"ranks":1,.*"ranks":2,' said || die "$(cat said)"
pass "scaling: one and two ranks are measured in one run, in words and as JSON"

codeof under 2 bench --scaling 1,2 "${small[@]}" --baseline base.json
[ $code -eq 0 ] && [ -s base.json ] && grep -q "wrote the baseline base.json" log || die "$code: $(cat said log)"
codeof under 2 bench --scaling 1,2 "${small[@]}" --baseline base.json --tolerance 0.95
[ $code -eq 0 ] && grep -q "^since base.json" said || die "$code: $(cat said log)"
# Ten times as fast, it would have been.
sed -E 's/"tokens_per_second" : /&9/' base.json >fast.json
codeof under 2 bench --scaling 1,2 "${small[@]}" --baseline fast.json
[ $code -eq 78 ] && grep -q "slower" said && grep -q "fell by .* since the baseline fast.json" log || die "$code: $(cat said log)"
[ "$(grep -c "^unroll: " log)" -eq 1 ] || die "not one sentence: $(cat log)"
pass "scaling: a baseline is written, met, and missed with exit code 78"

# refuses WORDS ARGUMENTS…: exit code 64 and one sentence on two ranks.
refuses() {
  local words=$1
  shift
  codeof under 2 bench --scaling 1,2 "$@"
  [ $code -eq 64 ] && [ ! -s said ] && [ "$(grep -c "^unroll: " log)" -eq 1 ] && grep -q -- "$words" log || die "$*: $code, $(cat said log)"
}
sed -E 's/"processor" : "[^"]*"/"processor" : "Z80"/' base.json >other.json
refuses "of another processor (Z80)" "${small[@]}" --baseline other.json
refuses "of another model" "${small[@]}" --hidden 41 --baseline base.json
refuses "communication" "${small[@]}" --set communication.wire=bfloat16 --baseline base.json
refuses "--tolerance" "${small[@]}" --tolerance 0.1
refuses "--task" "${small[@]}" --task evaluate
refused 64 "mpirun -np 4 unroll bench --scaling 1,2,4" bench --scaling 1,2,4
refused 64 "begin with 1" bench --scaling 2,4
refused 64 "belongs to --scaling" bench --baseline base.json
pass "scaling: what cannot be measured or compared is refused with 64 and a sentence"

under 2 doctor --parameters 2e5 --tokens 70 >said 2>log || die "doctor on two ranks: $(cat said log)"
grep -qE "^link +within $(hostname): [0-9.]+ ms, [0-9.]+ MB/s" said || die "no link: $(cat said)"
grep -qE "^sum +200,000 numbers over 2 ranks: [0-9.]+ m?s$" said || die "no sum: $(cat said)"
grep -qE "^step +70 tokens a rank compute for about" said || die "no step: $(cat said)"
grep -q "by estimate" said || die "no advice: $(cat said)"
refused 64 "--parameters" doctor --parameters 0
under 1 doctor >said 2>log || die "doctor: $(cat said log)"
if grep -q "^link" said; then die "a link of one rank: $(cat said)"; fi
pass "doctor: the link between two ranks, a sum and the setting that pays"

if ! "$root/launch/two-hosts" true >log 2>&1; then
  echo "skip  two hosts: $(tail -n 1 log)"
  exit 0
fi
# A frame of 1514 bytes carries 1448; the limit counts the frame. A machine that is busy with other work may
# be slower than the line, so there are three attempts.
for rate in 50 200; do
  for attempt in 1 2 3; do
    timeout -k 5 60 "$root/launch/two-hosts" --rate "${rate}mbit" "$binary" doctor --parameters 1e5 >said 2>log ||
      die "doctor on two hosts: $(cat said log)"
    line=$(grep -E "^link +[^ ]+ – [^ ]+: " said) || die "no link between hosts: $(cat said)"
    measured=$(sed -E 's/.*\(([0-9.]+) Gbit.*/\1/' <<<"$line")
    if awk -v measured="$measured" -v rate="$rate" 'BEGIN { r = 1000 * measured / rate; exit !(r > 0.85 && r < 1.15) }'; then break; fi
    [ "$attempt" -lt 3 ] || die "$measured Gbit/s over a line of $rate Mbit/s: $line"
  done
done
timeout -k 5 60 "$root/launch/two-hosts" "$binary" bench --scaling 1,2 "${small[@]}" >said 2>log || die "scaling on two hosts: $(cat said log)"
grep -qE "^ +2 +2 " said || die "not two hosts: $(cat said)"
pass "two hosts: the doctor finds the speed of the line within 15 %, and two ranks are on two hosts"
