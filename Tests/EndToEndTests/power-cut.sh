#!/bin/bash
# Cuts the power at every fsync of a program that saves checkpoints on ext4, and checks what is left.
#
#   sudo Tests/EndToEndTests/power-cut.sh        after `swift build --build-tests`; needs strace, mkfs.ext4
#
# The file system lies in an image on a loop device. The program is killed before its n-th fsync, and
# the image is copied at that moment: what ext4 still holds in memory is not in the copy, as after a
# power cut. The copy is mounted, which replays its journal, and must hold a whole checkpoint no older
# than the last that was reported. TESTS names another test binary than that of the release build.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "power-cut.sh: run it as root, it mounts disks" >&2; exit 64; }
# Among mounts of its own: another process that copies all mounts (unshare, a container) would keep a disk
# mounted here, and the next one would be written under it.
if [ -z "${UNROLL_OWN_MOUNTS-}" ] && unshare -m true 2>/dev/null; then
  UNROLL_OWN_MOUNTS=yes exec unshare -m "$0" "$@"
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
tests=${TESTS:-$root/.build/release/UnrollPackageTests.xctest}
[ -x "$tests" ] || { echo "power-cut.sh: no $tests: run swift build -c release --build-tests" >&2; exit 64; }

work=$(mktemp -d)
disk=$work/disk cut=$work/cut child=
mkdir "$disk" "$cut"
# What still writes is ended first, and nothing is removed while a disk is mounted.
finish() {
  trap '' TERM INT HUP
  local place
  if [ -n "$child" ]; then
    kill -KILL -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  for place in "$cut" "$disk"; do
    if mountpoint -q "$place"; then umount -q "$place" || umount -l "$place" || true; fi
  done
  if mountpoint -q "$cut" || mountpoint -q "$disk"; then
    echo "power-cut.sh: $work is left, because a disk in it cannot be unmounted" >&2
  else
    rm -rf "$work"
  fi
}
trap finish EXIT
trap 'exit 143' TERM INT HUP

# A group of its own, so that all of it can be ended. Waiting lets a signal to this script act at once.
run() {
  local code=0
  setsid "$@" --testing-library swift-testing >"$work/log" 2>&1 &
  child=$!
  # Bash tells of a child that was killed.
  { wait "$child" || code=$?; } 2>/dev/null
  child=
  return "$code"
}

for n in $(seq 1 200); do
  truncate -s 0 "$work/disk.img"
  truncate -s 24M "$work/disk.img"
  mkfs.ext4 -q -F "$work/disk.img"
  # The journal must not be committed by itself while the image is copied: the copy would be of two moments.
  mount -o loop,commit=300 "$work/disk.img" "$disk"
  sync -f "$disk"
  : >"$work/reported"
  export UNROLL_TEST_REPORT=$work/reported
  status=0
  UNROLL_TEST_SAVING_PROCESS=$disk run strace -f -o /dev/null -e trace=fsync \
    -e "inject=fsync:signal=KILL:when=$n" "$tests" --filter SavingProcess || status=$?
  # Another name each time, because a loop device may still have the one before.
  cp --sparse=always "$work/disk.img" "$work/cut-$n.img"
  umount "$disk"

  mount -o loop "$work/cut-$n.img" "$cut"
  left=$(ls -A "$cut/checkpoints" 2>/dev/null | tr '\n' ' ' || true)
  if ! UNROLL_TEST_CUT_FOLDER=$cut run "$tests" --filter 'what a power cut left'; then
    cat "$work/log"
    echo "FAILED: power cut at fsync $n, reported $(wc -l <"$work/reported"), left: $left" >&2
    exit 1
  fi
  umount "$cut"
  rm "$work/cut-$n.img"
  echo "fsync $n: reported $(wc -l <"$work/reported"), left: $left"
  if [ "$status" = 0 ]; then
    echo "every power cut left a whole checkpoint no older than the last reported"
    exit 0
  fi
done
echo "power-cut.sh: the program never ended by itself" >&2
exit 1
