#!/usr/bin/env bash
# Compiles the Swift code of docs/ against the modules that are built, and runs its programs. Errors name the
# page and the line.
# - A block below a line that ends with `Sources/…/Name.swift`: is that file. A file of this package is compiled
#   with its module, in place of the one that is there; a main.swift is a program, which is linked and run.
# - A block that imports something is compiled by itself, and one that does not behind the last one of its page
#   that does.
# - Other blocks are fragments, which need what is around them, and are counted.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.bash"
cd "$work"

modules=$scratch/release/Modules
[ -d "$modules" ] || die "no $modules: build first"
common=(-swift-version 6 -Xcc "-march=$march" -enable-upcoming-feature InternalImportsByDefault)
# The C modules that the Swift ones were built with.
for map in "$scratch"/release/*.build/module.modulemap "$root"/Sources/*/module.modulemap \
  "$scratch"/checkouts/*/Sources/*/include/module.modulemap; do
  if [ -f "$map" ]; then common+=(-Xcc "-fmodule-map-file=$map"); fi
done
for folder in "$root"/Sources/*/include; do common+=(-Xcc -I -Xcc "$folder"); done
libraries=()
for package in openblas ompi-c zlib libzstd sentencepiece; do
  for flag in $(pkg-config --cflags-only-I "$package"); do common+=("$flag"); done
  for flag in $(pkg-config --libs "$package"); do libraries+=("${flag/#-Wl,/-Xlinker }"); done
done
libraries+=(-lstdc++)
read -ra libraries <<<"${libraries[*]}"

# What SwiftPM calls this package: the name of its folder.
package=$(basename "$root" | tr '[:upper:]' '[:lower:]')

# Writes every block of a page into a folder of its own: code.swift, and with it name, where the page
# names a file. Behind #sourceLocation a compiler counts the lines of the page.
blocks() {
  local page=$1
  awk -v page="docs/$(basename "$page")" -v folder="$work/$(basename "$page" .md)" '
    /^```swift$/ { inside = 1; text = ""; line = FNR + 1; next }
    /^```$/ && inside {
      inside = 0
      place = "#sourceLocation(file: \"" page "\", line: " line ")\n"
      imports = text ~ /(^|\n)((internal|public|package) )?import /
      kind = text ~ /import PackageDescription/ ? "manifest" : imports || name ? "file" : whole ? "more" : "fragment"
      if (kind == "file" && name !~ /Sources\/[A-Z]/) whole = place text
      out = folder "-" line
      system("mkdir -p " out)
      printf "%s", (kind == "more" ? whole : "") place text >(out "/code.swift")
      print kind, name >(out "/kind")
      name = ""
    }
    inside { text = text $0 "\n"; next }
    # The name stands at the end of a line, with at most an empty line below it.
    NF { name = match($0, /`Sources\/[^`]*\.swift`:$/) ? substr($0, RSTART + 1, RLENGTH - 3) : "" }
  ' "$page"
}

# The text of a block of a page below the line that names it: listed PAGE NAME
listed() {
  awk -v name="$2" '
    !found && index($0, "`" name "`") { found = 1 }
    found && inside && /^```$/ { exit }
    inside { print }
    found && /^```/ { inside = 1 }
  ' "$root/docs/$1"
}

# The objects of the modules, without those of tests and of the program.
objects() {
  local folder
  for folder in "$scratch"/release/*.build; do
    case $(basename "$folder" .build) in
      *Tests | *TestSupport | *-tool | UnrollPackage* | unroll | generate_* | ArgumentParser* | \
        AllocationCounter | ProcessorCheck | CFileFaults | InMemoryLogging) ;;
      *) find "$folder" -name '*.o' ;;
    esac
  done | while read -r object; do
    # Files that were moved or renamed leave their objects behind.
    source=$root/Sources/$(basename "$(dirname "$object")" .build)
    file=$(basename "$object" .o)
    if [[ $file != *.swift || ! -d $source || -n $(find "$source" -name "$file") ]]; then echo "$object"; fi
  done
}

compile() { swiftc -typecheck "${common[@]}" "$@" 2>log || die "$(cat log)"; }

for page in "$root"/docs/*.md; do
  # extending.sh compiles those of docs/extending.md in copies of their modules.
  if [ "$(basename "$page")" != extending.md ]; then blocks "$page"; fi
done
declare -A count=([file]=0 [more]=0 [manifest]=0 [fragment]=0 [module]=0)
programs=()
for block in "$work"/*-[0-9]*/; do
  read -r kind name <"$block/kind" || true
  case $kind in
    fragment) ;;
    manifest)
      compile -I "$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")/lib/swift/pm/ManifestAPI" \
        -package-description-version 6.3 "$block/code.swift"
      ;;
    *)
      module=${name#Sources/}
      module=${module%%/*}
      if [ -n "$name" ] && [ -d "$root/Sources/$module" ]; then
        mapfile -t rest < <(find "$root/Sources/$module" -name '*.swift' ! -path "$root/$name")
        compile -module-name "$module" -package-name "$package" -parse-as-library -I "$modules" "$block/code.swift" "${rest[@]}"
        kind=module
      else
        mv "$block/code.swift" "$block/main.swift"
        compile -I "$modules" "$block/main.swift"
        if [ -n "$name" ]; then programs+=("$block $module"); fi
      fi
      ;;
  esac
  count[$kind]=$((count[$kind] + 1))
done
[ "${count[file]}" -ge 3 ] && [ "${count[module]}" -ge 1 ] || die "blocks of Swift are missing: ${count[*]}"
pass "$((count[file] + count[more] + count[manifest])) blocks of Swift compile by themselves," \
  "${count[module]} with their modules; ${count[fragment]} are fragments"

listed library.md first.yaml >first.yaml
if [ ! -f /usr/share/common-licenses/GPL-3 ]; then
  text 35000 1 >text.txt
  sed -i 's|/usr/share/common-licenses/GPL-3|text.txt|' first.yaml
fi
mapfile -t linked < <(objects)
for entry in "${programs[@]}"; do
  read -r block program <<<"$entry"
  swiftc "${common[@]}" -I "$modules" "$block/main.swift" -o "$program" "${linked[@]}" "${libraries[@]}" \
    2>log || die "$program of the pages cannot be linked: $(cat log)"
  OPENBLAS_NUM_THREADS=1 timeout -k 5 120 "./$program" >said 2>log || die "$program: $(cat said log)"
  shown "$root/docs/library.md" "$program" >wanted
  resembles wanted said || die "$program wrote $(cat said), and docs/library.md shows $(cat wanted)"
done
pass "${#programs[@]} programs of docs/library.md write what it shows"
