#!/usr/bin/env python3
"""What a feed costs a trainer: MixMatch's update of the small built-in network through a feed, beside the same update
of a batch that lies in memory, a supervised one of as many rows, and MixMatch inside the training process.

    trainer_step.py [--bin DIR] [--data cifar10=DIR] [--rounds N] [--steps N] [--batch B] [--json]

Starts a server of its own on one core, and the trainer on another. In each round every arm makes some steps; figures
are medians over the rounds, ratios those of arms of the same round:

  step        by the clock: fed against in memory (aim: 1.05 or less), against supervised in as many passes of B rows
              (aim: 1.05 or less), and in process against supervised (for comparison: about 1.2)
  processor   user and system time of server and trainer for a step, against the in-process step's (aim: 1.05 or less)
  images/s    rows trained a second with equal cores: both cores to the two processes, one each or shared, or both to
              the in-process trainer

Run it with the Python that the package and PyTorch are installed in, on a machine that does nothing else: the report
says how much others used. Ends with 0 whatever the figures are.
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
from collections.abc import Callable
from typing import Any

from kit import BIN, Aim, Asked, Bystanders, Server, machine, move, on_cores, running_server

HERE = pathlib.Path(__file__).resolve().parent
AIM = 1.05
GROUPS = 3  # of B rows: the labelled ones and K = 2 views of the unlabelled ones
POLICIES = ("newest", "delayed-1")
APART = ("memory", "supervised", "supervised-one-pass", "in-process")
MEASURES = ("seconds", "trainer_cpu", "server_cpu")

Round = dict[str, dict[str, float]]  # arm -> measure -> value


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--bin", type=pathlib.Path, default=BIN, metavar="DIR",
                        help="mixfeed and mixfeed-server (default: MIXFEED_BIN, else build/release/bin)")
    parser.add_argument("--data", default="generated", help="the server's --data: generated (the default), or a folder "
                        "of CIFAR-10's .bin files")
    parser.add_argument("--policies", nargs="+", choices=[*POLICIES, "lockstep", "delayed-10"], default=POLICIES,
                        help="which weights guess (default: newest delayed-1)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="of an arm a round")
    parser.add_argument("--batch", type=int, default=64, metavar="B", help="labelled rows of a step, which has 3B")
    parser.add_argument("--labels", type=int, default=1000, metavar="N")
    parser.add_argument("--server-cores", nargs="+", type=int, default=cores[:1], metavar="CORE",
                        help="default: the first")
    parser.add_argument("--trainer-cores", nargs="+", type=int, default=cores[1:2] or cores, metavar="CORE",
                        help="default: the second")
    parser.add_argument("--quick", action="store_true", help="2 steps of 8 rows, to see that everything works")
    parser.add_argument("--json", action="store_true", help="one object of JSON instead of the report")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.steps, options.batch, options.labels = 1, 2, 8, 50
    for name in ("rounds", "steps", "batch", "labels"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: {getattr(options, name)} given, must be 1 or more")
    for name in ("server_cores", "trainer_cores"):
        if not set(getattr(options, name)) <= set(cores):
            parser.error(f"--{name.replace('_', '-')}: {getattr(options, name)} given, this process may use {cores}")
    return options


def measure(options: argparse.Namespace) -> list[Round]:
    """Of each round all arms, those that share all cores under "shared ..."."""
    together = sorted({*options.server_cores, *options.trainer_cores})
    with contextlib.ExitStack() as stack:
        with on_cores(options.server_cores):
            server = stack.enter_context(running_server(
                options.bin, "--threads", "1", "--guess-threads", str(len(options.server_cores)), "--idle-limit-ms",
                "3600000", data=options.data))
        apart, shared = (stack.enter_context(trainers(options, server, cores))
                         for cores in (options.trainer_cores, together))
        rounds = []
        for number in range(-1, options.rounds):  # the first makes the arms, and does not count
            found: Round = {}
            steps = options.steps if number >= 0 else 1
            for arm in in_turn([*options.policies, *APART], number):
                found[arm] = apart.ask(arm=arm, steps=steps)
            move(server.pid, together)
            for arm in in_turn([*options.policies, "in-process"], number):
                found[f"shared {arm}"] = shared.ask(arm=arm, steps=steps)
            move(server.pid, options.server_cores)
            rounds += [found] * (number >= 0)
            progress(number + 1, options.rounds)
    return rounds


def trainers(options: argparse.Namespace, server: Server, cores: list[int]) -> Asked:
    with on_cores(cores):
        return Asked(sys.executable, HERE / "trainers.py", "--bin", options.bin, "--server", server.address,
                     "--server-pid", server.pid, "--batch", options.batch, "--labels", options.labels)


def in_turn(arms: list[str], number: int) -> list[str]:
    """There and back, so that a drift of the machine's speed meets all alike."""
    return arms[::-1] if number % 2 else arms


def progress(done: int, rounds: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{done} of {rounds} rounds", end="" if done < rounds else "\n", file=sys.stderr, flush=True)


def median(rounds: list[Round], value: Callable[[Round], float]) -> float:
    return statistics.median(map(value, rounds))


def processor(measures: dict[str, float]) -> float:
    """Of both processes for one fed step."""
    return measures["trainer_cpu"] + measures["server_cpu"]


def summary(options: argparse.Namespace, rounds: list[Round]) -> dict[str, Any]:
    def clock(one: str, other: str) -> float:
        return median(rounds, lambda found: found[one]["seconds"] / found[other]["seconds"])

    rows = GROUPS * options.batch
    aims, in_passes = {}, {}
    for policy in options.policies:
        aims[policy] = [
            Aim("the step in memory", clock(policy, "memory"), AIM),
            Aim("a supervised step in as many passes", clock(policy, "supervised"), AIM),
            Aim("the in-process step's processor time", median(rounds, lambda found: processor(found[policy])
                                                               / found["in-process"]["trainer_cpu"]), AIM)]
    for arm in (*options.policies, "in-process"):
        in_passes[arm] = {"by groups": clock(arm, "supervised"), "in one pass": clock(arm, "supervised-one-pass")}
    return {
        "rows": rows, "rounds": options.rounds, "steps": options.steps,
        "server_cores": options.server_cores, "trainer_cores": options.trainer_cores,
        "step": {arm: {name: median(rounds, lambda found: found[arm][name]) for name in MEASURES}
                 for arm in (*options.policies, *APART)},
        "aims": aims, "to_supervised": in_passes,
        "images_per_second": {
            **{f"{policy}, a core each": median(rounds, lambda found: rows / found[policy]["seconds"])
               for policy in options.policies},
            **{f"{arm}, all cores": median(rounds, lambda found: rows / found[f"shared {arm}"]["seconds"])
               for arm in (*options.policies, "in-process")}}}


def report(found: dict[str, Any]) -> None:
    def cores(numbers: list[int]) -> str:
        return f"core{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"

    print(f"MixMatch, {found['rows']} rows a step; server on {cores(found['server_cores'])}, trainer on "
          f"{cores(found['trainer_cores'])}; medians of {found['rounds']} rounds of {found['steps']} steps")
    print(machine(found["others"]))
    for arm, measures in found["step"].items():
        values = {name: 1e3 * value for name, value in measures.items()}
        server = f" + server {values['server_cpu']:.1f}" if arm in found["aims"] else ""
        print(f"{arm:20} {values['seconds']:8.1f} ms a step; processor: trainer {values['trainer_cpu']:.1f}{server} ms")
    for policy, aims in found["aims"].items():
        for aim in aims:
            print(f"{policy:20} {aim}")
    for arm, ratios in found["to_supervised"].items():
        print(f"{arm:20} {ratios['by groups']:.3f} of a supervised step in {GROUPS} passes, "
              f"{ratios['in one pass']:.3f} of one in one pass")
    in_process = found["images_per_second"]["in-process, all cores"]
    for arm, rate in found["images_per_second"].items():
        print(f"{arm:24} {rate:8,.0f} images/s, {rate / in_process:.2f} of in-process")


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is stopped
    bystanders = Bystanders()
    found = summary(options, measure(options))
    found["others"] = bystanders.share()
    if options.json:
        found["aims"] = {policy: [aim.json() for aim in aims] for policy, aims in found["aims"].items()}
        print(json.dumps(found))
    else:
        report(found)


if __name__ == "__main__":
    main()
