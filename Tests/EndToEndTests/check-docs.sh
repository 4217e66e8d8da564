#!/usr/bin/env bash
# The commands in the pages are those of the program, and the small ones run.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
if ! command -v python3 >/dev/null; then
  echo "skip  check-docs: there is no python3"
  exit 0
fi
said=$("$root/launch/check-docs") || die "$said"
pass "$said"
