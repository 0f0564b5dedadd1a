#!/usr/bin/env bash
# Downloads CIFAR-10 or CIFAR-100 (binary version), checks it, and unpacks it.
#
#   deploy/fetch-cifar.sh cifar10|cifar100 DIR
#
# Afterwards `mixfeed-server --data DIR` serves it. A dataset that is there already is left alone,
# so the script can be run again. Needs curl, tar and md5sum, and about 360 MB in DIR.
#
# MIXFEED_CIFAR_URL replaces the address of the folder that holds the archives, for a mirror or a
# file:// folder; the archives' checksums stay those that were published:
#   https://www.cs.toronto.edu/~kriz/cifar.html
set -euo pipefail

usage() { sed -n '2,11s/^# \{0,1\}//p' "$0"; }
fail() { printf 'fetch-cifar.sh: %s\n' "$*" >&2; exit 1; }

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  cifar10)
    archive=cifar-10-binary.tar.gz
    checksum=c32a1d4ab5d03f1284b67883e8d87530
    folder=cifar-10-batches-bin
    files="data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin"
    ;;
  cifar100)
    archive=cifar-100-binary.tar.gz
    checksum=03b5dce01913d631647c71ecec9e9cb8
    folder=cifar-100-binary
    files="train.bin test.bin"
    ;;
  *) usage >&2; exit 2 ;;
esac
[ $# -eq 2 ] || { usage >&2; exit 2; }
target=$2
url=${MIXFEED_CIFAR_URL:-https://www.cs.toronto.edu/~kriz}/$archive

complete() {  # folder
  local file
  for file in $files; do [ -s "$1/$file" ] || return 1; done
}

if complete "$target/$folder"; then
  echo "$target/$folder is there already; nothing to do."
  exit 0
fi
[ ! -e "$target/$folder" ] || fail "$target/$folder is incomplete; remove it and run this again"

for tool in curl tar md5sum; do
  command -v $tool >/dev/null || fail "$tool is missing; install it (Debian: apt install curl tar coreutils)"
done
mkdir -p "$target" || fail "$target cannot be created"
# Unpacked beside its final place, then renamed: the folder is whole whenever it is there.
work=$(mktemp -d "$target/.fetch-cifar-XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "Downloading $url ..."
curl --fail --location --silent --show-error --retry 3 --output "$work/$archive" "$url" ||
  fail "$url cannot be downloaded"
found=$(md5sum "$work/$archive" | cut -d ' ' -f 1)
[ "$found" = "$checksum" ] ||
  fail "$archive has the MD5 checksum $found, published is $checksum; nothing was unpacked"
tar -xzf "$work/$archive" -C "$work" || fail "$archive cannot be unpacked"
complete "$work/$folder" || fail "$archive does not hold $folder with $files"
mv "$work/$folder" "$target/$folder"
echo "Done: $target/$folder. Serve it with: mixfeed-server --data $1=$target/$folder"
