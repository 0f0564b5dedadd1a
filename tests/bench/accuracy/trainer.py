"""One update of a trainer on batches that come from a feed, and its settings."""
import copy
from dataclasses import dataclass

import torch
from torch.nn import functional

from network import still_statistics


@dataclass(frozen=True)
class Settings:
    """As published for CIFAR-10 (google-research/mixmatch, runs/), but for `ramp`, `ema` and `momentum`, which are
    published for 2^20 updates (16,384 updates, 0.999 and 0.001) and are shortened here with the training."""

    batch: int = 64
    labels: int = 1000
    rate: float = 0.002  # of Adam, constant
    decay: float = 0.02  # of kernels, an update, times the rate
    lambda_u: float = 75.0
    ramp: int = 500  # updates until lambda_u has its full value
    ema: float = 0.995  # of the evaluated weights, an update
    momentum: float = 0.005  # of batch norm's running statistics


def cross_entropy(logits, targets):
    """Mean over the rows, with soft targets [rows, classes]."""
    return -(targets * functional.log_softmax(logits, 1)).sum(1).mean()


def mixmatch_loss(network, batch):
    """The loss's two parts on a feed's interleaved batch (recipe.interleave): the K + 1 groups pass one after the
    other, each with its own statistics, and only the first moves the running ones. Rows below n_labelled are labelled.
    """
    groups = batch.images.split(batch.n_labelled)
    logits = [network(groups[0])]
    with still_statistics(network):
        logits += [network(group) for group in groups[1:]]
    logits = torch.cat(logits)
    labelled = batch.row < batch.n_labelled
    unlabelled_loss = functional.mse_loss(functional.softmax(logits[~labelled], 1), batch.targets[~labelled])
    return cross_entropy(logits[labelled], batch.targets[labelled]), unlabelled_loss


def labelled_loss(network, batch):
    """The loss's two parts on a batch of labelled rows alone, mixed or not; the second is 0."""
    mix = (batch.layer, batch.partner, batch.lam) if batch.layer > 0 else None
    return cross_entropy(network(batch.images, mix), batch.targets), torch.zeros(())


class Trainer:
    """Adam, decoupled decay of kernels, and a moving average of the parameters; running statistics are the newest."""

    def __init__(self, network, settings):
        self.network = network.train()
        self.average = copy.deepcopy(network)
        self._settings = settings
        self._optimiser = torch.optim.Adam(network.parameters(), settings.rate)

    def gradients(self, batch):
        """Fills the parameters' gradients from a mixfeed.torch.TensorBatch; returns the loss's two parts."""
        loss = mixmatch_loss if len(batch.images) > batch.n_labelled else labelled_loss
        parts = loss(self.network, batch)
        self._optimiser.zero_grad()
        (parts[0] + batch.lambda_u * parts[1]).backward()
        return float(parts[0]), float(parts[1])

    @torch.no_grad()
    def apply(self):
        """The update with the gradients that are there."""
        self._optimiser.step()
        for own, average in zip(self.network.parameters(), self.average.parameters()):
            if own.dim() > 1:
                own.mul_(1 - self._settings.decay * self._settings.rate)
            average.lerp_(own, 1 - self._settings.ema)
        for own, average in zip(self.network.buffers(), self.average.buffers()):
            average.copy_(own)

    def step(self, batch):
        parts = self.gradients(batch)
        self.apply()
        return parts
