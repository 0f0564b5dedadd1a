"""Batches on their way to a device while the one before is trained on."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch

from mixfeed._core import Batch
from mixfeed._errors import InvalidArgument
from mixfeed._feed import _SLICE, FeedIterator
from mixfeed.torch._tensors import TensorBatch, to_tensors

_SLOTS = 2  # one batch is trained on, or on its way to it, while the next is copied


class Cuda:
    """All that copying uses of CUDA: a stream of its own on one device, page-locked memory, events. Tests have a fake.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._side = torch.cuda.Stream(device)

    def page_locked(self, like: torch.Tensor) -> torch.Tensor:
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)

    def on_side_stream(self) -> contextlib.AbstractContextManager[Any]:
        return torch.cuda.stream(self._side)

    def to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy that is under way on the current stream."""
        return tensor.to(self.device, non_blocking=True)

    def record(self) -> Any:
        """An event at the end of what the side stream has to do so far."""
        return self._side.record_event()

    def hand_over(self, event: Any, tensors: list[torch.Tensor]) -> None:
        """Makes the current stream wait for the event, and tells the allocator that it uses the tensors."""
        current: Any = torch.cuda.current_stream(self.device)
        current.wait_event(event)
        for tensor in tensors:
            tensor.record_stream(current)


class _Slot:
    """Page-locked memory for one batch, used again and again."""

    def __init__(self) -> None:
        self.memory: dict[str, torch.Tensor] = {}
        self.copied: Any = None  # the event after which the memory is free


class Started(NamedTuple):
    """A batch whose copy is under way."""

    batch: TensorBatch
    copied: Any  # the event after which it is there


class DeviceCopier:
    """Copies batches to a device on a side stream, through page-locked memory for two of them. start() is called by one
    thread at a time, finish() by the one that trains."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._slots = [_Slot() for _ in range(_SLOTS)]
        self._turn = 0

    def start(self, batch: TensorBatch) -> Started:
        """Returns while the copy is under way; `batch` is not needed any more. Waits for the copy of two batches ago.
        """
        slot = self._slots[self._turn]
        self._turn = (self._turn + 1) % len(self._slots)
        if slot.copied is not None:
            slot.copied.synchronize()
        fields: dict[str, Any] = batch._asdict()
        with self._cuda.on_side_stream():
            for name, value in fields.items():
                if isinstance(value, torch.Tensor):
                    fields[name] = self._cuda.to_device(self._staged(slot, name, value))
        slot.copied = self._cuda.record()
        return Started(TensorBatch(**fields), slot.copied)

    def finish(self, started: Started) -> TensorBatch:
        """The batch, for the current stream: what is launched on it from now on finds the copy complete."""
        self._cuda.hand_over(started.copied, [value for value in started.batch if isinstance(value, torch.Tensor)])
        return started.batch

    def _staged(self, slot: _Slot, name: str, value: torch.Tensor) -> torch.Tensor:
        memory = slot.memory.get(name)
        if memory is None or memory.shape != value.shape or memory.dtype != value.dtype:
            memory = slot.memory[name] = self._cuda.page_locked(value)
        return memory.copy_(value)


def checked_device(device: torch.device | str | int) -> torch.device:
    """A device by its whole name. Raises InvalidArgument for CUDA where there is none."""
    checked = torch.device(device)
    if checked.type != "cuda":
        return checked
    if not torch.cuda.is_available():
        raise InvalidArgument(f"device: '{checked}' given, but torch.cuda.is_available() is False")
    # Threads have a current device of their own.
    return checked if checked.index is not None else torch.device("cuda", torch.cuda.current_device())


def moved(batches: Iterator[TensorBatch], device: torch.device) -> Iterator[TensorBatch]:
    """The batches on `device`, each copied when it is asked for. Keeps none of them."""
    if device.type != "cuda":
        return map(functools.partial(_plainly, device=device), batches)
    copier = DeviceCopier(Cuda(device))
    return map(lambda batch: copier.finish(copier.start(batch)), batches)


def moved_ahead(batches: FeedIterator, device: torch.device) -> Iterator[TensorBatch]:
    """The batches on `device`; on CUDA each is fetched and copied while the one before is trained on, by a thread, so
    that a batch that is there does not wait for the next; the iterator is closed then."""
    if device.type != "cuda":
        return moved(map(to_tensors, batches), device)
    return _copied_ahead(batches, DeviceCopier(Cuda(device)))


def _copied_ahead(batches: FeedIterator, copier: DeviceCopier) -> Iterator[TensorBatch]:
    def start_next(fetch: Callable[[], Batch | None]) -> Started | None:
        batch = fetch()
        return None if batch is None else copier.start(to_tensors(batch))

    # Here what the server refuses is raised, and Ctrl-C noticed, at once; and what a push failed with is raised.
    here = functools.partial(next, batches, None)
    # Closing ends the thread's wait, before the thread is waited for.
    with concurrent.futures.ThreadPoolExecutor(1, "mixfeed-copy") as thread, contextlib.closing(batches):
        started = start_next(here)
        while started is not None:
            pending = thread.submit(start_next, batches._fetch)
            yield copier.finish(started)
            if not concurrent.futures.wait([pending], batches._patience).done:
                batches._warn_of_wait()
            while not concurrent.futures.wait([pending], _SLICE).done:
                pass
            started = pending.result() or start_next(here)


def _plainly(batch: TensorBatch, device: torch.device) -> TensorBatch:
    """On the CPU the batch's own tensors."""
    fields: dict[str, Any] = batch._asdict()
    for name, value in fields.items():
        if isinstance(value, torch.Tensor):
            fields[name] = value.to(device)
    return TensorBatch(**fields)
