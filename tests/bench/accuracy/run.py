#!/usr/bin/env python3
"""Trains the small built-in network on CIFAR-10 in several ways and appends their test accuracy to a CSV.

    run.py --data build/data/cifar-10-batches-bin --arms in-process lockstep supervised mixup --seeds 1 2 3

Starts a server of its own, on a free port. Runs that the CSV has already are skipped; one that was interrupted is made
anew from its beginning. Several runners may share a CSV if they have no arm in common.
"""
import argparse
import contextlib
import dataclasses
import functools
import itertools
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import torch

import data
import results
from arms import ARMS
from in_process_run import InProcessRun
from settings import Settings

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, metavar="DIR", help="CIFAR-10's .bin files")
    parser.add_argument("--bin", type=pathlib.Path, default=CHECKOUT / "build/release/bin", metavar="DIR",
                        help="mixfeed and mixfeed-server (default: build/release/bin)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE",
                        help="default: results.csv beside this script; with --quick a file in a new folder")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM",
                        help="some of: " + ", ".join(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], metavar="N",
                        help="of the initial weights, the split and the plan alike; default 1 2 3")
    parser.add_argument("--steps", type=int, default=3000, metavar="N", help="updates of a run")
    parser.add_argument("--evaluate-every", type=int, default=300, metavar="N", help="updates between evaluations")
    parser.add_argument("--labels", type=int, default=Settings.labels, metavar="N", help="but for the arms full-*")
    parser.add_argument("--batch", type=int, default=Settings.batch, metavar="B", help="labelled images a step")
    parser.add_argument("--lambda-u", type=float, default=Settings.lambda_u, metavar="W", help="MixMatch's weight of the "
                        f"guessed rows (default {Settings.lambda_u:g})")
    parser.add_argument("--ramp", type=int, default=Settings.ramp, metavar="N",
                        help=f"updates until it is reached (default {Settings.ramp})")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the trainer, and of the guesses")
    parser.add_argument("--quick", action="store_true", help="4 updates of 8 images, to see that everything works")
    parser.add_argument("--json", action="store_true", help="a line of JSON an evaluation on the standard output")
    options = parser.parse_args(arguments)
    if options.quick:
        options.steps, options.evaluate_every, options.batch, options.labels = 4, 2, 8, 50
    if options.out is None:
        options.out = pathlib.Path(tempfile.mkdtemp()) / "quick.csv" if options.quick else HERE / "results.csv"
    for name in ["steps", "evaluate_every", "labels", "batch", "ramp", "threads"]:
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: {getattr(options, name)} given, must be 1 or more")
    return options


def commit():
    """Of the checkout; with "+" where scripts of this folder differ from it; "unknown" outside a checkout or without
    git."""
    def git(*words):
        return subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True, check=True).stdout.strip()
    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "*.py") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class Progress:
    """A bar with the time left: redrawn on a terminal, a line an evaluation elsewhere."""

    def __init__(self, runs, steps):
        self._total, self._steps, self._done, self._start = runs * steps, steps, 0, time.monotonic()

    def step(self, what, update, accuracy=None):
        self._done += 1
        evaluated = accuracy is not None
        terminal = sys.stderr.isatty()
        if not evaluated and not (terminal and update % 5 == 0):
            return
        left = (time.monotonic() - self._start) / self._done * (self._total - self._done)
        filled = round(20 * update / self._steps)
        line = (f"{what:22} [{'#' * filled}{'.' * (20 - filled)}] {update}/{self._steps} updates, "
                f"{left / 60:.0f} min left in all" + (f", accuracy {accuracy:.2f} %" if evaluated else ""))
        print(("\r\033[K" if terminal else "") + line, end="\n" if evaluated or not terminal else "", file=sys.stderr,
              flush=True)


def train(run, options, row, test, progress):
    """Makes the updates of one run; a row an evaluation goes to the CSV. row: the values that all of them share."""
    begin, since = time.monotonic(), []
    for update in range(1, options.steps + 1):
        since.append(run.step())
        accuracy = None
        if update % options.evaluate_every == 0 or update == options.steps:
            accuracy = data.accuracy(run.average, test)
            means = {name: round(sum(getattr(result, name) for result in since) / len(since), 6)
                     for name in since[0]._fields}
            found = {**row, "step": update, "accuracy": round(accuracy, 4), **means,
                     "wall_s": round(time.monotonic() - begin, 1)}
            results.append(options.out, found)
            if options.json:
                print(json.dumps(found), flush=True)
            since = []
        progress.step(f"{row['arm']} seed {row['seed']}", update, accuracy)


def run_maker(options, settings, train_set, stack):
    """make(arm, seed); the server is started with the first arm that needs it, and stopped by `stack`."""
    @functools.cache
    def server():
        from feed_server import FeedServer  # in-process training needs nothing of mixfeed
        return stack.enter_context(FeedServer(options.bin, options.data, options.threads))

    def make(arm, seed):
        if arm.recipe is None:
            return InProcessRun(settings, seed, train_set)
        from feed_run import FeedRun
        return FeedRun(arm, settings, seed, server())
    return make


def main(arguments=None):
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the server is stopped
    train_set, test_set = data.train_images(options.data), data.test_images(options.data)
    shared = {"batch": options.batch, "threads": options.threads, "commit": commit()}
    runs = []
    for seed, name in itertools.product(options.seeds, options.arms):
        labels = len(train_set.labels) if ARMS[name].full else options.labels
        weight = (f"{options.lambda_u:g}", options.ramp) if ARMS[name].guesses else ("", "")
        row = {"arm": name, "seed": seed, "labels": labels, **shared, **dict(zip(["lambda_u", "ramp"], weight))}
        key = results.Key(*(str(row[field]) for field in results.Key._fields))
        if results.is_finished(options.out, key, options.steps):
            print(f"{name} seed {seed}: is in {options.out.name}", file=sys.stderr)
        else:
            runs.append((key, row))
    progress = Progress(len(runs), options.steps)
    settings = dataclasses.replace(Settings(), batch=options.batch, labels=options.labels, lambda_u=options.lambda_u,
                                   ramp=options.ramp)
    with contextlib.ExitStack() as stack:
        make = run_maker(options, settings, train_set, stack)
        for key, row in runs:
            results.forget(options.out, key)
            with contextlib.closing(make(ARMS[row["arm"]], row["seed"])) as run:
                train(run, options, row, test_set, progress)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted: the run that was under way will be made anew", file=sys.stderr)
        sys.exit(130)
