#!/usr/bin/env bash
# Compiles the examples of docs/extending.md: each block of Swift whose first line is a path becomes that
# file in a copy of its module's sources, the indented line after it is added to the module's registry,
# and the module is compiled.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$work"

awk '
  /^```swift$/ { inside = 1; first = 1; next }
  /^```$/ && inside { inside = 0; next }
  inside && first {
    first = 0
    if ($0 !~ /^\/\/ Sources\//) { print "a block without a path: " $0 >"/dev/stderr"; exit 1 }
    file = $2
    print file >"files"
    gsub("/", "@", file)
  }
  inside { print >("text-" file) }
  !inside && /^      ["A-Za-z]/ && file { sub(/^ +/, ""); print >("line-" file); file = "" }
' "$root/docs/extending.md"

modules=$scratch/release/Modules
[ -d "$modules" ] || die "no $modules: build first"
flags=(-swift-version 6 -O -package-name "$(basename "$root" | tr "[:upper:] " "[:lower:]_")" -enable-upcoming-feature InternalImportsByDefault
  -I "$modules" -Xcc "-march=$march")
# SwiftPM names a package after its folder. The C modules are those that the Swift ones were built with.
for map in "$scratch"/release/*.build/module.modulemap "$root"/Sources/*/module.modulemap; do
  if [ -f "$map" ]; then flags+=(-Xcc "-fmodule-map-file=$map"); fi
done
for folder in "$root"/Sources/*/include; do flags+=(-Xcc -I -Xcc "$folder"); done
for package in openblas ompi-c zlib; do
  for flag in $(pkg-config --cflags-only-I "$package"); do flags+=("$flag"); done
done

# The file of a registry, and the entry that the new line goes before.
registry() {
  case $1 in
    Datasets) echo "Tokenizers/TokenizerRegistry.swift ByteTokenizer()," ;;
    LinearAlgebra) echo "Products/ProductBackend.swift OwnRows()," ;;
    Optimization) echo "Optimizer.swift \"adagrad\": Adagrad.self," ;;
    *) die "no registry of $1 is known" ;;
  esac
}

count=0
while read -r file; do
  module=$(cut -d/ -f2 <<<"$file")
  name=${file//\//@}
  rm -rf "$module"
  cp -r "$root/Sources/$module" "$module"
  cp "text-$name" "${file#Sources/}"
  [ -f "line-$name" ] || die "$file has no line for a registry behind it"
  read -r list entry < <(registry "$module")
  grep -qF "$entry" "$module/$list" || die "$module/$list has no $entry"
  awk -v entry="$entry" -v line="$(cat "line-$name")" '
    index($0, entry) && !done { print "    " line; done = 1 }
    { print }
  ' "$module/$list" >list
  mv list "$module/$list"
  mapfile -t sources < <(find "$module" -name '*.swift')
  swiftc -typecheck -module-name "$module" "${flags[@]}" "${sources[@]}" 2>log ||
    die "$file of docs/extending.md: $(cat log)"
  count=$((count + 1))
done <files
[ "$count" -ge 3 ] || die "$count examples in docs/extending.md, not 3"
pass "$count examples of docs/extending.md compile"
