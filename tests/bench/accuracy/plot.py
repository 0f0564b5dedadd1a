#!/usr/bin/env python3
"""Draws what run.py found, and prints it as Markdown tables.

    plot.py [--csv results.csv] [--out .] [--step 3000]

accuracy.png: test accuracy over updates by arm, staleness.png: what old guesses cost, full.png: the arms on all labels.
Only runs that were evaluated at --step count (with all labels: at the last update that all of them have).
"""
import argparse
import collections
import pathlib
import statistics

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import ScalarFormatter  # noqa: E402

import results  # noqa: E402
from arms import ARMS  # noqa: E402
from settings import Settings  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
# Their staleness is fixed, or what it happened to be.
FIXED = [name for name, arm in ARMS.items() if arm.policy is not None and arm.policy != "newest"]
NEWEST = [name for name, arm in ARMS.items() if arm.policy == "newest"]


class Curve:
    """One run's evaluations by step: accuracy in percent, and the mean age of its guesses."""

    def __init__(self):
        self.accuracy, self.ages = {}, []

    def add(self, row):
        self.accuracy[int(row["step"])] = float(row["accuracy"])
        self.ages.append(float(row["guess_age"]))


def curves(rows, options):
    """{arm: {seed: Curve}} of the rows that are of the options' batch, labels (or all, where the arm has them), and
    lambda_u and ramp (where it guesses)."""
    found = collections.defaultdict(lambda: collections.defaultdict(Curve))
    for row in rows:
        arm = ARMS.get(row["arm"])  # none: it is not in the table any more
        if arm is None or float(row["batch"]) != options.batch:
            continue
        if not arm.full and float(row["labels"]) != options.labels:
            continue
        if arm.guesses and (float(row["lambda_u"]), float(row["ramp"])) != (options.lambda_u, options.ramp):
            continue
        found[arm.name][row["seed"]].add(row)
    return found


def finished(found, step):
    """The runs that were evaluated at `step`, or, with all labels, at the last update that all of those have; and which
    update that is, by arm."""
    full = [max(curve.accuracy) for arm, runs in found.items() if ARMS[arm].full for curve in runs.values()]
    ends = {arm: min(full) if ARMS[arm].full else step for arm in found}
    kept = {arm: {seed: curve for seed, curve in runs.items() if ends[arm] in curve.accuracy}
            for arm, runs in found.items()}
    return {arm: runs for arm, runs in kept.items() if runs}, ends


def spread(values):
    """"mean ± standard deviation" of a few numbers."""
    mean = statistics.mean(values)
    return f"{mean:.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean:.2f}"


def print_tables(runs, ends):
    print("| arm | updates | accuracy, % | seeds | mean age of guesses |\n| --- | --- | --- | --- | --- |")
    for arm in ARMS:
        if arm in runs:
            final = [curve.accuracy[ends[arm]] for curve in runs[arm].values()]
            age = statistics.mean(age for curve in runs[arm].values() for age in curve.ages)
            print(f"| {arm} | {ends[arm]:,} | {spread(final)} | {' '.join(sorted(runs[arm]))} | "
                  f"{'' if ARMS[arm].policy is None else f'{age:.1f}'} |")
    print("\n| paired difference | points | of each seed |\n| --- | --- | --- |")
    for one, other in ((arm.name, other) for arm in ARMS.values() for other in arm.against):
        seeds = sorted(set(runs.get(one, {})) & set(runs.get(other, {})))
        if seeds:
            each = [runs[one][seed].accuracy[ends[one]] - runs[other][seed].accuracy[ends[other]] for seed in seeds]
            print(f"| {one} - {other} | {spread(each)} | {', '.join(f'{value:+.2f}' for value in each)} |")


def _axes(x, y):
    figure, axes = plt.subplots(figsize=(7, 4.2), dpi=110)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_accuracy(runs, ends, arms, path):
    """Means over the seeds, in a band from the lowest to the highest; the legend is ordered by the end."""
    figure, axes = _axes("updates", "test accuracy of the averaged weights, %")
    shown = {}
    for arm in arms:
        steps = sorted(set.intersection(*(set(curve.accuracy) for curve in runs[arm].values())))
        steps = [step for step in steps if step <= ends[arm]]
        each = [[curve.accuracy[step] for curve in runs[arm].values()] for step in steps]
        means = [statistics.mean(values) for values in each]
        axes.fill_between(steps, [min(values) for values in each], [max(values) for values in each],
                          color=ARMS[arm].colour, alpha=0.15, linewidth=0)
        line, = axes.plot(steps, means, color=ARMS[arm].colour, linewidth=1.8,
                          linestyle="--" if ARMS[arm].recipe is None else "-")
        shown[arm] = (means[-1], line, f"{arm}, {means[-1]:.1f} % ({len(runs[arm])} seed{'s' * (len(runs[arm]) > 1)})")
    ordered = sorted(shown.values(), key=lambda entry: -entry[0])
    axes.legend([line for _, line, _ in ordered], [text for *_, text in ordered], frameon=False, fontsize=9,
                loc="lower right")
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def draw_staleness(runs, ends, path):
    """Accuracy over the age of the weights that guessed; each seed a thin line, their mean a thick one."""
    figure, axes = _axes("age of the weights that guess, updates", "test accuracy, %")
    fixed = [arm for arm in FIXED if arm in runs]

    def point(arm, curve):
        return statistics.mean(curve.ages), curve.accuracy[ends[arm]]
    for seed in sorted({seed for arm in fixed for seed in runs[arm]}):
        points = [point(arm, runs[arm][seed]) for arm in fixed if seed in runs[arm]]
        axes.plot(*zip(*sorted(points)), color="#0072B2", alpha=0.35, linewidth=1, marker="o", markersize=3)
    common = set.intersection(*(set(runs[arm]) for arm in fixed))
    if common:
        means = [[statistics.mean(values) for values in zip(*(point(arm, runs[arm][seed]) for seed in common))]
                 for arm in fixed]
        axes.plot(*zip(*sorted(means)), color="#0072B2", linewidth=2, marker="o",
                  label=f"lockstep and delayed, mean of {len(common)} seed{'s' * (len(common) > 1)}")
    for arm in NEWEST:
        for number, curve in enumerate(runs.get(arm, {}).values()):
            axes.plot(*point(arm, curve), color=ARMS[arm].colour, marker="D", linestyle="none",
                      label=None if number else f"{arm}, at the mean age that it had")
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlim(left=-0.1)
    axes.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=pathlib.Path, default=HERE / "results.csv", metavar="FILE")
    parser.add_argument("--out", type=pathlib.Path, default=HERE, metavar="DIR")
    parser.add_argument("--step", type=int, default=3000, metavar="N")
    parser.add_argument("--labels", type=int, default=Settings.labels, metavar="N")
    parser.add_argument("--batch", type=int, default=Settings.batch, metavar="B")
    parser.add_argument("--lambda-u", type=float, default=Settings.lambda_u, metavar="W")
    parser.add_argument("--ramp", type=int, default=Settings.ramp, metavar="N")
    options = parser.parse_args(arguments)
    runs, ends = finished(curves(results.read(options.csv), options), options.step)
    if not runs:
        parser.error(f"{options.csv} has no run that was evaluated at update {options.step}")
    print_tables(runs, ends)
    for name, full in [("accuracy.png", False), ("full.png", True)]:
        if arms := [arm for arm in ARMS if arm in runs and ARMS[arm].full == full]:
            draw_accuracy(runs, ends, arms, options.out / name)
    if sum(arm in runs for arm in FIXED) > 1:
        draw_staleness(runs, ends, options.out / "staleness.png")


if __name__ == "__main__":
    main()
