"""What the loaders that loaders.py compares have in common. Each is a script of its own, for a Python of its own, that
gives endless batches: images of its library's kind, float32 in [-1, 1], and targets that sum to 1."""
from __future__ import annotations

import argparse
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from kit import answer_lines

SIDE, PAD, CLASSES = 32, 4, 10
RECORD = 1 + 3 * SIDE * SIDE
ALPHA = 1.0
WARM_UP = 1.0  # seconds before those that count, in which what was made ahead is used up

Batch = tuple[Any, Any]  # images and targets


def parse(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, metavar="DIR", help="CIFAR-10's .bin files")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: the cores")
    return parser.parse_args()


def training_files(folder: pathlib.Path) -> list[str]:
    return sorted(map(str, folder.glob("data_batch_*.bin")))


def read_images(folder: pathlib.Path) -> tuple[Any, Any]:
    """uint8 [n, 3, 32, 32] and int64 [n]."""
    import numpy as np
    records = np.concatenate([np.fromfile(file, np.uint8) for file in training_files(folder)]).reshape(-1, RECORD)
    return np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, SIDE, SIDE), records[:, 0].astype(np.int64)


def padded_with_black(images: Any) -> Any:
    """[n, 3, 40, 40]: once for all steps."""
    import numpy as np
    return np.pad(images, ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)))


def check(batch: Batch, rows: int, to_numpy: Callable[[Any], Any]) -> None:
    """Raises AssertionError for what is no mixup batch of `rows` rows."""
    images, targets = map(to_numpy, batch)
    assert images.shape in ((rows, 3, SIDE, SIDE), (rows, SIDE, SIDE, 3)), images.shape
    assert images.dtype == "float32" and targets.shape == (rows, CLASSES), (images.dtype, targets.shape)
    assert -1.001 <= images.min() < -0.5 and 0.5 < images.max() <= 1.001, (images.min(), images.max())
    assert abs(targets.sum(1) - 1).max() < 1e-5 and (targets.max(1) < 1).any(), targets


def serve(batches: Iterator[Batch], rows: int, *, name: str, to_numpy: Callable[[Any], Any]) -> None:
    """Checks some batches, then measures: asked for {"seconds": S}, images a second of `for batch in batches`."""
    for _ in range(3):  # a lambda near 0 or 1 leaves nearly nothing to see, but not three times
        try:
            check(next(batches), rows, to_numpy)
            break
        except AssertionError as error:
            wrong = error
    else:
        raise wrong

    def images_per_second(seconds: float) -> dict[str, float]:
        images, start, begin = 0, 0.0, time.perf_counter()
        for _ in batches:
            now = time.perf_counter()
            if not start:
                start = now if now - begin >= min(WARM_UP, seconds) else 0.0
                continue
            images += rows
            if now - start >= seconds:
                return {"images_per_second": images / (now - start)}
        raise AssertionError("endless batches ended")

    answer_lines({"name": name}, images_per_second)


def missing(error: ImportError) -> None:
    answer_lines({"missing": f"not installed: {error}"}, dict)
