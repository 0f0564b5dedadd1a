#!/usr/bin/env python3
"""`mixfeed bench` and Arrow Flight in turn; prints the median rates and their ratios.

    end_to_end.py --mixfeed PROGRAM [--python PYTHON_WITH_PYARROW] [--rounds N] [--seconds S]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

FLIGHT = pathlib.Path(__file__).with_name("flight_peer.py")


def run_json(*command):
    return json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)


def median(results, key):
    return statistics.median(result[key] for result in results)


def compare(args, pixel_type):
    """Mixup batches of 64 against ready-made ones through the same service and through Flight."""
    flights, benches = [], []
    for _ in range(args.rounds):
        flights.append(run_json(args.python, FLIGHT, "--type", pixel_type, "--rounds", 1, "--seconds", args.seconds))
        benches.append(run_json(args.mixfeed, "bench", "--json", "--recipe", "mixup", "--batch", 64, "--format", pixel_type,
                                "--seconds", args.seconds))
    flight = median(flights, "flight_images_per_second")
    wire = median(benches, "wire_limit_images_per_second")
    fresh = median(benches, "fresh_images_per_second")
    print(f"{pixel_type:8} Flight ready-made {flight:10,.0f} images/s")
    print(f"{'':8} mixfeed ready-made {wire:9,.0f} images/s = {wire / flight:.2f} of Flight")
    print(f"{'':8} mixfeed fresh      {fresh:9,.0f} images/s = {fresh / wire:.2f} of ready-made, {fresh / flight:.2f} of Flight")


def compare_guesses(args):
    """MixMatch batches against the guess model's bare forward passes."""
    results = [run_json(args.mixfeed, "bench", "--json", "--recipe", "mixmatch", "--batch", 64, "--format", "uint8",
                        "--seconds", args.seconds) for _ in range(args.rounds)]
    print(f"mixmatch bare forward passes {median(results, 'bare_forward_images_per_second'):8,.0f} views/s")
    print(f"         finished batches at {median(results, 'guess_ratio'):.2f} of them")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixfeed", required=True, type=pathlib.Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    args = parser.parse_args()
    for pixel_type in ["float32", "uint8"]:
        compare(args, pixel_type)
    compare_guesses(args)


if __name__ == "__main__":
    main()
