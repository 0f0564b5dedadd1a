#!/usr/bin/env bash
# Installs what mixfeed builds, runs and tests with, from Debian 12's (or Ubuntu 24.04's) packages.
#
#   deploy/install-deps.sh [--tests]
#
# --tests adds the sanitizers' runtimes, the lint tools and the clients that the tests talk to the
# server with. Does nothing when all is there; needs root (or sudo) only when something is missing.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkg-config git ca-certificates curl
  libgrpc++-dev libgrpc-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libc-ares-dev
  libssl-dev libre2-dev zlib1g-dev
  libtorch-dev libgloo-dev libopenblas-dev libopencv-dev libabsl-dev libhwy-dev librandom123-dev libcli11-dev
  libspdlog-dev prometheus-cpp-dev libcpp-httplib-dev libsqlite3-dev libhiredis-dev libxxhash-dev nlohmann-json3-dev
  python3-dev python3-venv libdlpack-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
test_packages=(
  clang clang-format clang-tidy lld libclang-rt-14-dev openssl sqlite3 redis-server
  python3 libpython3-dev python3-numpy python3-pil python3-grpcio python3-protobuf python3-pytest
  python3-torch python3-torchvision python3-matplotlib pybind11-dev
)

case "${1:-}" in
  "") packages=("${build_packages[@]}") ;;
  --tests) packages=("${build_packages[@]}" "${test_packages[@]}") ;;
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "install-deps: unknown argument '$1'; allowed: --tests, --help" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install-deps: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps: run as root, or install sudo: missing ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "install-deps: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "install-deps: done"
