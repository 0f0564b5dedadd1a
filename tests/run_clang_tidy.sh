#!/usr/bin/env bash
# clang-tidy, and clang's warnings with -Wthread-safety, over the product's sources in a build folder.
#
#   tests/run_clang_tidy.sh BUILD_DIR JOBS
#
# A file is checked again only when it, a header of ours or the settings changed.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?BUILD_DIR} jobs=${2:?JOBS}

done_dir=$build/clang-tidy
mkdir -p "$done_dir"
headers=$(git ls-files '*.h' .clang-tidy tests/run_clang_tidy.sh '*.proto' | xargs cat | sha256sum)

check() {
  local source=$1 stamp
  stamp=$done_dir/$({ echo "$headers"; cat "$source"; } | sha256sum | cut -c1-32)
  [ -e "$stamp" ] && return 0
  clang-tidy --quiet -p "$build" --extra-arg=-Wthread-safety --extra-arg=-Wno-unknown-warning-option \
    "$source" >"$stamp.log" 2>&1 || { cat "$stamp.log" >&2; echo "clang-tidy: $source" >&2; return 1; }
  mv "$stamp.log" "$stamp"
}
export -f check
export done_dir headers build

git ls-files 'augment/*.cc' 'server/*.cc' 'client/*.cc' 'proto/frame/*.cc' |
  while read -r source; do
    if grep -qF "\"$PWD/$source\"" "$build/compile_commands.json"; then echo "$source"; fi
  done |
  xargs -r -n 1 -P "$jobs" bash -c 'check "$0"'
