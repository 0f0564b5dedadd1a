#!/usr/bin/env bash
# clang-tidy, and clang's warnings with -Wthread-safety, over the product's sources.
#
#   tests/run_clang_tidy.sh JOBS
#
# Several sources of a target are read at once, as in a unity build: most of the time goes to the
# headers that they share. They are read again only when one of them, a header of ours or the
# settings changed.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${1:?JOBS}
build=build/tidy

{ cmake --preset tidy && cmake --build $build --target mixfeed_generated; } >build/last.log 2>&1 ||
  { cat build/last.log; exit 1; }

done_dir=$build/clang-tidy
mkdir -p "$done_dir"
settings=$(git ls-files '*.h' .clang-tidy tests/run_clang_tidy.sh '*.proto' | xargs cat | sha256sum)

check() {
  local source=$1 parts stamp
  parts=$(sed -n 's/^#include "\(.*\.cc\)"$/\1/p' "$source")
  stamp=$done_dir/$({ echo "$settings"; cat "$source" $parts; } | sha256sum | cut -c1-32)
  [ -e "$stamp" ] && return 0
  clang-tidy --quiet -p "$build" --checks=-bugprone-suspicious-include \
    --extra-arg=-Wthread-safety --extra-arg=-Wreserved-identifier --extra-arg=-Wno-unknown-warning-option \
    "$source" >"$stamp.log" 2>&1 ||
    { cat "$stamp.log" >&2; echo "clang-tidy: $source" $parts >&2; return 1; }
  mv "$stamp.log" "$stamp"
}
export -f check
export done_dir settings build

# All but the generated code.
sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' $build/compile_commands.json |
  grep -vE '\.pb\.cc$|/mixfeed_(proto|grpc)\.dir/' |
  xargs -r -n 1 -P "$jobs" bash -c 'check "$0"'
