"""MixMatch in plain PyTorch and NumPy, as google-research/mixmatch has it (mixmatch.py, libml/).

Uses nothing of mixfeed, and nothing of trainer.py: what the arms through the feed are compared with.
"""
import copy

import numpy as np
import torch
from torch.nn import functional

from data import CLASSES
from network import still_statistics

VIEWS = 2
TEMPERATURE = 0.5
ALPHA = 0.75
PAD = 4


def endless_permutations(count, batch, random):
    """Batches of indices below `count`: one permutation after the other."""
    waiting = np.empty(0, int)
    while True:
        while len(waiting) < batch:
            waiting = np.concatenate([waiting, random.permutation(count)])
        yield waiting[:batch]
        waiting = waiting[batch:]


def weak_view(pixels, random):
    """uint8 [n, 3, 32, 32] -> float32 in [-1, 1]: mirrored with probability 0.5, padded by reflection, cropped."""
    rows, _, height, width = pixels.shape
    mirrored = np.where(random.random_sample((rows, 1, 1, 1)) < 0.5, pixels[..., ::-1], pixels)
    padded = np.pad(mirrored, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)), mode="reflect")
    down, right = random.randint(0, 2 * PAD + 1, (2, rows, 1))
    y = (down + np.arange(height))[:, :, None]
    x = (right + np.arange(width))[:, None, :]
    cropped = padded[np.arange(rows)[:, None, None], :, y, x].transpose(0, 3, 1, 2)
    return torch.from_numpy(cropped.astype(np.float32) * np.float32(2 / 255) - 1)


def guess_labels(network, views):
    """Mean over the views of the softmax under batch statistics, sharpened; [rows, classes], without gradient."""
    with torch.no_grad(), still_statistics(network):
        mean = sum(functional.softmax(network(view), 1) for view in views) / len(views)
    sharp = mean ** (1 / TEMPERATURE)
    return sharp / sharp.sum(1, keepdim=True)


def mix_up(images, labels, random):
    """Each row with that of one permutation of all, by a lambda of its own, at least a half."""
    lam = random.beta(ALPHA, ALPHA, len(images))
    lam = torch.from_numpy(np.maximum(lam, 1 - lam)).float()
    partner = torch.from_numpy(random.permutation(len(images)))
    over = lam.view(-1, 1, 1, 1)
    return (over * images + (1 - over) * images[partner],
            lam[:, None] * labels + (1 - lam[:, None]) * labels[partner])


def interleave(groups):
    """Swaps slice i of the first group with slice i of group i; the last slices have the remainder. Its own inverse."""
    size, count = len(groups[0]), len(groups)
    lengths = [size // count] * count
    for i in range(size - sum(lengths)):
        lengths[-i - 1] += 1
    slices = [list(group.split(lengths)) for group in groups]
    for i in range(1, count):
        slices[0][i], slices[i][i] = slices[i][i], slices[0][i]
    return [torch.cat(group) for group in slices]


class InProcessMixMatch:
    """Trains `network` (its weights change). settings: a settings.Settings. step() is one update."""

    def __init__(self, network, train, labelled, unlabelled, settings, seed):
        self.network = network.train()
        self.average = copy.deepcopy(network)
        self.updates = 0
        self._settings = settings
        self._train, self._labelled, self._unlabelled = train, labelled, unlabelled
        self._random = np.random.RandomState([seed, 20190506])
        self._next_labelled = endless_permutations(len(labelled), settings.batch, self._random)
        self._next_unlabelled = endless_permutations(len(unlabelled), settings.batch, self._random)
        self._optimiser = torch.optim.Adam(network.parameters(), settings.rate)

    def mixed_batch(self):
        """Images and targets of the labelled rows and of the views' rows, K + 1 groups, all mixed with all."""
        x = self._labelled[next(self._next_labelled)]
        u = self._unlabelled[next(self._next_unlabelled)]
        labelled = weak_view(self._train.pixels[x], self._random)
        views = [weak_view(self._train.pixels[u], self._random) for _ in range(VIEWS)]
        truth = functional.one_hot(torch.from_numpy(self._train.labels[x]), CLASSES).float()
        guess = guess_labels(self.network, views)
        images, targets = mix_up(torch.cat([labelled, *views]), torch.cat([truth] + [guess] * VIEWS), self._random)
        return images.split(len(x)), targets.split(len(x))

    def step(self):
        """One update; returns the loss's two parts, the second without its weight."""
        images, targets = self.mixed_batch()
        groups = interleave(images)
        logits = [self.network(groups[0])]  # which alone moves the running statistics
        with still_statistics(self.network):
            logits += [self.network(group) for group in groups[1:]]
        logits = interleave(logits)
        labelled_loss = -(targets[0] * functional.log_softmax(logits[0], 1)).sum(1).mean()
        difference = torch.cat(targets[1:]) - functional.softmax(torch.cat(logits[1:]), 1)
        unlabelled_loss = (difference ** 2).mean()
        weight = self._settings.lambda_u * min(self.updates / self._settings.ramp, 1)
        self._optimiser.zero_grad()
        (labelled_loss + weight * unlabelled_loss).backward()
        self._optimiser.step()
        self.updates += 1
        self._decay_and_average()
        return float(labelled_loss), float(unlabelled_loss)

    @torch.no_grad()
    def _decay_and_average(self):
        for own, average in zip(self.network.parameters(), self.average.parameters()):
            if own.dim() > 1:  # kernels
                own *= 1 - self._settings.decay * self._settings.rate
            average += (1 - self._settings.ema) * (own - average)
        for own, average in zip(self.network.buffers(), self.average.buffers()):
            average.copy_(own)
