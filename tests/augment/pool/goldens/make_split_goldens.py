#!/usr/bin/env python3
"""Writes split_goldens.txt: what NumPy and the published split rule give, for split_test.cc.

Usage: make_split_goldens.py CIFAR10_BINARY_FOLDER > split_goldens.txt

A line is `split RULE VECTOR SEED LABELLED VALIDATION`, then for each of the lists labelled,
unlabelled, validation `COUNT FNV1A64 FIRST LAST` (the hash is over the indices as little-endian
int32; `-` stands for no index), or `labels VECTOR` and the same of the labels that the splits are
of, or `shuffle SEED` and RandomState(SEED).shuffle of 0..19.

The rule `mixmatch` is that of scripts/create_split.py in google-research/mixmatch, restated; the
others are this project's, restated from the comments of augment/pool/split.h. The streams of
numpy.random.RandomState are frozen (NEP 19): any NumPy gives the same file.
"""

import pathlib
import sys
from collections import deque

import numpy as np


def balanced_labels():
    i = np.arange(50000)
    return (i * 7 + i // 10) % 10


def imbalanced_labels():
    r = (np.arange(20000, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)) >> np.uint64(16)
    return ((r * r * np.uint64(10)) >> np.uint64(32)).astype(np.int64)


def cifar10_labels(folder):
    files = [pathlib.Path(folder, f"data_batch_{i}.bin") for i in range(1, 6)]
    return np.concatenate([np.fromfile(f, np.uint8)[::3073] for f in files]).astype(np.int64)


class Greedy:
    """Names the class whose share lags furthest behind."""

    def __init__(self, labels):
        sizes = np.bincount(labels).astype(np.float64)
        self.shares = sizes / sizes.max()
        self.taken = np.zeros(len(sizes), np.int64)

    def next(self):
        return int(np.argmax(self.shares - self.taken / max(self.taken.max(), 1)))

    def take(self, c):
        self.taken[c] += 1


def mixmatch(labels, seed, labelled, validation):
    members = [np.flatnonzero(labels == c) for c in range(labels.max() + 1)]
    if seed:
        np.random.seed(seed)
        for indices in members:
            np.random.shuffle(indices)
    greedy = Greedy(labels)
    chosen = set()
    for _ in range(labelled):
        c = greedy.next()
        chosen.add(int(members[c][greedy.taken[c]]))
        greedy.take(c)

    greedy = Greedy(labels)
    waiting = [deque() for _ in members]
    rest = []
    for i, label in enumerate(labels):
        if i in chosen:
            continue
        waiting[label].append(i)
        while waiting[c := greedy.next()]:
            rest.append(waiting[c].popleft())
            greedy.take(c)
    for queue in waiting:
        rest.extend(queue)
    return sorted(chosen), rest[validation:], rest[:validation]


def draw(random, indices, count):
    indices = np.array(indices, np.int64)
    random.shuffle(indices)
    return sorted(indices[:count].tolist())


def without(labels, *lists):
    taken = set().union(*lists)
    return [i for i in range(len(labels)) if i not in taken]


def draw_rest(random, labels, chosen, validation):
    held_out = draw(random, without(labels, chosen), validation)
    return chosen, without(labels, chosen, held_out), held_out


def balanced(labels, seed, labelled, validation):
    random = np.random.RandomState(seed)
    classes = labels.max() + 1
    chosen = []
    for c in range(classes):
        chosen += draw(random, np.flatnonzero(labels == c), labelled // classes)
    return draw_rest(random, labels, sorted(chosen), validation)


def uniform(labels, seed, labelled, validation):
    random = np.random.RandomState(seed)
    return draw_rest(random, labels, draw(random, range(len(labels)), labelled), validation)


def everything(labels, seed, labelled, validation):
    held_out = draw(np.random.RandomState(seed), range(len(labels)), validation)
    return without(labels, held_out), [], held_out


def fnv1a64(indices):
    value = 0xCBF29CE484222325
    for byte in np.array(indices, "<i4").tobytes():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def digest(indices):
    ends = f"{indices[0]} {indices[-1]}" if len(indices) else "- -"
    return f"{len(indices)} {fnv1a64(indices):016x} {ends}"


def main():
    vectors = {
        "balanced": balanced_labels(),
        "imbalanced": imbalanced_labels(),
        "cifar10": cifar10_labels(sys.argv[1]),
    }
    rules = {"mixmatch": mixmatch, "balanced": balanced, "random": uniform, "all": everything}
    cases = [("mixmatch", v, seed, n, valid) for v, n, valid in
             [("balanced", 250, 0), ("balanced", 4000, 5000), ("imbalanced", 100, 1), ("cifar10", 250, 1)]
             for seed in range(6)]
    cases += [(rule, v, 3, 200, 100) for rule in ("balanced", "random", "all")
              for v in ("balanced", "imbalanced")]
    print("# Made by make_split_goldens.py, which says what the columns are.")
    for vector, labels in vectors.items():
        print("labels", vector, digest(labels))
    for rule, vector, seed, labelled, validation in cases:
        lists = rules[rule](vectors[vector], seed, labelled, validation)
        print("split", rule, vector, seed, labelled, validation, *map(digest, lists))
    for seed in (0, 1, 42, 2**32 - 1):
        values = np.arange(20)
        np.random.RandomState(seed).shuffle(values)
        print("shuffle", seed, *values)


if __name__ == "__main__":
    main()
