#!/usr/bin/env bash
# Measures mixfeed and its peers in one run, and prints ratios to limits, goals and Arrow Flight.
#
#   tests/bench/run.sh [--quick]
#
# Installs and builds what it needs, pyarrow into build/bench-venv. Peers alternate with mixfeed, and
# medians are compared, since the machine's speed drifts. Do not run anything else meanwhile. Exits
# with 1 when a goal of the last two parts is missed; the others are only printed.
set -euo pipefail
missed=0
cd "$(dirname "$0")/../.."
bin=$PWD/build/release/bin
case "${1:-}" in
  "") rounds=5 seconds=4 ;;
  --quick) rounds=1 seconds=2 ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

deploy/install-deps.sh --tests
cmake --preset release >/dev/null
cmake --build build/release --target kernel_bench batch_bench recipe_bench view_bench neighbour_bench generator_bench forward_bench push_bench mixfeed mixfeed-server mixfeed-try-model

venv=build/bench-venv
if [ ! -x $venv/bin/python ]; then
  /usr/bin/python3 -m venv $venv
  $venv/bin/pip install -q --no-cache-dir --disable-pip-version-check pyarrow numpy
fi

echo "== kernels, one core (goals: 650,000 float32 and 700,000 uint8 images/s)"
taskset -c 0 "$bin/kernel_bench" --benchmark_min_time=1

echo "== whole batches without a transport, one core"
taskset -c 0 "$bin/batch_bench" --benchmark_min_time=1

echo "== every recipe, one core (goal: >= 0.75 of mixup's images read)"
taskset -c 0 "$bin/recipe_bench"

echo "== fastai's views beside OpenCV's, one core (goal: vs_opencv >= 2)"
taskset -c 0 "$bin/view_bench" --benchmark_min_time=1

echo "== the 200 nearest neighbours of 10,000 images (limit: 240 s for 50,000)"
"$bin/neighbour_bench"

echo "== the generated dataset (limit: 15 s)"
"$bin/generator_bench"

echo "== the guess model's forward passes"
"$bin/forward_bench"

echo "== pushed weights (limit: 15 ms besides guess and disk)"
"$bin/push_bench"

echo "== the Python iterable (goals: below 50 us a batch; >= 0.90 of the C++ client)"
$venv/bin/pip install -q --no-cache-dir --disable-pip-version-check ./client/python
$venv/bin/python tests/bench/iterable.py --bin "$bin" --rounds $rounds --seconds $seconds || missed=1

echo "== end to end over loopback (goals: fresh >= 0.80 of ready-made and > 75,000/s; ready-made >= 0.90 of Flight; guesses >= 0.95)"
$venv/bin/python tests/bench/end_to_end.py --mixfeed "$bin/mixfeed" --python $venv/bin/python --rounds $rounds --seconds $seconds || missed=1
exit $missed
