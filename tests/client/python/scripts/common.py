"""What the training scripts of this folder share: data, a small network, and the steps of MixMatch and mixup."""
import itertools
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 10
PAD = 4


def read_cifar(folder, pattern):
    """The .bin files of CIFAR-10: images float32 [n, 3, 32, 32] in -1..1, labels [n]."""
    files = sorted(pathlib.Path(folder).glob(pattern))
    records = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32)).float() / 127.5 - 1
    return images, torch.from_numpy(records[:, 0].astype(np.int64))


class Net(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width]
        self.body = nn.Sequential(*[layer for before, after in zip(sizes, sizes[1:]) for layer in (
            nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())])
        self.head = nn.Linear(sizes[-1], CLASSES)

    def forward(self, x):
        return self.head(self.body(x).mean([2, 3]))


def augment(images):
    """A random view of each image: mirrored or not, padded by reflection and cropped."""
    n, _, height, width = images.shape
    flipped = torch.where(torch.rand(n, 1, 1, 1) < 0.5, images.flip(3), images)
    padded = F.pad(flipped, [PAD] * 4, mode="reflect")
    corners = torch.randint(0, 2 * PAD + 1, (n, 2)).tolist()
    return torch.stack([padded[i, :, y:y + height, x:x + width] for i, (y, x) in enumerate(corners)])


def views(loader, count):
    """Batches of a loader without end: `count` random views of its images, and their labels."""
    for images, labels in itertools.chain.from_iterable(itertools.repeat(loader)):
        yield [augment(images) for _ in range(count)], labels


def labelled_indices(labels, count):
    """The first count / 10 images of each class, and all others."""
    chosen = torch.cat([torch.nonzero(labels == c)[:count // CLASSES, 0] for c in range(CLASSES)])
    rest = torch.ones(len(labels), dtype=torch.bool)
    rest[chosen] = False
    return chosen, torch.nonzero(rest)[:, 0]


def loader(images, labels, batch):
    return DataLoader(TensorDataset(images, labels), batch, shuffle=True, drop_last=True)


def two_loaders(folder, labels, batch):
    """Of `labels` labelled images, as many of each class, and of all others."""
    images, classes = read_cifar(folder, "data_batch_*.bin")
    few, rest = labelled_indices(classes, labels)
    return loader(images[few], classes[few], batch), loader(images[rest], classes[rest], batch)


@torch.no_grad()
def guess(model, views):
    """The views' mean probabilities."""
    return torch.stack([model(view).softmax(1) for view in views]).mean(0)


def sharpen(probabilities, temperature):
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum(1, keepdim=True)


def mix(images, targets, alpha):
    """Every row with a random other one; its own share is the larger."""
    lam = torch.distributions.Beta(alpha, alpha).sample([len(images)])
    lam = torch.maximum(lam, 1 - lam)
    order = torch.randperm(len(images))
    of_images, of_targets = lam.view(-1, 1, 1, 1), lam.view(-1, 1)
    return (of_images * images + (1 - of_images) * images[order],
            of_targets * targets + (1 - of_targets) * targets[order])


def interleave(groups):
    """Swaps a slice of the first group with one of each other group; its own inverse."""
    sizes = [len(groups[0]) // len(groups)] * (len(groups) - 1)
    slices = [list(group.split(sizes + [len(group) - sum(sizes)])) for group in groups]
    for k in range(1, len(groups)):
        slices[0][k], slices[k][k] = slices[k][k], slices[0][k]
    return [torch.cat(parts) for parts in slices]


def mixup_data(x, y, alpha):
    """The batch mixed with a permutation of itself by one lambda; both rows' labels."""
    lam = float(torch.distributions.Beta(alpha, alpha).sample())
    order = torch.randperm(len(x))
    return lam * x + (1 - lam) * x[order], y, y[order], lam


def mixup_criterion(logits, y_a, y_b, lam):
    return lam * F.cross_entropy(logits, y_a) + (1 - lam) * F.cross_entropy(logits, y_b)


def mixup_accuracy(logits, y_a, y_b, lam):
    predicted = logits.argmax(1)
    return (lam * (predicted == y_a) + (1 - lam) * (predicted == y_b)).mean()


@torch.no_grad()
def accuracy(model, folder):
    images, labels = read_cifar(folder, "test_batch.bin")
    model.eval()
    hits = sum(int((model(x).argmax(1) == y).sum()) for x, y in zip(images.split(250), labels.split(250)))
    model.train()
    return hits / len(labels)
