#!/usr/bin/env bash
# One, two and four processes train the same model: with Adam and dropout, the losses of 200 steps
# agree to 1e-4.
set -euo pipefail
source "$(dirname "$0")/common.bash"
text 9000 1 >"$work/train.txt"
text 1500 2 >"$work/valid.txt"
config "$work/config.yaml"

for ranks in 1 2 4; do
  under $ranks train "$work/config.yaml" --run "$work/$ranks" 2>"$work/log" || die "$ranks: $(cat "$work/log")"
  losses "$work/$ranks" >"$work/losses-$ranks"
  [ "$(wc -l <"$work/losses-$ranks")" -eq 200 ] || die "$ranks processes: not 200 losses"
done
for ranks in 2 4; do
  worst=$(paste "$work/losses-1" "$work/losses-$ranks" | awk '
    { d = ($2 - $4) / $2; if (d < 0) d = -d; if (d > worst) worst = d; if ($1 != $3) worst = 1 }
    END { print worst + 0 }')
  awk -v w="$worst" 'BEGIN { exit !(w <= 1e-4) }' || die "$ranks processes part from one by $worst"
  pass "$ranks processes: 200 losses as with one, to $worst"
done
awk 'NR == 1 { a = $2 } END { exit !($2 < a - 0.3) }' "$work/losses-1" || die "nothing was learnt"
pass "the loss falls from $(head -n 1 "$work/losses-1" | cut -d ' ' -f 2) to $(tail -n 1 "$work/losses-1" | cut -d ' ' -f 2)"
