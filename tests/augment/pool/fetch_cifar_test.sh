#!/usr/bin/env bash
# Tests deploy/fetch-cifar.sh against archives in a folder: $1 is the script. What only the published
# archives can show (a checksum that matches) is shown with md5sum replaced.
set -euo pipefail

script=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export MIXFEED_CIFAR_URL=file://$folder/mirror

fail() { echo "FAILED: $*"; cat "$folder/output"; exit 1; }
# run NAME STATUS TEXT ARGUMENTS...: the script must end with STATUS and print TEXT.
run() {
  local name=$1 status=$2 text=$3 actual=0
  shift 3
  "$script" "$@" >"$folder/output" 2>&1 || actual=$?
  [ "$actual" = "$status" ] || fail "$name: ended with $actual, not $status"
  grep -qF -- "$text" "$folder/output" || fail "$name: did not print '$text'"
  [ -z "$(find "$folder/data" -name '.fetch-cifar-*' 2>/dev/null)" ] || fail "$name: left files behind"
  echo "ok: $name"
}

mkdir -p "$folder/mirror" "$folder/content/cifar-10-batches-bin" "$folder/content/cifar-100-binary"
for i in 1 2 3 4 5; do echo image >"$folder/content/cifar-10-batches-bin/data_batch_$i.bin"; done
echo image >"$folder/content/cifar-10-batches-bin/test_batch.bin"
echo image >"$folder/content/cifar-100-binary/train.bin"  # and no test.bin
tar -czf "$folder/mirror/cifar-10-binary.tar.gz" -C "$folder/content" cifar-10-batches-bin
tar -czf "$folder/mirror/cifar-100-binary.tar.gz" -C "$folder/content" cifar-100-binary

run "--help explains" 0 "deploy/fetch-cifar.sh cifar10|cifar100 DIR" --help
run "no arguments" 2 "deploy/fetch-cifar.sh cifar10|cifar100 DIR"
run "an unknown dataset" 2 "deploy/fetch-cifar.sh cifar10|cifar100 DIR" svhn "$folder/data"
run "no folder" 2 "deploy/fetch-cifar.sh cifar10|cifar100 DIR" cifar10
run "a wrong checksum is refused" 1 "published is c32a1d4ab5d03f1284b67883e8d87530" cifar10 "$folder/data"
[ ! -e "$folder/data/cifar-10-batches-bin" ] || fail "unpacked in spite of a wrong checksum"
run "a wrong checksum is refused" 1 "published is 03b5dce01913d631647c71ecec9e9cb8" cifar100 "$folder/data"
MIXFEED_CIFAR_URL=file://$folder/none \
  run "an address without the archive" 1 "cannot be downloaded" cifar10 "$folder/data"

mkdir "$folder/bin"
cat >"$folder/bin/md5sum" <<'END'
#!/bin/sh
case "$1" in
  *cifar-10-binary*) echo "c32a1d4ab5d03f1284b67883e8d87530  $1" ;;
  *) echo "03b5dce01913d631647c71ecec9e9cb8  $1" ;;
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
