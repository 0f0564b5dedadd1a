#!/usr/bin/env bash
# Runs a command against a mixfeed-server of its own, on a small dataset, with the server's address
# appended to the command and the dataset's folder in MIXFEED_TEST_DATA.
#
#   with_server.sh SERVER_PROGRAM COMMAND [ARGUMENT...]
set -euo pipefail
program=$1
shift

work=$(mktemp -d)
server=0
trap '[ $server -eq 0 ] || { kill $server; wait $server; } 2>/dev/null || true; rm -rf "$work"' EXIT
/usr/bin/python3 - "$work/cifar" <<'PYTHON'
import pathlib, sys
import numpy as np
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
rng = np.random.RandomState(0)
for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
    records = rng.randint(0, 256, (100, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(100) % 10
    records.tofile(folder / f"{name}.bin")
PYTHON
export MIXFEED_TEST_DATA=$work/cifar
"$program" --listen 127.0.0.1:0 --data "cifar=$work/cifar" --state-dir "$work/state" >"$work/out" 2>"$work/log" &
server=$!
until [ -s "$work/out" ]; do
  kill -0 $server 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.05
done
"$@" "$(sed -n '1s/.*listening on //p' "$work/out")"
