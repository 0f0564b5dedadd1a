"""A trainer's own guesses: from a network's probabilities to the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mixfeed import _core
from mixfeed._errors import InvalidArgument


def mix(views: _core.Views, probabilities: Any, guesses: Any) -> _core.Batch:
    """What Feed.mix says, of views that are there."""
    if (probabilities is None) == (guesses is None):
        raise TypeError("mix() takes probabilities or guesses: one of them")
    rows, classes = views.n_unlabelled, views.classes
    if probabilities is None:
        return views.mix(_float32("guesses", guesses, [(rows, classes)], "[n_unlabelled, classes]"))
    shapes = [(views.n_views, rows, classes), (views.n_views * rows, classes)]
    given = _float32("probabilities", probabilities, shapes, "[n_views, n_unlabelled, classes]")
    if given.size == 0:  # nothing is guessed
        return views.mix(given)
    return views.mix(views.make_guesses(given))


def _float32(name: str, values: Any, shapes: list[tuple[int, ...]], meaning: str) -> npt.NDArray[np.float32]:
    """`values` of NumPy, of PyTorch (any device, with or without gradients), or what NumPy takes. Raises
    InvalidArgument."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().float() if values.is_floating_point() else values.detach().cpu()
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.floating):
        raise InvalidArgument(f"{name}: {array.dtype} given, must be floating point probabilities")
    if array.shape not in shapes:
        allowed = " or ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise InvalidArgument(f"{name}: shape {array.shape} given, must be {allowed}, {meaning}")
    return np.ascontiguousarray(array, np.float32)
