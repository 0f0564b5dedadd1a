"""The training that needs no feed, in the form of feed_run.FeedRun."""
import data
from in_process import InProcessMixMatch
from network import make_network
from results import StepResult


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
