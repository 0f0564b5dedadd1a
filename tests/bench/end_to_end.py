#!/usr/bin/env python3
"""`mixfeed bench` and Arrow Flight in turn; prints the median rates, their ratios and which goals they reach.
Exits with 1 when a goal is missed.

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


class Goals:
    """What was reached of what is aimed at."""

    def __init__(self):
        self.missed = 0

    def check(self, what, value, goal):
        self.missed += value < goal
        return f"{what} (goal {goal:,}: {'reached' if value >= goal else 'MISSED'})"


def compare(args, pixel_type, goals):
    """Mixup batches of 64 against ready-made ones through the same service and through Flight."""
    flights, benches = [], []
    for _ in range(args.rounds):
        flights.append(run_json(args.python, FLIGHT, "--type", pixel_type, "--rounds", 1, "--seconds", args.seconds))
        benches.append(run_json(args.mixfeed, "bench", "--json", "--recipe", "mixup", "--batch", 64, "--format", pixel_type,
                                "--seconds", args.seconds))
    flight = median(flights, "flight_images_per_second")
    wire = median(benches, "wire_limit_images_per_second")
    fresh = median(benches, "fresh_images_per_second")
    wire_goal = goals.check(f"{wire / flight:.2f} of Flight", wire / flight, 0.9)
    fresh_goal = f"{fresh / wire:.2f} of ready-made"
    if pixel_type == "float32":
        fresh_goal = goals.check(fresh_goal, fresh / wire, 0.8) + goals.check(f", {fresh:,.0f}/s", fresh, 75_000)
    print(f"{pixel_type:8} Flight ready-made {flight:11,.0f} images/s")
    print(f"{'':8} mixfeed ready-made {wire:10,.0f} images/s = {wire_goal}")
    print(f"{'':8} mixfeed fresh      {fresh:10,.0f} images/s = {fresh_goal}; {fresh / flight:.2f} of Flight")


def compare_guesses(args, goals):
    """MixMatch batches against the guess model's bare forward passes."""
    results = [run_json(args.mixfeed, "bench", "--json", "--recipe", "mixmatch", "--batch", 64, "--format", "uint8",
                        "--seconds", args.seconds) for _ in range(args.rounds)]
    print(f"mixmatch bare forward passes {median(results, 'bare_forward_images_per_second'):8,.0f} views/s")
    ratio = median(results, "guess_ratio")
    print(f"         finished batches at {goals.check(f'{ratio:.2f} of them', ratio, 0.95)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixfeed", required=True, type=pathlib.Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    args = parser.parse_args()
    goals = Goals()
    for pixel_type in ["float32", "uint8"]:
        compare(args, pixel_type, goals)
    compare_guesses(args, goals)
    sys.exit(goals.missed > 0)


if __name__ == "__main__":
    main()
