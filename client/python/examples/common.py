"""What the examples share: arguments, networks, the training loop, measures, tables and plots."""

from __future__ import annotations

import argparse
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib
import torch
from torch import nn
from torch.nn import functional as F

import mixfeed.torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after use)

EVAL_BATCH = 250
RESNET_SIDE = 224

# Of MixMatch's unlabelled loss, whose full weight is 75: a third of the published ramp, for short runs.
RAMP = {"recipe.weight.ramp": "steps", "recipe.weight.ramp_length": 5000}

Rows = Sequence[Sequence[Any]]


def parse(doc: str, name: str, *, steps: int, quick_steps: int, batch: int = 64, network: str = "small",
          **more: dict[str, Any]) -> argparse.Namespace:
    """The examples' arguments; `more` are further ones, as {"labels": {"type": int, "default": 500}}. In a notebook's
    kernel the defaults."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="HOST:PORT of a running server; default: MIXFEED_SERVER, else one is started")
    parser.add_argument("--data", default="generated", help="dataset of a server that is started, as mixfeed-server "
                        "takes it: generated (the default), or cifar10=DIR")
    parser.add_argument("--dataset", help="the server's name of it, where it has several")
    parser.add_argument("--seed", type=int, default=1, help="of weights and batches")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/examples") / name,
                        help="folder of the plots; default: %(default)s")
    parser.add_argument("--steps", type=int, help=f"optimiser steps of each training; default {steps}, {quick_steps} "
                        "with --quick")
    parser.add_argument("--batch", type=int, default=batch, help="labelled images a step; default: %(default)s")
    parser.add_argument("--test-images", type=int, help="of the test set; default: all, 1000 with --quick")
    parser.add_argument("--network", choices=["small", "resnet18"], help="resnet18 is torchvision's, on images of "
                        f"{RESNET_SIDE} pixels; default: {network}, small with --quick")
    parser.add_argument("--quick", action="store_true", help="ends within two minutes on two cores: shows that it works, too "
                        "short to learn much")
    for argument, settings in more.items():
        parser.add_argument(f"--{argument.replace('_', '-')}", **settings)
    args = parser.parse_args([] if "ipykernel" in sys.modules else None)
    args.steps = args.steps or (quick_steps if args.quick else steps)
    args.test_images = args.test_images or (1000 if args.quick else None)
    args.network = args.network or ("small" if args.quick else network)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    return args


def has_torchvision() -> bool:
    try:
        import torchvision  # noqa: F401
    except ImportError:
        return False
    return True


class SmallNet(nn.Module):
    """Three stages of convolutions, whose outputs manifold mixup can mix: stem, middle and last."""

    LAYERS = ("stem", "middle", "last")

    def __init__(self, classes: int, channels: int, width: int = 16) -> None:
        super().__init__()
        self.stem = _stage(channels, width)
        self.middle = _stage(width, 2 * width)
        self.last = _stage(2 * width, 4 * width)
        self.head = nn.Linear(4 * width, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the last layer classifies: [n, 4 * width]."""
        return self.last(self.middle(self.stem(x))).mean([2, 3])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


def _stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
                         nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class ResNet18(nn.Module):
    """torchvision's ResNet-18, of random weights, on images that are enlarged to RESNET_SIDE pixels."""

    LAYERS = ("net.layer1", "net.layer2", "net.layer3")

    def __init__(self, classes: int) -> None:
        super().__init__()
        from torchvision.models import resnet18
        self.net = resnet18(num_classes=classes)
        self.head = self.net.fc
        self.net.fc = nn.Identity()
        self.side = RESNET_SIDE  # TorchScript reads no globals

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the last layer classifies: [n, 512]."""
        return self.net(F.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x))


def make_network(args: argparse.Namespace, feed: mixfeed.Feed) -> SmallNet | ResNet18:
    """A fresh network for the feed's images, with the weights of args.seed: the same for every arm of an experiment."""
    torch.manual_seed(args.seed)
    if args.network == "resnet18":
        if not has_torchvision():
            raise SystemExit("--network resnet18 needs torchvision (python3-torchvision)")
        return ResNet18(feed.info.classes)
    return SmallNet(feed.info.classes, feed.info.image_shape[0])


def open_feed(connection: mixfeed.Connection, args: argparse.Namespace, recipe: str, **spec: Any) -> mixfeed.Feed:
    """A feed of args.steps batches, with args.batch, args.seed and args.dataset."""
    settings = dict(batch=args.batch, seed=args.seed, dataset=args.dataset, steps=args.steps)
    return connection.open(recipe, **{**settings, **spec})


def train(model: nn.Module, feed: mixfeed.Feed, *, lr: float = 0.002,
          forward: Callable[[Any], torch.Tensor] | None = None,
          loss: Callable[[torch.Tensor, Any], torch.Tensor] = mixfeed.torch.mixup_loss,
          after_step: Callable[[Any], None] = lambda batch: None, name: str = "") -> list[float]:
    """Trains on all steps of the feed with Adam and a cosine schedule; the loss of every step. forward: of a batch;
    default: the model on its images."""
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, len(feed))
    losses, start = [], time.monotonic()
    model.train()
    for batch in mixfeed.torch.FeedDataset(feed):
        value = loss(model(batch.images) if forward is None else forward(batch), batch)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
        after_step(batch)
        losses.append(float(value))
    seconds = time.monotonic() - start
    print(f"{name}: {len(losses)} steps in {seconds:.1f} s, loss {losses[0]:.3f} -> {mean(losses[-20:]):.3f}",
          flush=True)
    return losses


def mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def load_images(feed: mixfeed.Feed, pool: str = "test", limit: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The first `limit` images of a pool, not augmented, and their classes: float32 [n, C, H, W], int64 [n]."""
    images: list[torch.Tensor] = []
    classes: list[torch.Tensor] = []
    for batch in feed.eval(pool, batch=EVAL_BATCH):
        tensors = mixfeed.torch.to_tensors(batch)
        images.append(tensors.images.clone())
        classes.append(tensors.targets.argmax(1))
        if limit is not None and len(images) * EVAL_BATCH >= limit:
            break
    return torch.cat(images)[:limit], torch.cat(classes)[:limit]


@torch.no_grad()
def predict(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits [n, classes], in eval mode."""
    was_training = model.training
    model.eval()
    logits = torch.cat([model(part) for part in images.split(EVAL_BATCH)])
    model.train(was_training)
    return logits


def accuracy(model: nn.Module, images: torch.Tensor, classes: torch.Tensor) -> float:
    return float((predict(model, images).argmax(1) == classes).float().mean())


def calibration_error(logits: torch.Tensor, classes: torch.Tensor, bins: int = 15) -> float:
    """The expected calibration error (Guo et al., 2017, equation 3)."""
    confidence, predicted = logits.softmax(1).max(1)
    right = (predicted == classes).float()
    bin_of = (confidence * bins).long().clamp(max=bins - 1)
    return sum(abs(float((right - confidence)[bin_of == b].sum())) for b in range(bins)) / len(classes)


def print_table(title: str, head: Sequence[str], rows: Rows) -> None:
    """Columns are aligned; floats have three decimals."""
    cells = [list(head)] + [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n{title}")
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(flush=True)


def smooth(values: Sequence[float], window: int = 20) -> list[float]:
    """The mean of each value and those before it, at most `window`."""
    return [mean(values[max(0, i + 1 - window):i + 1]) for i in range(len(values))]


def subplots(columns: int, rows: int = 1, **arguments: Any) -> tuple[Any, Any]:
    """A figure and its axes, of a size that suits a page."""
    return plt.subplots(rows, columns, figsize=(4.2 * columns, 3.4 * rows), constrained_layout=True, **arguments)


def plot_losses(axes: Any, losses: dict[str, list[float]]) -> None:
    for name, values in losses.items():
        axes.plot(smooth(values), label=name)
    axes.set(xlabel="step", ylabel="training loss (mean of 20)")
    axes.legend(fontsize=8)


def plot_bars(axes: Any, names: Sequence[str], values: Sequence[float], label: str) -> None:
    """One bar a name, with its value above it."""
    bars = axes.bar(range(len(names)), values, color=[f"C{i}" for i in range(len(names))])
    axes.bar_label(bars, [f"{value:.3f}" for value in values], fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    axes.set_ylabel(label)
    axes.margins(y=0.15)


def save(figure: Any, args: argparse.Namespace, name: str) -> None:
    path = args.out / name
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"plot: {path}", flush=True)
