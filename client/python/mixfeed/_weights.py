"""Weights on their way to the server: a state dict in the safetensors form."""

from __future__ import annotations

import json
import struct
import threading
import time
import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from mixfeed import _core
from mixfeed._errors import Aborted, DeadlineExceeded, FailedPrecondition, InvalidArgument, Unavailable
from mixfeed._feed import Feed, FeedIterator

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds, between a push that was lost and the next
_GRACE = 1.0  # seconds, so that no push that was given up arrives in the midst of what comes next


# How the form calls the types that the server takes.
SAFETENSORS_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64"}


class NamedTensor(NamedTuple):
    """One tensor of a state dict."""

    name: str
    dtype: str  # one of SAFETENSORS_NAMES' values
    shape: tuple[int, ...]
    data: bytes  # packed, little-endian


def named_array(name: str, values: Any) -> NamedTensor:
    """Of what NumPy takes: its own arrays, JAX's, PyTorch's on the CPU. Raises InvalidArgument for other types."""
    array = np.asarray(values)
    kind = array.dtype.name
    if kind not in SAFETENSORS_NAMES:
        raise InvalidArgument(f"{name}: {kind} cannot be pushed, only {', '.join(SAFETENSORS_NAMES)}")
    native = array if array.dtype.isnative else array.astype(kind)
    return NamedTensor(name, SAFETENSORS_NAMES[kind], array.shape, native.tobytes())


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
    """What pushes in the background of one connection failed with, until it is raised: once, by the pusher or by a loop
    of the same training, which may be waiting for the weights that did not arrive. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untold: list[tuple[ModelVersions, Exception]] = []
        self._iterators: weakref.WeakSet[FeedIterator] = weakref.WeakSet()
        self._pushing: weakref.WeakSet[ModelVersions] = weakref.WeakSet()

    def __reduce__(self) -> tuple[type[PushErrors], tuple[()]]:
        return PushErrors, ()

    def tell(self, iterator: FeedIterator) -> None:
        """Adds a loop."""
        with self._lock:
            self._iterators.add(iterator)

    def begin(self, versions: ModelVersions) -> bool:
        """Adds what pushes. What pushed to the same model in the same training is given up, with what it failed with.
        Returns whether there was any."""
        with self._lock:
            before = [other for other in self._pushing
                      if other.model == versions.model and _of_one_training(other.feed, versions.feed)]
            for other in before:
                other.given_up.set()
            self._pushing.difference_update(before)
            self._pushing.add(versions)
            self._untold = [(pushed, error) for pushed, error in self._untold if pushed not in before]
        for other in before:
            other.give_up()
        return bool(before)

    def add(self, versions: ModelVersions, error: Exception) -> None:
        """Unless the push was given up."""
        with self._lock:
            if versions.given_up.is_set():
                return
            self._untold.append((versions, error))
            waiting = [iterator for iterator in self._iterators if _of_one_training(iterator._feed, versions.feed)]
        for iterator in waiting:
            iterator._stop()

    def has(self, feed: Feed) -> bool:
        """Whether take() would give one."""
        with self._lock:
            return any(_of_one_training(pushed.feed, feed) for pushed, _ in self._untold)

    def take(self, feed: Feed) -> Exception | None:
        """An error that nobody has raised yet; the caller is to raise it."""
        with self._lock:
            for index, (pushed, error) in enumerate(self._untold):
                if _of_one_training(pushed.feed, feed):
                    del self._untold[index]
                    return error
        return None


def _of_one_training(a: Feed, b: Feed) -> bool:
    """A dataset that goes on from a checkpoint has the pusher's feed in another run; evaluation, its run."""
    return a.run == b.run or a._spec == b._spec


class ModelVersions:
    """Pushes to the model that guesses for a feed, and knows the newest version of it. One thread pushes."""

    version: int
    update: int  # the trainer's count that it is of

    def __init__(self, feed: Feed, model: str | None) -> None:
        self.feed = feed
        self.given_up = threading.Event()  # set by any thread: nothing more is pushed, nor what is lost pushed again
        self._under_way = threading.Lock()  # a push
        self._connection = feed.connection
        models = models_by_name(feed.connection._connected())
        name = model or feed.info.spec["recipe"]["guess"]["model"]
        if not name and len(models) == 1:
            name = next(iter(models))
        self.model: str = name
        if feed.connection._push_errors.begin(self):  # a push of before may have arrived meanwhile
            models = models_by_name(feed.connection._connected())
        self._take_over(models)

    def give_up(self) -> None:
        """Ends pushing, for good. A push that is under way gets a second, and may arrive or not then."""
        self.given_up.set()
        if self._under_way.acquire(timeout=_GRACE):
            self._under_way.release()

    def push(self, weights: bytes, update: int, every: int, rewind: bool) -> None:
        """Where the server is lost, waits for it and pushes again, for as long as the connection's `wait`; a push whose
        answer alone was lost has arrived. Raises Aborted when another trainer pushed meanwhile, InvalidArgument for
        weights that do not fit, Unavailable and DeadlineExceeded for a server that stays away."""
        with self._under_way:
            if not self.given_up.is_set():
                self._push(weights, update, every, rewind)

    def _push(self, weights: bytes, update: int, every: int, rewind: bool) -> None:
        pause, end = _FIRST_PAUSE, None
        while True:
            try:
                answer = self._connection._connected().push_weights_json(
                    model=self.model, update=update, replaces=self.version, safetensors=weights, partial=False,
                    push_every=every, rewind=rewind)
                self.version, self.update = int(json.loads(answer)["model"]["version"]), update
                return
            except (Unavailable, DeadlineExceeded):
                now = time.monotonic()
                end = end or now + self._connection._arguments["wait_ms"] / 1000
                if now + pause > end or self.given_up.wait(pause):
                    raise
            pause = min(2 * pause, _LONGEST_PAUSE)
            if self._has_arrived(update):
                return

    def _has_arrived(self, update: int) -> bool:
        """Waits for the server. Raises Aborted when what came instead is another's: known by its number and update
        alone, since the server converts what is pushed before it makes a digest of it."""
        replaced = self.version
        self._take_over(models_by_name(_core.Client(**self._connection._arguments)))  # a new one waits to be connected
        if self.version > replaced and (self.version, self.update) != (replaced + 1, update):
            raise Aborted(f"model: another trainer has pushed version {self.version} of {self.model}, of update "
                          f"{self.update}")
        return self.version > replaced

    def _take_over(self, models: dict[str, Any]) -> None:
        if self.model not in models:
            known = ", ".join(models) or "it has none"
            raise FailedPrecondition(f"model: {self.model!r} is none of the server's: {known}",
                                     "mixfeed.torch.register or connection.register_model makes one; model= of "
                                     "push_weights names it.")
        self.version = int(models[self.model]["version"])
        self.update = int(models[self.model]["update"])


def models_by_name(client: _core.Client) -> dict[str, Any]:
    """The server's, by name."""
    return {model["name"]: model for model in json.loads(client.models_json())["models"]}
