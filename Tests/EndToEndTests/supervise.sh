#!/usr/bin/env bash
# launch/supervise starts a run again that crashed, until it is complete or there is no use in it.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 9000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"
export UNROLL_BACKOFF=0 UNROLL_BINARY=$binary
cd "$work"

supervise() { timeout -k 5 120 "$root/launch/supervise" "$@"; }

# A rank that kills itself once it has seen so many lines of metrics, but only twice in a run.
cat >"$work/fragile" <<END
#!/usr/bin/env bash
"$binary" "\$@" &
child=\$!
trap 'kill -USR1 "\$child"' USR1
trap 'kill -TERM "\$child"' TERM
if [ "\${OMPI_COMM_WORLD_RANK:-1}" = 1 ]; then
  for count in 1 2; do
    if [ -e "$work/died-\$count" ]; then continue; fi
    until [ "\$(grep -c '"loss"' "$work/fragile-run/metrics.jsonl" 2>/dev/null)" -ge \$((count * 60)) ]; do
      kill -0 "\$child" 2>/dev/null || break
    done
    touch "$work/died-\$count"
    kill -KILL "\$child" 2>/dev/null
    break
  done
fi
until wait "\$child"; code=\$?; [ \$code -lt 128 ] || ! kill -0 "\$child" 2>/dev/null; do :; done
exit \$code
END
chmod +x "$work/fragile"

run 2 config.yaml --run whole
UNROLL_BINARY=$work/fragile supervise --max-restarts 4 "$root/launch/local" 2 config.yaml --run fragile-run \
  --resume none 2>log || die "two crashes: $?, $(cat log)"
[ "$(grep -c '^supervise: .*restart' log)" -eq 2 ] || die "two crashes: $(cat log)"
grep -q "^supervise: .*from step-" log || die "$(cat log)"
same fragile-run whole "a run that crashed twice"
pass "two crashes of a rank: started again from the newest checkpoint, to the same bytes"

# The errors of a user are not tried again.
for words in "64 train config.yaml --set training.bptt=0" "65 train config.yaml --set data.train=none.txt"; do
  code=0
  # shellcheck disable=SC2086
  supervise --run never "$binary" ${words#* } 2>log || code=$?
  [ "$code" -eq "${words%% *}" ] && ! grep -q "^supervise" log || die "$words: $code, $(cat log)"
done
pass "wrong usage and bad data are not tried again"

# A crash without a new checkpoint between is not tried for ever.
cat >crash <<'END'
#!/usr/bin/env bash
echo x >>starts
exit 137
END
chmod +x crash
code=0
supervise --max-restarts 9 --run nothing ./crash 2>log || code=$?
[ "$code" -eq 137 ] && [ "$(wc -l <starts)" -eq 2 ] && grep -q "no checkpoint was saved" log ||
  die "no progress: $code, $(cat starts log)"
cat >advance <<'END'
#!/usr/bin/env bash
echo x >>advances
mkdir -p moving/checkpoints
printf 'step-%08d\n' "$(wc -l <advances)" >moving/checkpoints/latest
exit 139
END
chmod +x advance
code=0
supervise --max-restarts 3 --run moving ./advance 2>log || code=$?
[ "$code" -eq 139 ] && [ "$(wc -l <advances)" -eq 4 ] && grep -q "after 3 restarts" log ||
  die "--max-restarts: $code, $(cat advances log)"
pass "it gives up without progress, and after so many restarts"

# What a killed command has left behind may train for a while: its end is awaited, and is no restart.
cat >busy <<'END'
#!/usr/bin/env bash
echo x >>tries
case $(wc -l <tries) in 1) exit 137 ;; 2 | 3) exit 77 ;; 4) exit 0 ;; esac
END
chmod +x busy
code=0
supervise --max-restarts 1 --run left ./busy 2>log || code=$?
[ "$code" -eq 0 ] && [ "$(wc -l <tries)" -eq 4 ] && [ "$(grep -c "waiting for its end" log)" -eq 1 ] ||
  die "a folder in use after a restart: $code, $(cat tries log)"
cat >occupied <<'END'
#!/usr/bin/env bash
echo x >>occupied-tries
case $(wc -l <occupied-tries) in 1) exit 137 ;; *) exit 77 ;; esac
END
chmod +x occupied
code=0
UNROLL_WAIT=3 supervise --run left ./occupied 2>log || code=$?
[ "$code" -eq 77 ] && grep -q "in use after [3-9] s: giving up" log || die "a folder in use for long: $code, $(cat log)"
rm occupied-tries log
code=0
"$root/launch/supervise" --run left ./occupied 2>log &
pid=$!
wait_for "$pid" grep -q "waiting for its end" log || die "a folder in use: $(cat log)"
kill -TERM "$pid"
wait "$pid" || code=$?
[ "$code" -eq 75 ] || die "stopped while a folder is in use: $code, $(cat log)"
printf 'x\n' >tries
code=0
supervise --max-restarts 3 --run left ./busy 2>log || code=$?
[ "$code" -eq 77 ] && ! grep -q "^supervise" log || die "a folder in use at the start: $code, $(cat log)"
pass "a folder that is in use: after a restart it waits, not for ever; a stop is 75; at the start it ends"

# A request to stop is passed on, and is the end.
for signal in TERM INT HUP USR1; do
  for ranks in 1 2; do
    code=0 folder=stop-$signal-$ranks
    env --default-signal=INT,HUP "$root/launch/supervise" "$root/launch/local" "$ranks" config.yaml --run "$folder" \
      --set training.steps=100000 2>log &
    pid=$!
    wait_for "$pid" has_lines "$folder/metrics.jsonl" 5 || die "$(cat log)"
    kill "-$signal" "$pid"
    wait "$pid" || code=$?
    [ "$code" -eq 75 ] || die "$signal, $ranks rank(s): $code, $(cat log)"
    step=$(losses "$folder" | tail -n 1 | cut -d ' ' -f 1)
    [ "$(cat "$folder/checkpoints/latest")" = "$(printf 'step-%08d' "$step")" ] || die "$signal: not saved, $(cat log)"
    if grep -q "restart" log; then die "$signal: $(cat log)"; fi
  done
done
pass "TERM, INT, HUP and USR1: a checkpoint at the last step, exit code 75, no restart"

# If it is killed, what it has started goes on.
"$root/launch/supervise" "$root/launch/local" 1 config.yaml --run orphan 2>log &
pid=$!
wait_for "$pid" has_lines orphan/metrics.jsonl 5 || die "$(cat log)"
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
for _ in $(seq 600); do
  if grep -q "^Complete" log; then break; fi
  sleep 0.1
done
grep -q "^Complete" log || die "the run did not go on: $(cat log)"
under 1 train config.yaml --run whole-1 2>log || die "$(cat log)"
same orphan whole-1 "a run whose supervisor was killed"
pass "the run of a killed supervisor goes on to its end"

# Hosts that do not answer are left out.
cat >probe <<'END'
#!/usr/bin/env bash
[ "$1" != gone ]
END
cat >report <<'END'
#!/usr/bin/env bash
cat "$1" >found; echo "$2" >>found
END
chmod +x probe report
printf 'here slots=4 # the first\n\ngone slots=8\nthere slots=2\nalone\n' >hosts
UNROLL_PROBE=./probe supervise --run r --hostfile hosts ./report "{hosts}" "-np={ranks}" 2>log || die "$(cat log)"
[ "$(paste -sd ' ' found)" = "here slots=4 there slots=2 alone slots=1 -np=7" ] || die "$(cat found log)"
[ "$(grep -c "host gone does not answer" log)" -eq 1 ] || die "$(cat log)"
pass "hosts that do not answer are left out, and the ranks fitted to the rest"

for arguments in "" "--max-restarts x true" "--hostfile hosts --run r true" "true" "--nothing true"; do
  code=0
  # shellcheck disable=SC2086
  supervise $arguments 2>log || code=$?
  [ "$code" -eq 64 ] && [ "$(wc -l <log)" -eq 1 ] || die "supervise $arguments: $code, $(cat log)"
done
pass "wrong usage of its own: 64 and one sentence"
