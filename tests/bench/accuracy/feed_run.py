"""Trainings on a feed."""
import mixfeed.torch

import data
from network import make_network
from results import StepResult
from trainer import Trainer


class FeedRun:
    """A trainer on a feed, whose weights guess when the recipe does."""

    def __init__(self, arm, settings, seed, server):
        network = make_network(seed, data.CLASSES, settings.momentum)
        name = f"{arm.name}-{seed}"
        guessing = {}
        fields = dict(arm.fields)
        if arm.policy is not None:
            server.register(name, network)
            guessing = dict(model=name, policy=arm.policy)
            fields.update({"recipe.interleave": True, "recipe.weight.value": settings.lambda_u,
                           "recipe.weight.ramp": "STEPS", "recipe.weight.ramp_length": settings.ramp})
        feed = server.connection.open(arm.recipe, labels="all" if arm.full else settings.labels, batch=settings.batch,
                                      seed=seed, split_seed=seed, run=name, set=fields, **guessing)
        self.feed = feed
        self._trainer = Trainer(network, settings, feed)
        self.average = self._trainer.average
        self._batches = iter(feed)
        self._pusher = mixfeed.torch.push_weights(network, feed) if guessing else None

    def step(self):
        batch = next(self._batches)
        age = batch.guess_age or 0
        parts = self._trainer.step(mixfeed.torch.to_tensors(batch))
        if self._pusher is not None:
            self._pusher.step()
        return StepResult(*parts, age)

    def close(self):
        self._batches.close()
        if self._pusher is not None:
            self._pusher.close()
        self.feed.close()
