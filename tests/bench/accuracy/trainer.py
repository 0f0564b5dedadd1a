"""One update of a trainer on batches that come from a feed, with what mixfeed.torch has for it."""
import copy

import torch

import mixfeed.torch

from network import still_statistics


class Trainer:
    """Adam, decoupled decay of kernels, and a moving average of the parameters; running statistics are the newest.

    network: a network.ResNetSmall; its blocks are layers 1, 2, 3 of a feed that mixes hidden ones. settings: a
    settings.Settings.
    """

    def __init__(self, network, settings, feed):
        self.network = network.train()
        self.average = copy.deepcopy(network)
        self._settings = settings
        self._manifold = mixfeed.torch.ManifoldMixup(network, feed, layers=network.blocks)
        self._optimiser = torch.optim.Adam(network.parameters(), settings.rate)

    def gradients(self, batch):
        """Fills the parameters' gradients from a mixfeed.torch.TensorBatch; returns the loss's two parts, the second
        without its weight; it is 0 for labelled rows alone."""
        if len(batch.images) > batch.n_labelled:
            loss, *parts = mixfeed.torch.mixmatch_loss(self._logits_by_group(batch), batch)
        else:
            loss = mixfeed.torch.mixup_loss(self._manifold(batch), batch)
            parts = loss, 0
        self._optimiser.zero_grad()
        loss.backward()
        return tuple(map(float, parts))

    def _logits_by_group(self, batch):
        """Of a batch that the feed interleaved (recipe.interleave): the K + 1 groups pass one after the other, each
        with its own statistics, and only the first moves the running ones."""
        groups = batch.images.split(batch.n_labelled)
        logits = [self.network(groups[0])]
        with still_statistics(self.network):
            logits += [self.network(group) for group in groups[1:]]
        return torch.cat(logits)

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
