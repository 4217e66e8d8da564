#!/usr/bin/env bash
# Compiles the Swift of docs/library.md against the modules that are built: every block as it stands,
# and a block that imports nothing behind the block before it that does.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$work"

awk '
  /^```swift$/ { inside = 1; text = ""; next }
  /^```$/ && inside {
    inside = 0
    if (text ~ /import PackageDescription/) next
    if (text ~ /^import /) { whole = text } else text = whole text
    count++
    mkdir = "mkdir -p block-" count
    system(mkdir)
    printf "%s", text >("block-" count "/main.swift")
  }
  inside { text = text $0 "\n" }
' "$root/docs/library.md"

modules=$scratch/release/Modules
[ -d "$modules" ] || die "no $modules: build first"
found=(block-*/main.swift)
[ ${#found[@]} -ge 5 ] || die "${#found[@]} blocks of Swift in docs/library.md, not 5"
flags=(-swift-version 6 -O -I "$modules" -Xcc "-march=$march")
# The C modules that the Swift ones were built with.
for map in "$scratch"/release/*.build/module.modulemap "$root"/Sources/*/module.modulemap \
  "$scratch"/checkouts/*/Sources/*/include/module.modulemap; do
  if [ -f "$map" ]; then flags+=(-Xcc "-fmodule-map-file=$map"); fi
done
for folder in "$root"/Sources/*/include; do flags+=(-Xcc -I -Xcc "$folder"); done
for package in openblas ompi-c zlib; do
  for flag in $(pkg-config --cflags-only-I "$package"); do flags+=("$flag"); done
done
for block in "${found[@]}"; do
  swiftc -typecheck "${flags[@]}" "$block" 2>log || die "$block of docs/library.md: $(cat "$block" log)"
done
pass "${#found[@]} blocks of Swift in docs/library.md compile"
