#!/usr/bin/env python3
"""For loaders.py: torch.utils.data.DataLoader with a worker process a core, persistent, 4 batches ahead each.

Two forms, for --form:
  images   as most scripts have it: a Dataset of PIL images with torchvision's RandomCrop(32, padding=4),
           RandomHorizontalFlip, ToTensor and Normalize, and mixup in the collate function, in the worker
  batches  the fastest that plain code reaches: a Dataset that takes a batch's indices at a time (BatchSampler,
           batch_size=None) and makes the batch by array operations on images that were padded once

Batches come through shared memory, as DataLoader's do. Workers compute on one thread each, as DataLoader sets them.
"""
import sys

import peer

try:
    import torch
    from numpy.lib.stride_tricks import sliding_window_view
    from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, default_collate
except ImportError as error:
    peer.missing(error)
    sys.exit()


def mixup(images, labels):
    """The batch with a permutation of itself, by one lambda; soft targets."""
    lam = float(torch.distributions.Beta(peer.ALPHA, peer.ALPHA).sample())
    order = torch.randperm(len(images))
    targets = torch.nn.functional.one_hot(labels, peer.CLASSES).float()
    return torch.lerp(images[order], images, lam), torch.lerp(targets[order], targets, lam)


class Images(Dataset):
    """One image at a time."""

    def __init__(self, images, labels):
        from PIL import Image
        from torchvision import transforms
        self._images = [Image.fromarray(image) for image in images.transpose(0, 2, 3, 1)]
        self._labels = labels.tolist()
        self._transform = transforms.Compose([
            transforms.RandomCrop(peer.SIDE, padding=peer.PAD), transforms.RandomHorizontalFlip(),
            transforms.ToTensor(), transforms.Normalize((0.5,) * 3, (0.5,) * 3)])

    def __len__(self):
        return len(self._labels)

    def __getitem__(self, index):
        return self._transform(self._images[index]), self._labels[index]


class Batches(Dataset):
    """One batch at a time, of the indices that the sampler gives."""

    def __init__(self, images, labels):
        self._windows = sliding_window_view(peer.padded_with_black(images), (peer.SIDE, peer.SIDE), axis=(2, 3))
        self._labels = labels

    def __len__(self):
        return len(self._labels)

    def __getitem__(self, indices):
        # PyTorch's own seed differs from worker to worker and from pass to pass; NumPy's does not.
        down, right = torch.randint(0, 2 * peer.PAD + 1, (2, len(indices))).numpy()
        flipped = (torch.rand(len(indices)) < 0.5).numpy()
        views = self._windows[indices, :, down, right]  # NumPy gathers them four times as fast as PyTorch 1.13
        views[flipped] = views[flipped, :, :, ::-1]
        return mixup(torch.from_numpy(views).float().mul_(2 / 255).sub_(1), torch.from_numpy(self._labels[indices]))


def loader(form, options):
    images, labels = peer.read_images(options.data)
    workers = dict(num_workers=options.threads, persistent_workers=True, prefetch_factor=4)
    if form == "images":
        return DataLoader(Images(images, labels), options.batch, shuffle=True, drop_last=True,
                          collate_fn=lambda rows: mixup(*default_collate(rows)), **workers)
    dataset = Batches(images, labels)
    return DataLoader(dataset, batch_size=None, sampler=BatchSampler(RandomSampler(dataset), options.batch, True),
                      **workers)


def batches(made):
    while True:
        yield from made


def main():
    form = sys.argv.pop(1)
    options = peer.parse(__doc__)
    try:
        made = loader(form, options)
    except ImportError as error:
        return peer.missing(error)
    peer.serve(batches(made), options.batch, to_numpy=lambda tensor: tensor.numpy(),
               name=f"torch {torch.__version__} DataLoader, {options.threads} workers, by {form}")


if __name__ == "__main__":
    sys.exit(main())
