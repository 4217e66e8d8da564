#!/usr/bin/env bash
# Compiles the examples of docs/extending.md: each block of Swift whose first line is a path becomes that
# file in a copy of its module's sources, the indented line after it is added to its registry, and the
# module is compiled; so is that of the registry, if it is another one.
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
for map in "$scratch"/release/*.build/module.modulemap "$root"/Sources/*/module.modulemap \
  "$scratch"/checkouts/*/Sources/*/include/module.modulemap; do
  if [ -f "$map" ]; then flags+=(-Xcc "-fmodule-map-file=$map"); fi
done
for folder in "$root"/Sources/*/include "$scratch"/checkouts/*/Sources/*/include; do flags+=(-Xcc -I -Xcc "$folder"); done
for package in openblas ompi-c zlib libzstd sentencepiece; do
  for flag in $(pkg-config --cflags-only-I "$package"); do flags+=("$flag"); done
done

# The module and the file of a registry, and the entry that the new line goes before.
registry() {
  case $1 in
    Datasets) echo "Datasets Tokenizers/TokenizerRegistry.swift ByteTokenizer()," ;;
    LinearAlgebra) echo "LinearAlgebra Products/ProductBackend.swift OwnRows()," ;;
    Optimization) echo "Optimization Rules/Optimizer.swift \"adagrad\": Adagrad.self," ;;
    Training) echo "Training Reducers/GradientReducer.swift return SparseRowReducer(of:" ;;
    Reporting) echo "Runs Reports.swift metrics," ;;
    *) die "no registry of $1 is known" ;;
  esac
}

# Compiles a module of this folder, where it is there, and of the package otherwise.
compile() {
  local file=$1 module=$2
  mapfile -t sources < <(find "$module" -name '*.swift')
  swiftc -emit-module -emit-module-path "$work/modules/$module.swiftmodule" -module-name "$module" \
    -I "$work/modules" "${flags[@]}" "${sources[@]}" 2>log || die "$file of docs/extending.md: $(cat log)"
}

count=0
while read -r file; do
  module=$(cut -d/ -f2 <<<"$file")
  name=${file//\//@}
  [ -f "line-$name" ] || die "$file has no line for a registry behind it"
  read -r home list entry < <(registry "$module")
  rm -rf "$module" "$home" modules
  mkdir modules
  for folder in "$module" "$home"; do cp -rn "$root/Sources/$folder" .; done
  cp "text-$name" "${file#Sources/}"
  grep -qF "$entry" "$home/$list" || die "$home/$list has no $entry"
  awk -v entry="$entry" -v line="$(cat "line-$name")" '
    index($0, entry) && !done { print "    " line; done = 1 }
    { print }
  ' "$home/$list" >list
  mv list "$home/$list"
  compile "$file" "$module"
  if [ "$home" != "$module" ]; then compile "$file" "$home"; fi
  count=$((count + 1))
done <files
[ "$count" -ge 5 ] || die "$count examples in docs/extending.md, not 5"
pass "$count examples of docs/extending.md compile"
