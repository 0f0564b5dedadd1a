#!/usr/bin/env python3
"""The trainers that trainer_step.py compares, in a process of their own on the cores that it was started on: asked for
{"arm": NAME, "steps": N} it makes some updates and says what one of them cost."""
import argparse
import contextlib
import dataclasses
import functools
import os
import pathlib
import sys
import time
import types

import numpy as np
import torch

import mixfeed.torch
from kit import answer_lines, cpu_seconds

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "accuracy"))
import data  # noqa: E402
from arms import ARMS  # noqa: E402
from feed_run import FeedRun  # noqa: E402
from feed_server import ServerAt  # noqa: E402
from in_process import InProcessMixMatch  # noqa: E402
from network import make_network  # noqa: E402
from settings import Settings  # noqa: E402
from trainer import Trainer  # noqa: E402

WARM_UP = 2  # steps before those that count, so that the arm's weights are in the caches


def all_images(feed):
    """As data.train_images() reads files: the labelled images of `feed`, in their order."""
    passed = feed.with_options(dtype="uint8").eval("labelled", batch=500)
    parts = [(batch.sample_ids.copy(), batch.images.copy(), batch.targets.argmax(1)) for batch in passed]
    ids, pixels, labels = map(np.concatenate, zip(*parts))
    order = np.argsort(ids)
    return types.SimpleNamespace(pixels=pixels[order], labels=labels[order])


def kept(batch):
    """A mixfeed.torch.TensorBatch in memory of its own."""
    return type(batch)(*(value.clone() if isinstance(value, torch.Tensor) else value for value in batch))


class ByGroups(Trainer):
    """Supervised steps that pass batch.n_labelled rows at a time, as MixMatch's do."""

    def gradients(self, batch):
        loss = mixfeed.torch.mixup_loss(self._logits_by_group(batch), batch)
        self._optimiser.zero_grad()
        loss.backward()
        return float(loss), 0.0


class Arms:
    """step(name) of each arm; made when it is first asked for. Each trains weights of its own."""

    def __init__(self, options, server):
        self._server, self._connection = server, server.connection
        self._settings = dataclasses.replace(Settings(), batch=options.batch, labels=options.labels)
        self._seed = os.getpid()  # names the models: another process trains others
        self._stack = contextlib.ExitStack()

    @functools.cache
    def step(self, name):
        if name == "in-process":
            return self._in_process().step
        if name == "memory":
            feed = self._run("newest").feed
            # At step 0 the guesses do not count yet.
            batch = kept(mixfeed.torch.to_tensors(feed[0]))._replace(lambda_u=self._settings.lambda_u)
            return functools.partial(self._trainer(Trainer, feed).step, batch)
        if name in ("supervised", "supervised-one-pass"):
            feed = self._feed("supervised", batch=3 * self._settings.batch, fields=ARMS["supervised"].fields)
            batch = kept(mixfeed.torch.to_tensors(feed[0]))
            if name == "supervised-one-pass":
                return functools.partial(self._trainer(Trainer, feed).step, batch)
            return functools.partial(self._trainer(ByGroups, feed).step,
                                     batch._replace(n_labelled=self._settings.batch))
        return self._run(name).step

    @functools.cache
    def _run(self, name):
        return self._stack.enter_context(contextlib.closing(FeedRun(ARMS[name], self._settings, self._seed,
                                                                    self._server)))

    def _feed(self, recipe, batch, fields):
        return self._connection.open(recipe, labels="all", batch=batch, set=fields)

    def _trainer(self, kind, feed):
        return kind(make_network(1, data.CLASSES, self._settings.momentum), self._settings, feed)

    def _in_process(self):
        images = all_images(self._feed("supervised", batch=self._settings.batch, fields={}))
        labelled, unlabelled = data.official_split(images.labels, self._settings.labels, 1)
        network = make_network(1, data.CLASSES, self._settings.momentum)
        return InProcessMixMatch(network, images, labelled, unlabelled, self._settings, 1)

    def close(self):
        self._stack.close()


def settle(server_pid):
    """Waits until the server has made the batches ahead that it may make, and rests; for 5 s at most."""
    deadline, before = time.monotonic() + 5, -1.0
    while (now := cpu_seconds(server_pid)) > before and time.monotonic() < deadline:
        before = now
        time.sleep(0.1)


def measured(step, steps, server_pid):
    """Of one step: seconds by the clock, and of processor time here and of the server."""
    settle(server_pid)
    for _ in range(WARM_UP):
        step()
    begin = time.perf_counter(), time.process_time(), cpu_seconds(server_pid)
    for _ in range(steps):
        step()
    end = time.perf_counter(), time.process_time(), cpu_seconds(server_pid)
    return dict(zip(("seconds", "trainer_cpu", "server_cpu"), ((b - a) / steps for a, b in zip(begin, end))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--server-pid", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--labels", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    with ServerAt(options.bin, options.server) as server, contextlib.closing(Arms(options, server)) as arms:
        answer_lines({"torch": torch.__version__},
                     lambda arm, steps: measured(arms.step(arm), steps, options.server_pid))


if __name__ == "__main__":
    main()
