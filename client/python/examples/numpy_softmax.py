#!/usr/bin/env python3
"""Softmax regression on mixup batches, in NumPy alone: the smallest trainer there is.

    numpy_softmax.py [--server HOST:PORT] [--steps N] [--seed S]

Prints the loss as it falls, and the accuracy on the test images.
"""
from __future__ import annotations

import argparse
from typing import Any

import mixfeed
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


class Linear:
    """logits = images W + b, trained by gradient descent with momentum."""

    def __init__(self, inputs: int, classes: int) -> None:
        self.weights = np.zeros((inputs + 1, classes), np.float32)  # the last row is the bias
        self._velocity = np.zeros_like(self.weights)

    def logits(self, images: Any) -> Array:
        return images.reshape(len(images), -1) @ self.weights[:-1] + self.weights[-1]

    def step(self, images: Any, targets: Array, rate: float) -> float:
        """One update; returns the cross-entropy before it."""
        probabilities = softmax(self.logits(images))
        error = (probabilities - targets) / len(images)
        gradient = np.concatenate([images.reshape(len(images), -1).T @ error, error.sum(axis=0, keepdims=True)])
        self._velocity = 0.9 * self._velocity + gradient
        self.weights -= rate * self._velocity
        return float(-(targets * np.log(probabilities + 1e-12)).sum(axis=1).mean())


def accuracy(model: Linear, feed: mixfeed.Feed) -> float:
    """The share of the test images whose class is the most likely one."""
    right = total = 0
    for batch in feed.eval("test"):
        right += int((model.logits(batch.images).argmax(axis=1) == batch.targets.argmax(axis=1)).sum())
        total += batch.rows
    return right / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="default: MIXFEED_SERVER, or 127.0.0.1:50051")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    feed = mixfeed.connect(arguments.server).open("mixup", batch=64, seed=arguments.seed, steps=arguments.steps)
    model = Linear(int(np.prod(feed.info.image_shape)), feed.info.classes)
    for batch in feed:
        loss = model.step(batch.images, batch.targets, rate=0.002)
        if batch.step % 50 == 0 or batch.step == arguments.steps - 1:
            print(f"step {batch.step} loss {loss:.3f}")
    print(f"test accuracy {accuracy(model, feed):.3f}")


if __name__ == "__main__":
    main()
