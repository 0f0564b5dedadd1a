#!/usr/bin/env python3
"""A small network on mixup batches in JAX, which takes the batches' arrays through DLPack.

    jax_mixup.py [--server HOST:PORT] [--steps N] [--seed S]      # needs `pip install jax`

On the CPU JAX's arrays are the batches' own memory, which stays theirs until they are gone.
"""
from __future__ import annotations

import argparse

import jax
import jax.numpy as jnp
import mixfeed

Weights = list[tuple[jax.Array, jax.Array]]


def initial(key: jax.Array, sizes: list[int]) -> Weights:
    keys = jax.random.split(key, len(sizes) - 1)
    return [(jax.random.normal(k, (n, m)) * (2 / n) ** 0.5, jnp.zeros(m)) for k, n, m in zip(keys, sizes, sizes[1:])]


def logits(weights: Weights, images: jax.Array) -> jax.Array:
    hidden = images.reshape(len(images), -1)
    for matrix, bias in weights[:-1]:
        hidden = jax.nn.relu(hidden @ matrix + bias)
    matrix, bias = weights[-1]
    return hidden @ matrix + bias


def loss(weights: Weights, images: jax.Array, targets: jax.Array) -> jax.Array:
    """The mean cross-entropy of the mixed targets."""
    return -(targets * jax.nn.log_softmax(logits(weights, images))).sum(1).mean()


@jax.jit
def update(weights: Weights, images: jax.Array, targets: jax.Array) -> tuple[Weights, jax.Array]:
    value, gradients = jax.value_and_grad(loss)(weights, images, targets)
    return jax.tree_util.tree_map(lambda w, g: w - 0.01 * g, weights, gradients), value


def accuracy(weights: Weights, feed: mixfeed.Feed) -> float:
    right = total = 0
    for batch in feed.eval("test"):
        predicted = logits(weights, jnp.from_dlpack(batch.images)).argmax(1)
        right += int((predicted == jnp.from_dlpack(batch.targets).argmax(1)).sum())
        total += batch.rows
    return right / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="default: MIXFEED_SERVER, or 127.0.0.1:50051")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    feed = mixfeed.connect(arguments.server).open("mixup", batch=64, seed=arguments.seed, steps=arguments.steps)
    channels, height, width = feed.info.image_shape
    weights = initial(jax.random.PRNGKey(arguments.seed), [channels * height * width, 128, feed.info.classes])
    for batch in feed:
        weights, value = update(weights, jnp.from_dlpack(batch.images), jnp.from_dlpack(batch.targets))
        if batch.step % 50 == 0 or batch.step == arguments.steps - 1:
            print(f"step {batch.step} loss {value:.3f}")
    print(f"test accuracy {accuracy(weights, feed):.3f}")


if __name__ == "__main__":
    main()
