"""Weights on their way to the server: a state dict in the safetensors form."""

from __future__ import annotations

import json
import struct
import threading
import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

from mixfeed._errors import FailedPrecondition
from mixfeed._feed import Feed, FeedIterator


class NamedTensor(NamedTuple):
    """One tensor of a state dict."""

    name: str
    dtype: str  # as safetensors has it: "F64", "F32", "F16", "BF16", "I64"
    shape: tuple[int, ...]
    data: bytes  # packed, little-endian


def to_safetensors(tensors: Iterable[NamedTensor]) -> bytes:
    """The file, in memory."""
    header: dict[str, Any] = {}
    chunks, end = [], 0
    for tensor in tensors:
        begin, end = end, end + len(tensor.data)
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
        chunks.append(tensor.data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the data are then aligned
    return b"".join([struct.pack("<Q", len(text)), text, *chunks])


class PushErrors:
    """What pushes in the background of one connection failed with, until it is raised: once, by the pusher or by a loop of
    the same training, which may be waiting for the weights that did not arrive. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untold: list[tuple[Feed, Exception]] = []
        self._iterators: weakref.WeakSet[FeedIterator] = weakref.WeakSet()

    def __reduce__(self) -> tuple[type[PushErrors], tuple[()]]:
        return PushErrors, ()

    def tell(self, iterator: FeedIterator) -> None:
        """Adds a loop."""
        with self._lock:
            self._iterators.add(iterator)

    def add(self, feed: Feed, error: Exception) -> None:
        with self._lock:
            self._untold.append((feed, error))
            waiting = [iterator for iterator in self._iterators if _of_one_training(iterator._feed, feed)]
        for iterator in waiting:
            iterator._stop()

    def take(self, feed: Feed) -> Exception | None:
        """An error that nobody has raised yet; the caller is to raise it."""
        with self._lock:
            for index, (pushed, error) in enumerate(self._untold):
                if _of_one_training(pushed, feed):
                    del self._untold[index]
                    return error
        return None


def _of_one_training(a: Feed, b: Feed) -> bool:
    """A dataset that goes on from a checkpoint has the pusher's feed in another run; evaluation, its run."""
    return a.run == b.run or a._spec == b._spec


class ModelVersions:
    """Pushes to the model that guesses for a feed, and knows the newest version of it. Not thread safe."""

    def __init__(self, feed: Feed, model: str | None) -> None:
        models = {m["name"]: m for m in json.loads(feed.connection._connected().models_json())["models"]}
        name = model or feed.info.spec["recipe"]["guess"]["model"]
        if not name and len(models) == 1:
            name = next(iter(models))
        if name not in models:
            raise FailedPrecondition(f"model: {name!r} is none of the server's: {', '.join(models) or 'it has none'}",
                                     "`mixfeed model register` makes one; model= of push_weights names it.")
        self.model: str = name
        self.version = int(models[name]["version"])
        self.update = int(models[name]["update"])  # the trainer's count that it is of
        self._connection = feed.connection

    def push(self, weights: bytes, update: int, every: int, rewind: bool) -> None:
        """Raises Aborted when another trainer pushed meanwhile, InvalidArgument for weights that do not fit."""
        answer = self._connection._connected().push_weights_json(
            model=self.model, update=update, replaces=self.version, safetensors=weights, partial=False, push_every=every,
            rewind=rewind)
        self.version = int(json.loads(answer)["model"]["version"])
        self.update = update
