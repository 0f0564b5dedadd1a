"""CIFAR-10 from its binary files, the official labelled split, and accuracy on the test images. Nothing of mixfeed."""
import pathlib

import numpy as np
import torch

CLASSES = 10
SHAPE = (3, 32, 32)


class Images:
    """pixels: uint8 [n, 3, 32, 32]; labels: int64 [n]."""

    def __init__(self, folder, names):
        records = np.concatenate([np.fromfile(pathlib.Path(folder) / name, np.uint8) for name in names])
        records = records.reshape(-1, 1 + int(np.prod(SHAPE)))
        self.labels = records[:, 0].astype(np.int64)
        self.pixels = np.ascontiguousarray(records[:, 1:]).reshape(-1, *SHAPE)


def train_images(folder):
    return Images(folder, [f"data_batch_{i}.bin" for i in range(1, 6)])


def test_images(folder):
    return Images(folder, ["test_batch.bin"])


def official_split(labels, count, seed):
    """Indices of the labelled images and of the others: google-research/mixmatch, scripts/create_split.py, in which the
    next image is of the class that is furthest behind its share of the training images."""
    random = np.random.RandomState(seed)
    by_class = [np.flatnonzero(labels == label) for label in range(CLASSES)]
    if seed:
        for indices in by_class:
            random.shuffle(indices)
    share = np.array([len(indices) for indices in by_class], float)
    share /= share.max()
    taken = np.zeros(CLASSES, int)
    labelled = []
    for _ in range(count):
        label = int(np.argmax(share - taken / max(taken.max(), 1)))
        labelled.append(by_class[label][taken[label]])
        taken[label] += 1
    return np.array(labelled), np.setdiff1d(np.arange(len(labels)), labelled)


def signed(pixels):
    """uint8 -> float32 in [-1, 1]."""
    return torch.from_numpy(pixels).float() * (2 / 255) - 1


def accuracy(network, images, batch=500):
    """Percent of right classes, with running statistics."""
    was_training = network.training
    network.eval()
    right = 0
    with torch.no_grad():
        for begin in range(0, len(images.labels), batch):
            guessed = network(signed(images.pixels[begin:begin + batch])).argmax(1).numpy()
            right += int((guessed == images.labels[begin:begin + batch]).sum())
    network.train(was_training)
    return 100 * right / len(images.labels)
