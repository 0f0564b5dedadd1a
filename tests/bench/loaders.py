#!/usr/bin/env python3
"""Mixup batches of CIFAR-10 into one training process: `for batch in feed` beside other loaders, as images a second.

    loaders.py [--bin DIR] [--data DIR] [--batches B ...] [--rounds N] [--seconds S] [--peers-python PYTHON] [--json]

Every loader gives the same batches: crops of images padded with 4 black pixels, mirrored half of the time, mixed with
a permutation of the batch by one lambda ~ Beta(1, 1), float32 in [-1, 1], with soft targets; the first is checked. All
run on the same cores, with as many threads or workers, in processes that stay: what serves, what makes and the loop
that takes share these cores. The loop does nothing with a batch. Loaders take turns; figures are medians over the
rounds, ratios those of the same round.

  feed           mixfeed-server and the Python package
  torch-images   torch DataLoader, an image at a time: torchvision's transforms, mixup in the collate function
  torch-batches  torch DataLoader, a batch at a time: array operations on images padded once
  tf-service     tf.data service, its dispatcher and worker in a process of their own; batched operations
  tf-process     the same tf.data pipeline inside the training process
  dali           a DALI pipeline on the CPU, inside the training process

What each does stands at the head of its script, *_peer.py. Peers that are not installed are left out, with the reason;
for TensorFlow and DALI make an environment, which is used if it is there:

    /usr/bin/python3 -m venv build/peers && build/peers/bin/pip install tensorflow-cpu nvidia-dali-cuda130

Aim: the feed gives as many images a second as the fastest of the others. Ends with 0 whatever the figures are.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import signal
import statistics
import sys
import tempfile
import time
from typing import Any

import numpy as np

import mixfeed
from kit import BIN, CHECKOUT, Aim, Asked, Bystanders, Missing, Server, machine, running_server

HERE = pathlib.Path(__file__).resolve().parent
PEERS_PYTHON = CHECKOUT / "build/peers/bin/python"
AIM = 1.0

# Name: script, its form, whether it runs in the Python of --peers-python.
LOADERS = {"feed": ("feed_peer.py", [], False),
           "torch-images": ("torch_peer.py", ["images"], False),
           "torch-batches": ("torch_peer.py", ["batches"], False),
           "tf-service": ("tf_data_peer.py", ["service"], True),
           "tf-process": ("tf_data_peer.py", ["in-process"], True),
           "dali": ("dali_peer.py", [], True)}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--bin", type=pathlib.Path, default=BIN, metavar="DIR",
                        help="mixfeed-server (default: MIXFEED_BIN, else build/release/bin)")
    parser.add_argument("--data", type=pathlib.Path, metavar="DIR",
                        help="CIFAR-10's .bin files (default: the generated dataset)")
    parser.add_argument("--loaders", nargs="+", choices=[name for name in LOADERS if name != "feed"], metavar="NAME",
                        default=[name for name in LOADERS if name != "feed"], help="beside the feed (default: all)")
    parser.add_argument("--batches", nargs="+", type=int, default=[64, 256], metavar="B", help="default: 64 256")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, default=3, metavar="S", help="of a loader a round, and one before it")
    parser.add_argument("--cores", nargs="+", type=int, default=cores, metavar="CORE", help="default: all")
    parser.add_argument("--peers-python", type=pathlib.Path, metavar="PYTHON",
                        default=PEERS_PYTHON if PEERS_PYTHON.exists() else pathlib.Path(sys.executable),
                        help="of TensorFlow and DALI (default: build/peers/bin/python if it is there, else this one)")
    parser.add_argument("--quick", action="store_true", help="a fifth of a second each, to see that everything works")
    parser.add_argument("--json", action="store_true", help="one object of JSON instead of the report")
    options = parser.parse_args(arguments)
    if options.quick:
        options.batches, options.rounds, options.seconds = [16], 1, 0.2
    if options.rounds < 1 or options.seconds <= 0 or min(options.batches) < 2:
        parser.error("--rounds must be 1 or more, --seconds more than 0, --batches 2 or more")
    if not set(options.cores) <= set(cores):
        parser.error(f"--cores: {options.cores} given, this process may use {cores}")
    return options


def write_files(server: Server, folder: pathlib.Path) -> None:
    """The server's training images in CIFAR-10's binary form, for the others."""
    with mixfeed.connect(server.address) as connection:
        labelled = connection.open("supervised", labels="all", dtype="uint8").eval("labelled", batch=500)
        records = [np.column_stack([batch.targets.argmax(1).astype(np.uint8), batch.images.reshape(batch.rows, -1)])
                   for batch in labelled]
    np.concatenate(records).tofile(folder / "data_batch_1.bin")


def start(name: str, batch: int, folder: pathlib.Path, options: argparse.Namespace) -> Asked:
    script, form, elsewhere = LOADERS[name]
    return Asked(options.peers_python if elsewhere else sys.executable, HERE / script, *form, "--data", folder,
                 "--batch", batch, "--threads", len(options.cores))


def measure(batch: int, folder: pathlib.Path, options: argparse.Namespace) -> dict[str, Any]:
    """Images a second of each loader by round, what it calls itself, and why others are left out."""
    with contextlib.ExitStack() as stack:
        started = {"feed": stack.enter_context(start("feed", batch, folder, options))}
        left_out = {}
        for name in options.loaders:
            try:
                started[name] = stack.enter_context(start(name, batch, folder, options))
            except Missing as reason:
                left_out[name] = str(reason)
        rates: dict[str, list[float]] = {name: [] for name in started}
        for number in range(options.rounds):
            for name in list(started)[::-1 if number % 2 else 1]:
                time.sleep(min(0.3, options.seconds))  # those before fill up what they make ahead
                rates[name].append(started[name].ask(seconds=options.seconds)["images_per_second"])
        names = {name: process.greeting["name"] for name, process in started.items()}
    return {"rates": rates, "names": names, "left_out": left_out}


def summary(batch: int, measured: dict[str, Any]) -> dict[str, Any]:
    rates = measured.pop("rates")
    ratios = {name: statistics.median(ours / theirs for ours, theirs in zip(rates["feed"], values))
              for name, values in rates.items() if name != "feed"}
    fastest = min(ratios, key=ratios.__getitem__, default=None)
    return {"batch": batch, **measured,
            "images_per_second": {name: statistics.median(values) for name, values in rates.items()},
            "feed_to": ratios,
            "aims": [] if fastest is None else [Aim(f"{fastest}'s, the fastest of the others", ratios[fastest], AIM,
                                                    least=True)]}


def report(found: dict[str, Any]) -> None:
    for part in found["batches"]:
        print(f"batches of {part['batch']}, float32")
        for name, rate in part["images_per_second"].items():
            ratio = f"feed at {part['feed_to'][name]:.2f} of it" if name in part["feed_to"] else ""
            print(f"  {name:14} {rate:9,.0f} images/s  {ratio:22} {part['names'][name]}")
        for name, reason in part["left_out"].items():
            print(f"  {name:14} left out: {reason}")
        for aim in part["aims"]:
            print(f"  {aim}")


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is stopped
    os.sched_setaffinity(0, options.cores)
    bystanders = Bystanders()
    data = f"cifar10={options.data}" if options.data else "generated"
    with running_server(options.bin, "--threads", str(len(options.cores)), "--idle-limit-ms", "3600000",
                        data=data) as server, tempfile.TemporaryDirectory(prefix="mixfeed-bench-") as work:
        os.environ["MIXFEED_SERVER"] = server.address
        folder = options.data or pathlib.Path(work)
        if not options.data:
            write_files(server, folder)
        parts = [summary(batch, measure(batch, folder, options)) for batch in options.batches]
    found = {"cores": options.cores, "rounds": options.rounds, "seconds": options.seconds,
             "others": bystanders.share(), "batches": parts}
    if options.json:
        for part in parts:
            part["aims"] = [aim.json() for aim in part["aims"]]
        print(json.dumps(found))
    else:
        print(f"{len(options.cores)} cores; medians of {options.rounds} rounds of {options.seconds} s a loader")
        print(machine(found["others"]))
        report(found)


if __name__ == "__main__":
    main()
