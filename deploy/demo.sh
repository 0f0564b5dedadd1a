#!/usr/bin/env bash
# Installs, builds and runs mixfeed's main job on a generated dataset: a server, a guess model, two
# trainers that pull MixMatch batches and one that pulls mixup batches, all at once. Leaves a picture
# of a real batch. Everything is written to build/.
#
#   deploy/demo.sh [--steps N] [--jobs N]
set -euo pipefail
cd "$(dirname "$0")/.."

steps=200
jobs=$(nproc)
while [ $# -gt 0 ]; do
  case "$1" in
    --steps) steps=${2:?--steps needs a number}; shift ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '\n== %s\n' "$*"; }
state=$(mktemp -d)
server=0
finish() {
  status=$?
  [ $server -eq 0 ] || { kill $server 2>/dev/null && wait $server || true; }
  rm -rf "$state"
  [ $status -eq 0 ] || echo "demo: failed; the server's log is build/demo/server.log" >&2
}
trap finish EXIT

say "Installing packages"
deploy/install-deps.sh

say "Building (the first time takes some minutes)"
cmake --preset release -DMIXFEED_TESTS=OFF >/dev/null
cmake --build build/release -j "$jobs" --target mixfeed mixfeed-server mixfeed-try-model
bin=build/release/bin
out=build/demo
mkdir -p $out

say "Starting the server on a generated dataset"
$bin/mixfeed-server --listen 127.0.0.1:0 --data demo=generated --state-dir "$state" \
  >"$out/server.out" 2>"$out/server.log" &
server=$!
until grep -qs 'listening on' "$out/server.out"; do
  kill -0 $server 2>/dev/null || { cat "$out/server.log" >&2; exit 1; }
  sleep 0.1
done
address=$(sed -n '1s/.*listening on //p' "$out/server.out")
export MIXFEED_SERVER=$address
$bin/mixfeed info

say "Registering a guess model"
$bin/mixfeed model register small --kind resnet-small

say "Two trainers pull MixMatch batches and one pulls mixup batches, $steps steps in all each feed"
mixmatch=(--recipe mixmatch --labels 250 --batch 64 --seed 1 --run demo)
pulls=()
for rank in 0 1; do
  $bin/mixfeed pull "${mixmatch[@]}" --rank $rank --world 2 --steps $((steps / 2)) >"$out/mixmatch-$rank.log" 2>"$out/mixmatch-$rank.summary" &
  pulls+=($!)
done
$bin/mixfeed pull --recipe mixup --batch 128 --seed 1 --run demo --steps "$steps" >"$out/mixup.log" 2>"$out/mixup.summary" &
pulls+=($!)
for pull in "${pulls[@]}"; do wait "$pull"; done
for name in mixmatch-0 mixmatch-1 mixup; do
  echo "-- $name"
  tail -n 3 "$out/$name.log"
  tail -n 1 "$out/$name.summary"
done

say "A picture of a real batch"
$bin/mixfeed peek "${mixmatch[@]}" --step 0 --out "$out/mixmatch-batch.png"
echo
echo "demo: all done; look at $PWD/$out/mixmatch-batch.png"
