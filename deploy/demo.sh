#!/usr/bin/env bash
# Installs, builds and runs mixfeed's main job on a generated dataset: a server, a guess model, two
# trainers that pull MixMatch batches and one that pulls mixup batches, all at once; then a network is
# trained with MixMatch, and guesses with what it has learnt. Leaves a picture of a real batch and a
# plot of the training. Everything is written to build/.
#
#   deploy/demo.sh [--steps N] [--updates N] [--jobs N]
#
# --steps: steps of each feed, 2 or more (200); --updates: of the training (240); --jobs: compilers at
# once (one a core).
set -euo pipefail
cd "$(dirname "$0")/.."

steps=200
updates=240
jobs=$(nproc)
number() {  # flag, value, least
  [[ $2 =~ ^[0-9]{1,9}$ ]] && [ "$2" -ge "$3" ] && return
  echo "demo: $1 is '$2'; allowed: a number from $3" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case "$1" in
    --steps) number "$1" "${2:-}" 2; steps=$2; shift ;;
    --updates) number "$1" "${2:-}" 1; updates=$2; shift ;;
    --jobs) number "$1" "${2:-}" 1; jobs=$2; shift ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done

out=build/demo
state=$(mktemp -d)
children=()
current="start"
say() {
  current=$*
  printf '\n== %s\n' "$current"
}
finish() {
  status=$?
  for child in ${children[@]+"${children[@]}"}; do kill "$child" 2>/dev/null && wait "$child" 2>/dev/null || true; done
  rm -rf "$state"
  [ $status -ne 0 ] || return 0
  echo "demo: FAILED in: $current" >&2
  for log in "$out"/server.log "$out"/*.summary; do
    if [ -s "$log" ]; then printf -- '-- %s\n' "$log" >&2; tail -n 3 "$log" >&2; fi
  done
}
trap finish EXIT

say "Installing packages"
deploy/install-deps.sh

say "Building (the first time takes some minutes)"
cmake --preset release >/dev/null
cmake --build build/release -j "$jobs" --target mixfeed mixfeed-server mixfeed-train mixfeed-try-model
bin=build/release/bin
rm -rf $out
mkdir -p $out

say "Starting the server on a generated dataset"
touch $out/server.out
$bin/mixfeed-server --listen 127.0.0.1:0 --data demo=generated --state-dir "$state" \
  >$out/server.out 2>$out/server.log &
server=$!
children+=($server)
until grep -q 'listening on' $out/server.out; do
  kill -0 $server
  sleep 0.1
done
MIXFEED_SERVER=$(sed -n '1s/.*listening on //p' $out/server.out)
export MIXFEED_SERVER
$bin/mixfeed info

say "Registering a guess model"
$bin/mixfeed model register small --kind resnet-small

say "Two trainers pull MixMatch batches and one pulls mixup batches, $steps steps of each feed"
mixmatch=(--recipe mixmatch --labels 250 --batch 64 --seed 1 --run demo)
pulls=()
for rank in 0 1; do
  $bin/mixfeed pull "${mixmatch[@]}" --rank $rank --world 2 --steps $((steps / 2)) >$out/mixmatch-$rank.log 2>$out/mixmatch-$rank.summary &
  pulls+=($!)
done
$bin/mixfeed pull --recipe mixup --batch 128 --seed 1 --run demo --steps "$steps" >$out/mixup.log 2>$out/mixup.summary &
pulls+=($!)
children+=("${pulls[@]}")
for pull in "${pulls[@]}"; do wait "$pull"; done
for name in mixmatch-0 mixmatch-1 mixup; do
  echo "-- $name"
  tail -n 3 "$out/$name.log"
  tail -n 1 "$out/$name.summary"
done

say "A network learns from 4,000 labels: $updates updates, each pushed back, so that it guesses what it learns from next"
# The published weight of unlabelled rows, 75, is for thousands of updates: so early, guesses would collapse under it.
training=(--recipe mixmatch --labels 4000 --batch 64 --seed 1 --run training --set recipe.weight.value=3
  --set recipe.weight.ramp=steps --set recipe.weight.ramp_length="$updates")
$bin/mixfeed-train "${training[@]}" --policy delayed:1 --steps "$updates" --threads 1 --ema 0.9 --norm-momentum 0.1 \
  --eval-every 60 --log-every 60 --checkpoint $out/training.ckpt --png $out/training.png

say "Pictures of real batches"
$bin/mixfeed peek "${mixmatch[@]}" --step 0 --out $out/mixmatch-batch.png
$bin/mixfeed peek "${training[@]}" --set recipe.interleave=true --model training --policy delayed:1 \
  --step $((updates - 1)) --out $out/training-batch.png
echo
echo "demo: all done; look at mixmatch-batch.png, training-batch.png and training.png in $PWD/$out"
