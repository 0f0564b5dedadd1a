"""The trainings that are compared, and the one among them that needs no mixfeed. How to add one: a line in ARMS."""
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import data
from in_process import InProcessMixMatch
from network import make_network

# Mixup's own views are padded with black; here all arms have MixMatch's, so that they differ in mixing alone.
_SAME_VIEWS = {"recipe.view.pad": 4, "recipe.view.pad_mode": "REFLECT", "recipe.view.order": "FLIP_FIRST"}


@dataclass(frozen=True)
class Arm:
    """recipe: of the feed; none: in-process MixMatch. policy: of its guesses, where it has some. full: all training
    images are labelled, whatever the number of labels of the other arms."""

    name: str
    recipe: str | None = None
    policy: str | None = None
    full: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


ARMS = {arm.name: arm for arm in [
    Arm("in-process"),
    Arm("lockstep", "mixmatch", "lockstep"),
    Arm("supervised", "supervised", fields=_SAME_VIEWS),
    Arm("mixup", "mixup", fields=_SAME_VIEWS),
    Arm("newest", "mixmatch", "newest"),
    Arm("delayed-1", "mixmatch", "delayed:1"),
    Arm("delayed-10", "mixmatch", "delayed:10"),
    Arm("delayed-100", "mixmatch", "delayed:100"),
    Arm("full-plain", "supervised", full=True, fields=_SAME_VIEWS),
    Arm("full-mixup", "mixup", full=True, fields=_SAME_VIEWS),
    Arm("full-manifold", "manifold", full=True, fields=_SAME_VIEWS),
]}


class StepResult(NamedTuple):
    labelled_loss: float
    unlabelled_loss: float  # without its weight
    guess_age: int  # updates between the weights that guessed and those that are trained


class InProcessRun:
    """The reference, which shares the split and the initial weights with the feeds' arms of its seed."""

    def __init__(self, settings, seed, train):
        labelled, unlabelled = data.official_split(train.labels, settings.labels, seed)
        network = make_network(seed, data.CLASSES, settings.momentum)
        self._learner = InProcessMixMatch(network, train, labelled, unlabelled, settings, seed)
        self.average = self._learner.average

    def step(self):
        return StepResult(*self._learner.step(), 0)

    def close(self):
        pass
