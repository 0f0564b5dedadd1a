#!/usr/bin/env bash
# Tests deploy/fetch-dataset.sh against files in a folder: $1 is the script. What only the published
# files can show (a checksum that matches) is shown with md5sum replaced.
set -euo pipefail

script=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export MIXFEED_DATASET_URL=file://$folder/mirror

fail() { echo "FAILED: $*"; cat "$folder/output"; exit 1; }
# run NAME STATUS TEXT ARGUMENTS...: the script must end with STATUS and print TEXT.
run() {
  local name=$1 status=$2 text=$3 actual=0
  shift 3
  "$script" "$@" >"$folder/output" 2>&1 || actual=$?
  [ "$actual" = "$status" ] || fail "$name: ended with $actual, not $status"
  grep -qF -- "$text" "$folder/output" || fail "$name: did not print '$text'"
  [ -z "$(find "$folder/data" -name '.fetch-dataset-*' 2>/dev/null)" ] || fail "$name: left files behind"
  echo "ok: $name"
}

mkdir -p "$folder/mirror" "$folder/content/cifar-10-batches-bin" "$folder/content/cifar-100-binary" \
  "$folder/content/stl10_binary"
for i in 1 2 3 4 5; do echo image >"$folder/content/cifar-10-batches-bin/data_batch_$i.bin"; done
echo image >"$folder/content/cifar-10-batches-bin/test_batch.bin"
echo image >"$folder/content/cifar-100-binary/train.bin"  # and no test.bin
for file in train_X.bin train_y.bin test_X.bin test_y.bin unlabeled_X.bin class_names.txt; do
  echo image >"$folder/content/stl10_binary/$file"
done
tar -czf "$folder/mirror/cifar-10-binary.tar.gz" -C "$folder/content" cifar-10-batches-bin
tar -czf "$folder/mirror/cifar-100-binary.tar.gz" -C "$folder/content" cifar-100-binary
tar -czf "$folder/mirror/stl10_binary.tar.gz" -C "$folder/content" stl10_binary
idx_files="train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz"
for file in $idx_files; do echo "$file" | gzip >"$folder/mirror/$file"; done

usage="deploy/fetch-dataset.sh cifar10|cifar100|mnist|fashion-mnist|stl10 DIR"
run "--help explains" 0 "$usage" --help
run "no arguments" 2 "$usage"
run "an unknown dataset" 2 "$usage" svhn "$folder/data"
run "no folder" 2 "$usage" cifar10
# Name, the first checksum as published, and the folder.
while read -r name checksum target; do
  run "a wrong checksum of $name is refused" 1 "published is $checksum" "$name" "$folder/data"
  [ ! -e "$folder/data/$target" ] || fail "unpacked in spite of a wrong checksum"
done <<'END'
cifar10 c32a1d4ab5d03f1284b67883e8d87530 cifar-10-batches-bin
cifar100 03b5dce01913d631647c71ecec9e9cb8 cifar-100-binary
mnist f68b3c2dcbeaaa9fbdd348bbdeb94873 mnist
fashion-mnist 8d4fb7e6c68d591d4c3dfef9ec88bf0d fashion-mnist
stl10 91f7769df0f17e558f3565bffb0c7dfb stl10_binary
END
MIXFEED_DATASET_URL=file://$folder/none \
  run "an address without the archive" 1 "cannot be downloaded" cifar10 "$folder/data"

mkdir "$folder/bin"
cat >"$folder/bin/md5sum" <<'END'
#!/bin/sh
case "$1" in
  *cifar-10-binary*) echo "c32a1d4ab5d03f1284b67883e8d87530  $1" ;;
  *cifar-100-binary*) echo "03b5dce01913d631647c71ecec9e9cb8  $1" ;;
  *stl10*) echo "91f7769df0f17e558f3565bffb0c7dfb  $1" ;;
  *train-images*) echo "f68b3c2dcbeaaa9fbdd348bbdeb94873  $1" ;;
  *train-labels*) echo "d53e105ee54ea40749a09fcbcd1e9432  $1" ;;
  *t10k-images*) echo "9fb629c4189551a2d022fa330f9573f3  $1" ;;
  *t10k-labels*) echo "$LAST_CHECKSUM  $1" ;;
esac
END
chmod +x "$folder/bin/md5sum"
export PATH=$folder/bin:$PATH
run "the archive is unpacked" 0 "Done: $folder/data/cifar-10-batches-bin" cifar10 "$folder/data"
[ -s "$folder/data/cifar-10-batches-bin/data_batch_5.bin" ] || fail "nothing was unpacked"
run "a second run does nothing" 0 "nothing to do" cifar10 "$folder/data"
rm "$folder/data/cifar-10-batches-bin/data_batch_2.bin"
run "an incomplete folder is named" 1 "is incomplete" cifar10 "$folder/data"
run "an archive that lacks a file is refused" 1 "does not hold" cifar100 "$folder/data"
[ ! -e "$folder/data/cifar-100-binary" ] || fail "an incomplete archive was put in place"
run "STL-10 is unpacked" 0 "--data stl10=$folder/data/stl10_binary" stl10 "$folder/data"
LAST_CHECKSUM=wrong run "the last of several files is checked" 1 \
  "t10k-labels-idx1-ubyte.gz has the MD5 checksum wrong" mnist "$folder/data"
[ ! -e "$folder/data/mnist" ] || fail "files were put in place in spite of a wrong checksum"
LAST_CHECKSUM=ec29112dd5afa0611ce80d1b7f02629c \
  run "files without an archive are put in place" 0 "--data mnist=$folder/data/mnist" mnist "$folder/data"
for file in $idx_files; do
  cmp "$folder/mirror/$file" "$folder/data/mnist/$file" || fail "$file is another one"
done
