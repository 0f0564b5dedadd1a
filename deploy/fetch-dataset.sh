#!/usr/bin/env bash
# Downloads a dataset, checks it, and unpacks it into a folder of its own in DIR.
#
#   deploy/fetch-dataset.sh cifar10|cifar100|mnist|fashion-mnist|stl10 DIR
#
# Afterwards `mixfeed-server --data` serves that folder; the last line printed says how. A dataset
# that is there already is left alone, so the script can be run again. Needs curl, tar and md5sum,
# and in DIR about 360 MB for CIFAR, 6 GB for STL-10 and 40 MB for the others.
#
# MIXFEED_DATASET_URL replaces the address of the folder that holds the files, for a mirror or a
# file:// folder; the files' checksums stay those that were published:
#   https://www.cs.toronto.edu/~kriz/cifar.html, and torchvision/datasets for the others
set -euo pipefail

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0"; }
fail() { printf 'fetch-dataset.sh: %s\n' "$*" >&2; exit 1; }

# MNIST's four files, which stay compressed.
idx_files="train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz"

# url: where the downloads are; downloads and checksums: what they are, in the same order, and their
# MD5 checksums; folder: what they unpack to; files: what it must hold.
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  cifar10)
    url=https://www.cs.toronto.edu/~kriz
    downloads=cifar-10-binary.tar.gz
    checksums=c32a1d4ab5d03f1284b67883e8d87530
    folder=cifar-10-batches-bin
    files="data_batch_1.bin data_batch_2.bin data_batch_3.bin data_batch_4.bin data_batch_5.bin test_batch.bin"
    ;;
  cifar100)
    url=https://www.cs.toronto.edu/~kriz
    downloads=cifar-100-binary.tar.gz
    checksums=03b5dce01913d631647c71ecec9e9cb8
    folder=cifar-100-binary
    files="train.bin test.bin"
    ;;
  mnist)
    url=https://ossci-datasets.s3.amazonaws.com/mnist
    downloads=$idx_files
    checksums="f68b3c2dcbeaaa9fbdd348bbdeb94873 d53e105ee54ea40749a09fcbcd1e9432 9fb629c4189551a2d022fa330f9573f3 ec29112dd5afa0611ce80d1b7f02629c"
    folder=mnist
    files=$idx_files
    ;;
  fashion-mnist)
    url=http://fashion-mnist.s3-website.eu-central-1.amazonaws.com
    downloads=$idx_files
    checksums="8d4fb7e6c68d591d4c3dfef9ec88bf0d 25c81989df183df01b3e8a0aad5dffbe bef4ecab320f06d8554ea6380940ec79 bb300cfdad3c16e7a12a480ee83cd310"
    folder=fashion-mnist
    files=$idx_files
    ;;
  stl10)
    url=http://ai.stanford.edu/~acoates/stl10
    downloads=stl10_binary.tar.gz
    checksums=91f7769df0f17e558f3565bffb0c7dfb
    folder=stl10_binary
    files="train_X.bin train_y.bin test_X.bin test_y.bin unlabeled_X.bin class_names.txt"
    ;;
  *) usage >&2; exit 2 ;;
esac
[ $# -eq 2 ] || { usage >&2; exit 2; }
target=$2
url=${MIXFEED_DATASET_URL:-$url}

complete() {  # folder
  local file
  for file in $files; do [ -s "$1/$file" ] || return 1; done
}

# Downloads $1, whose checksum is $2, and unpacks it where it is an archive.
fetch() {
  local found
  echo "Downloading $url/$1 ..."
  curl --fail --location --silent --show-error --retry 3 --output "$work/$1" "$url/$1" ||
    fail "$url/$1 cannot be downloaded"
  found=$(md5sum "$work/$1" | cut -d ' ' -f 1)
  [ "$found" = "$2" ] ||
    fail "$1 has the MD5 checksum $found, published is $2; nothing was unpacked"
  case $1 in
    *.tar.gz) tar -xzf "$work/$1" -C "$work" || fail "$1 cannot be unpacked" ;;
    *) mkdir -p "$work/$folder" && mv "$work/$1" "$work/$folder/" ;;
  esac
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
work=$(mktemp -d "$target/.fetch-dataset-XXXXXX")
trap 'rm -rf "$work"' EXIT

read -r -a checksum <<<"$checksums"
next=0
for download in $downloads; do
  fetch "$download" "${checksum[$next]}"
  next=$((next + 1))
done
complete "$work/$folder" || fail "$downloads does not hold $folder with $files"
mv "$work/$folder" "$target/$folder"
echo "Done: $target/$folder. Serve it with: mixfeed-server --data $1=$target/$folder"
