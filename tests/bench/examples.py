#!/usr/bin/env python3
"""Seconds that each example of the Python package takes with --quick, by the two minutes that its --help promises on
two cores.

    examples.py [--bin build/release/bin] [--data generated] [--steps N] [NAME...]

Run it with a Python that has the package, PyTorch and matplotlib. NAME: "mixup"; by default all.
"""
from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from kit import BIN, CHECKOUT, Aim, Bystanders, machine, on_cores, running_server

EXAMPLES = CHECKOUT / "client/python/examples"
NAMES = ("mixup", "label_preserving", "manifold_mixup", "mixmatch", "mixing_principles", "what_mixing_does")
LIMIT_SECONDS = 120
CORES = 2


def seconds_of(name: str, address: str, options: list[str]) -> float:
    with tempfile.TemporaryDirectory(prefix="mixfeed-bench-") as out:
        begin = time.perf_counter()
        subprocess.run([sys.executable, EXAMPLES / f"{name}.py", "--quick", "--server", address, "--out", out,
                        *options], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=BIN, help="folder of mixfeed-server; default: %(default)s")
    parser.add_argument("--data", default="generated", help="the server's dataset; default: %(default)s")
    parser.add_argument("--steps", help="of each training; only to see that everything works")
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(NAMES))
    args = parser.parse_args()
    options = ["--steps", args.steps] if args.steps else []
    others = Bystanders()
    with on_cores(sorted(os.sched_getaffinity(0))[:CORES]), running_server(args.bin, data=args.data) as server:
        for name in args.names or NAMES:
            share = seconds_of(name, server.address, options) / LIMIT_SECONDS
            print(Aim(f"{LIMIT_SECONDS} s by {name}.py --quick", share, 1), flush=True)
    print(machine(others.share()))


if __name__ == "__main__":
    main()
