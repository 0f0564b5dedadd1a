"""Pushing a module's weights to the model that guesses."""

from __future__ import annotations

import threading
from types import TracebackType

import torch
import torch.distributed

from mixfeed._errors import FailedPrecondition, InvalidArgument
from mixfeed._feed import _SLICE, Feed, whole
from mixfeed._weights import ModelVersions, NamedTensor, to_safetensors
from mixfeed.torch._modules import SAFETENSORS_NAMES


def _named(name: str, tensor: torch.Tensor) -> NamedTensor:
    if tensor.dtype not in SAFETENSORS_NAMES:
        raise InvalidArgument(f"{name}: {tensor.dtype} cannot be pushed, only {', '.join(map(str, SAFETENSORS_NAMES))}")
    packed = tensor.contiguous()
    numbers = packed.view(torch.int16) if packed.dtype == torch.bfloat16 else packed
    return NamedTensor(name, SAFETENSORS_NAMES[packed.dtype], tuple(packed.shape), numbers.numpy().tobytes())


class WeightPusher:
    """What push_weights returns. Call step() after every optimiser step, from one thread; close() when all is done, or
    use it in a `with`. Left by an exception, Ctrl-C too, that gives the push that is under way a second at most: it may
    arrive or not then, and what it fails with is not raised. The same comes of making another one for the same training
    and model over the same connection, which takes this one's place.

    What a push fails with is raised once, by whatever comes first: step(), wait(), close(), or a loop over a feed of
    this training in this process, also one that waits for the weights: Aborted when another trainer pushed,
    InvalidArgument for weights that do not fit the model, Unavailable when the server stays away."""

    def __init__(self, module: torch.nn.Module, feed: Feed, versions: ModelVersions, every: int, update: int,
                 rewind: bool) -> None:
        self._module = module
        self._feed = feed
        self._versions = versions
        self._every = every
        self._rewind = rewind  # until a push has arrived
        self._pending: threading.Thread | None = None
        self.update = update  # optimiser steps so far

    @property
    def version(self) -> int:
        """The model's newest version, as far as pushes have arrived."""
        return self._versions.version

    def step(self) -> None:
        """Counts an optimiser step; each `every`-th sends the module's state dict, as it is now, in the background,
        when the push before has arrived. Raises FailedPrecondition after close()."""
        self._check_open()
        self.update += 1
        if self.update % self._every == 0:
            self.push()

    def push(self) -> None:
        """Sends the weights of now, whether or not it is their turn; nothing in other ranks than the first."""
        self._check_open()
        if torch.distributed.is_available() and torch.distributed.is_initialized() and torch.distributed.get_rank() > 0:
            return
        self.wait()
        state = self._module.state_dict()
        weights = to_safetensors(_named(name, tensor.detach().cpu()) for name, tensor in state.items())
        # A daemon: a push that is stuck does not keep the interpreter from ending. It is given no tensors, which abort
        # the process where a thread frees them while the interpreter ends.
        self._pending = threading.Thread(target=self._send, args=(weights, self.update), daemon=True)
        self._pending.start()

    def wait(self) -> None:
        """Until what was pushed has arrived."""
        if self._pending is not None:
            while self._pending.is_alive():
                self._pending.join(_SLICE)
            self._pending = None
        failed = self._feed.connection._push_errors.take(self._feed)
        if failed is not None:
            raise failed

    def close(self) -> None:
        """wait(), and no more steps after that. An interpreter that ends without it may leave the last push behind."""
        try:
            if not self._closed:
                self.wait()
        finally:
            self._give_up()

    @property
    def _closed(self) -> bool:
        return self._versions.given_up.is_set()

    def _give_up(self) -> None:
        if not self._closed:
            self._versions.give_up()
            self._feed.connection._push_errors.take(self._feed)

    def _check_open(self) -> None:
        if self._closed:
            raise FailedPrecondition("the pusher was closed, or another one took its place",
                                     "push_weights makes a new one; update= goes on counting.")

    def __enter__(self) -> WeightPusher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._give_up()

    def _send(self, weights: bytes, update: int) -> None:
        try:
            self._versions.push(weights, update, self._every, self._rewind)
            self._rewind = False
        except Exception as error:
            self._feed.connection._push_errors.add(self._versions, error)


def push_weights(module: torch.nn.Module, feed: Feed, every: int = 1, *, model: str | None = None, update: int = 0,
                 rewind: bool = False) -> WeightPusher:
    """Keeps the model that guesses for `feed` at the weights of `module`, of the same architecture.

    every: optimiser steps between two pushes; more than 1 needs policy="newest" or "pinned". model: its name; default:
    the feed's. update: optimiser steps that were made before, when a training goes on; rewind: the first push that
    arrives may be of an earlier update than the model's newest. A moving average of what is pushed, for feeds with
    weights="ema", is the server's to keep: only register(ema_decay=...) asks for it, nothing here.

    Where torch.distributed is initialised rank 0 alone pushes, since all ranks have the same weights after an update;
    the others only count their steps. Raises FailedPrecondition when the server has no such model.
    """
    every = whole("every", every, low=1, high=2**32 - 1)
    return WeightPusher(module, feed, ModelVersions(feed, model), every, whole("update", update), rewind)
