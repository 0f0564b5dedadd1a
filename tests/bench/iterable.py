#!/usr/bin/env python3
"""What the Python iterable costs: microseconds of `next(feed)` for a batch that is there, and images a second of
`for batch in feed` beside the C++ client's (`mixfeed bench`), in turn, on one server.

    iterable.py --bin build/release/bin [--rounds N] [--seconds S] [--batch B]

Run it with the Python that the package is installed in. Exits with 1 when a goal is missed.
"""
from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import mixfeed

from kit import running_server

COST_GOAL_US = 50
RATIO_GOAL = 0.9
PIXELS = 32 * 32 * 3


def cost_us(connection: mixfeed.Connection, batches: int = 500) -> tuple[float, float]:
    """Medians of next() and of taking what a loop takes, for a small batch that has arrived: of all time, and of this
    thread's on the processor."""
    times, on_processor = [], []
    with iter(connection.open("mixup", batch=2, dtype="uint8", seed=1)) as iterator:
        for _ in range(batches):
            time.sleep(0.001)  # the next batches arrive
            start, processor = time.perf_counter(), time.thread_time()
            batch = next(iterator)
            batch.images, batch.targets, batch.n_labelled, batch.lambda_u, batch.step
            times.append(time.perf_counter() - start)
            on_processor.append(time.thread_time() - processor)
    return statistics.median(times) * 1e6, statistics.median(on_processor) * 1e6


def images_per_second(connection: mixfeed.Connection, batch: int, dtype: str, seconds: float, round_: int) -> float:
    """As `mixfeed bench` counts them: from when the first window has come."""
    feed = connection.open("mixup", batch=batch, dtype=dtype, from_step=(round_ + 1) * 1_000_000_000)
    images, start = 0, 0.0
    for count, received in enumerate(feed):
        now = time.perf_counter()
        if count < feed.options.prefetch:
            start = now
            continue
        images += received.rows
        if now - start >= seconds:
            return images / (now - start)
    raise AssertionError("an endless feed ended")


def client_images_per_second(program: pathlib.Path, address: str, batch: int, dtype: str, seconds: float) -> float:
    output = subprocess.run([program, "bench", "--server", address, "--recipe", "mixup", "--batch", str(batch),
                             "--format", dtype, "--rounds", "1", "--seconds", str(seconds), "--json"],
                            check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(output.stdout)["fresh_images_per_second"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    missed = False
    with running_server(args.bin) as server:
        address = server.address
        connection = mixfeed.connect(address)
        cost, on_processor = cost_us(connection)
        missed |= cost >= COST_GOAL_US
        print(f"next(feed), a batch that is there: {cost:.1f} us, {on_processor:.1f} of them on the processor "
              f"(goal: below {COST_GOAL_US})")
        for dtype, width in (("float32", 4), ("uint8", 1)):
            ours, theirs = [], []
            for round_ in range(args.rounds):
                theirs.append(client_images_per_second(args.bin / "mixfeed", address, args.batch, dtype,
                                                       args.seconds))
                ours.append(images_per_second(connection, args.batch, dtype, args.seconds, round_))
            python, client = statistics.median(ours), statistics.median(theirs)
            ratio = statistics.median(a / b for a, b in zip(ours, theirs))
            missed |= ratio < RATIO_GOAL
            print(f"{dtype:8} for batch in feed {python:11,.0f} images/s, {python * PIXELS * width / 1e9:.2f} GB/s; "
                  f"C++ client {client:11,.0f}; ratio {ratio:.2f} (goal: {RATIO_GOAL}, median of {args.rounds} "
                  "pairs)")
    sys.exit(missed)


if __name__ == "__main__":
    main()
