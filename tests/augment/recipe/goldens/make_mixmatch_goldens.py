#!/usr/bin/env python3
"""Writes mixmatch.txt: interleave, the nine mix modes, guesses and ramps as the references define them.

Usage: make_mixmatch_goldens.py > mixmatch.txt          (NumPy 2.4.6)

The functions are those of google-research/mixmatch at 1011a1d (libml/layers.py, mixmatch.py),
YU1ut/MixMatch-pytorch at cc7ef42, TorchSSL at f26e1d4, and noachr/MixMatch-fastai, restated in NumPy
from their definitions; the format is that of golden_format.py.

case interleave NAME: `batch` B, `views` K, `offsets` of the K + 1 slices of a group, `order`: which of
the (K + 1) B rows, numbered group after group, stands at each place afterwards.

case mixmode NAME: `mode`, `batch`, `views`, `classes`; of the (K + 1) B rows, group after group:
`features` and `labels` before [row][2], [row][class], `partner` (a row's own number where the mode
leaves it alone), `lambda` (1 there), `mixed_features` and `mixed_labels` after. The weights were read
off the reference by mixing unit vectors: row i of the outcome is lambda e_i + (1 - lambda) e_partner.

case guess NAME: `temperature`, `views`, `rows`, `classes`, `probabilities` [view][row][class], `mean`
and `sharpened` [row][class].

case ramp NAME: `value`, `unit` and `length` of the ramp in the recipe's words, `batch`, and of some
`steps` the `weight` of the unlabelled loss.
"""

import numpy as np
from golden_format import Writer, require

MODES = "xx.yy xxy.yxy xx.yxy xx.yx xx. .yy xxy. .yxy .".split()


def interleave_offsets(batch, views):
    sizes = [batch // (views + 1)] * (views + 1)
    for i in range(batch - sum(sizes)):
        sizes[-1 - i] += 1
    return np.concatenate([[0], np.cumsum(sizes)])


def interleave(groups):
    """Swaps slice i of group 0 with slice i of group i."""
    cuts = interleave_offsets(len(groups[0]), len(groups) - 1)
    slices = [[group[low:high] for low, high in zip(cuts, cuts[1:])] for group in groups]
    for i in range(1, len(groups)):
        slices[0][i], slices[i][i] = slices[i][i], slices[0][i]
    return [np.concatenate(parts) for parts in slices]


class MixMode:
    """Mixes lists of groups (the labelled one, then K unlabelled ones), each group's rows being vectors."""

    def __init__(self, mode, alpha, random):
        self.mode, self.alpha, self.random = mode, alpha, random

    def pair(self, rows, others):
        weight = self.random.beta(self.alpha, self.alpha, (len(rows), 1))
        weight = np.maximum(weight, 1 - weight)
        index = self.random.permutation(len(rows))
        return weight * rows + (1 - weight) * others[index]

    def among(self, groups):
        together = np.concatenate(groups)
        return np.split(self.pair(together, together), len(groups))

    def __call__(self, groups):
        x, y = groups[:1], groups[1:]
        labelled, _, unlabelled = self.mode.partition(".")
        if self.mode == "xxy.yxy":
            return self.among(groups)
        new_x = {"": lambda: x, "xx": lambda: self.among(x), "xxy": lambda: self.among(groups)[:1]}
        new_y = {
            "": lambda: y,
            "yy": lambda: self.among(y),
            "yxy": lambda: self.among(groups)[1:],
            "yx": lambda: [self.pair(group, groups[0]) for group in y],
        }
        return new_x[labelled]() + new_y[unlabelled]()


def read_weights(mixed):
    """Partner and lambda of each row of a mixture of unit vectors."""
    rows = np.arange(len(mixed))
    others = mixed.copy()
    others[rows, rows] = 0
    partner = np.where(others.any(axis=1), others.argmax(axis=1), rows)
    return partner, mixed[rows, rows]


def write_interleave(out):
    for batch, views in [(64, 2), (7, 2), (9, 2), (8, 1), (5, 4), (3, 1), (2, 3)]:
        rows = np.arange((views + 1) * batch)
        order = np.concatenate(interleave(np.split(rows, views + 1)))
        again = np.concatenate(interleave(np.split(order, views + 1)))
        assert (again == rows).all(), "an involution"
        out.case("interleave", f"b{batch}k{views}")
        out.field("batch", batch)
        out.field("views", views)
        out.field("offsets", interleave_offsets(batch, views))
        out.field("order", order)


def write_mixmode(out, mode, batch, views, seed):
    random = np.random.RandomState(seed)
    total, classes = (views + 1) * batch, 3
    features = random.randint(0, 256, (total, 2)).astype(np.float64)
    labels = np.eye(classes)[random.randint(0, classes, total)]
    labels[batch:] = np.tile(random.dirichlet(np.ones(classes), batch), (views, 1))
    content = np.concatenate([features, labels, np.eye(total)], axis=1)
    mixed = np.concatenate(MixMode(mode, 0.75, random)(np.split(content, views + 1)))
    partner, weight = read_weights(mixed[:, 2 + classes:])
    # A row that met itself is known only as being whole.
    weight = np.where(partner == np.arange(total), 1.0, weight)
    out.case("mixmode", f"{mode}-b{batch}k{views}")
    out.field("mode", mode)
    out.field("batch", batch)
    out.field("views", views)
    out.field("classes", classes)
    out.field("features", features)
    out.field("labels", labels)
    out.field("partner", partner)
    out.field("lambda", weight)
    out.field("mixed_features", mixed[:, :2])
    out.field("mixed_labels", mixed[:, 2:2 + classes])


def write_guesses(out):
    random = np.random.RandomState(5)
    for temperature, views, classes, concentration in [
        (0.5, 2, 10, 0.3), (0.5, 1, 3, 1.0), (1.0, 2, 4, 1.0), (0.1, 4, 10, 0.5), (2.0, 3, 5, 0.2)]:
        rows = 3
        # Float32, as a model answers, so that the reader starts from the same numbers.
        probabilities = random.dirichlet(np.full(classes, concentration), (views, rows)).astype(np.float32)
        mean = probabilities.astype(np.float64).mean(axis=0)
        power = mean ** (1 / temperature)
        out.case("guess", f"t{temperature}k{views}c{classes}")
        out.field("temperature", temperature)
        out.field("views", views)
        out.field("rows", rows)
        out.field("classes", classes)
        out.field("probabilities", probabilities.reshape(views * rows, classes))
        out.field("mean", mean)
        out.field("sharpened", power / power.sum(axis=1, keepdims=True))


def write_ramps(out):
    def clip(value):
        return min(max(value, 0.0), 1.0)

    # Weight at a step, as each reference computes it from its own counters.
    ramps = [
        ("mixmatch", 75, "images", 1024 << 10, 64, lambda t: 75 * clip(t * 64 / (1024 << 10))),
        ("mixmatch-ablation", 100, "images", 128 << 10, 64, lambda t: 100 * clip(t * 64 / (128 << 10))),
        ("yu1ut", 75, "steps", 1024 * 1024, 64, lambda t: 75 * clip((t // 1024 + t % 1024 / 1024) / 1024)),
        ("torchssl", 100, "steps", 0.4 * 2**20, 64, lambda t: 100 * clip(t / (0.4 * 2**20))),
        ("fastai", 100, "steps", 3000, 64, lambda t: 100 * (t / 3000.0 if t < 3000 else 1.0)),
        ("ict", 1000, "images", 0.4 * (2**16 << 10), 64, lambda t: 1000 * clip(t * 64 / (0.4 * (2**16 << 10)))),
    ]
    for name, value, unit, length, batch, weight in ramps:
        end = int(length / batch if unit == "images" else length)
        steps = sorted({0, 1, 2, 100, 1023, 1024, 2999, 3000, 16383, 16384, end // 2, end, end + 1, 2 * end})
        out.case("ramp", name)
        out.field("value", value)
        out.field("unit", unit)
        out.field("length", float(length), digits=17)
        out.field("batch", batch)
        out.field("steps", steps)
        out.field("weight", [float(weight(step)) for step in steps], digits=17)


def main():
    require(numpy="2.4.6")
    out = Writer("make_mixmatch_goldens.py")
    write_interleave(out)
    for seed, mode in enumerate(MODES):
        write_mixmode(out, mode, 4, 2, seed)
    write_mixmode(out, "xxy.yxy", 3, 4, 20)
    write_mixmode(out, "xx.yx", 5, 1, 21)
    write_guesses(out)
    write_ramps(out)


if __name__ == "__main__":
    main()
