"""A server for the examples: the one that --server or MIXFEED_SERVER names, else one that they start themselves."""

from __future__ import annotations

import argparse
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile

import mixfeed

_LISTENING = "mixfeed-server listening on "
_LAST_WORDS = 2000  # characters of the server's log in an error


def connect(args: argparse.Namespace) -> mixfeed.Connection:
    """A connection to args.server, MIXFEED_SERVER's, or a new server with the dataset args.data, which ends with this
    process."""
    return mixfeed.connect(args.server or os.environ.get("MIXFEED_SERVER") or start(args.data))


def start(data: str) -> str:
    """Starts a mixfeed-server on a free port of this machine and returns its address. Exits with a message when there
    is no such program, or the server does not start."""
    log = tempfile.TemporaryFile()
    process = subprocess.Popen([_program(), "--listen", "127.0.0.1:0", "--data", data, "--cache-dir", _cache()],
                               stdout=subprocess.PIPE, stderr=log, text=True)
    atexit.register(_stop, process)
    assert process.stdout is not None
    line = process.stdout.readline().rstrip("\n")
    if line.startswith(_LISTENING):
        return line[len(_LISTENING):]
    process.wait()
    log.seek(0)
    raise SystemExit(f"the server did not start: {log.read().decode(errors='replace')[-_LAST_WORDS:]}")


def _program() -> str:
    checkout = pathlib.Path(__file__).resolve().parents[3]
    for folder in (os.environ.get("MIXFEED_BIN"), None, checkout / "build/release/bin"):
        found = shutil.which("mixfeed-server", path=None if folder is None else str(folder))
        if found is not None:
            return found
    raise SystemExit("no mixfeed-server in MIXFEED_BIN, PATH or build/release/bin: deploy/demo.sh builds one; or name "
                     "a running server with --server HOST:PORT")


def _cache() -> str:
    """Where `mixfeed bench` keeps the generated dataset too, which takes seconds to draw."""
    return str(pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "mixfeed")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()
