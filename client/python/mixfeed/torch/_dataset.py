"""A feed as a dataset, bare and in a DataLoader, whose state is exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from mixfeed._errors import InvalidArgument
from mixfeed._feed import Feed, whole
from mixfeed.torch._device import checked_device, moved, moved_ahead
from mixfeed.torch._tensors import TensorBatch


class FeedDataset(IterableDataset[TensorBatch]):
    """A feed's batches as TensorBatch, from where the last loop stopped to the feed's end: bare, in FeedLoader, or in a
    DataLoader(dataset, batch_size=None), whose workers share the steps so that they still come in order.

    Rank and world size are the feed's, or torch.distributed's where that is initialised and the feed has a world of 1.

    state_dict() says the first step that the loop has not given yet, whatever was prefetched, together with the run, so
    that nothing is lost or repeated; it is the same in all ranks that have seen as many batches, and may be loaded with
    another world size. The state is that of the process it is asked in: with workers use FeedLoader (whose loop counts
    what was given), or torchdata's StatefulDataLoader (which asks in the workers).

    to("cuda") gives the batches on a GPU: copied by a thread, through page-locked memory and on a stream of its own,
    one batch ahead of the loop. That needs CUDA; on the CPU nothing is copied.
    """

    def __init__(self, feed: Feed) -> None:
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if distributed and feed.options.world == 1:
            feed = feed.with_options(rank=torch.distributed.get_rank(), world=torch.distributed.get_world_size())
        self.feed = feed
        self._next = feed.from_step  # of all ranks together
        self._device = torch.device("cpu")

    def to(self, device: torch.device | str | int) -> FeedDataset:
        """Gives batches on `device` from the next loop on, and returns this dataset. In a DataLoader's workers they
        stay on the CPU; FeedLoader copies them where they arrive. Raises InvalidArgument for CUDA where there is none.
        """
        self._device = checked_device(device)
        return self

    @property
    def next_step(self) -> int:
        """The first step that this rank has not given yet."""
        return self.feed._consumer.steps(self._next)[0]

    def state_dict(self) -> dict[str, Any]:
        """{"run": name, "next_step": the first step that no rank has given yet}."""
        return {"run": self.feed.run, "next_step": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state_dict(), in its run. Raises KeyError for a dict that is none."""
        self._next = whole("next_step", state["next_step"])
        self.feed = self.feed.of_run(state["run"])

    def __len__(self) -> int:
        """Batches that are left. Raises TypeError for an endless feed."""
        return self.feed.length_from(self._next)

    def __iter__(self) -> Iterator[TensorBatch]:
        """Raises InvalidArgument under sharing="split" in several workers, which cannot divide the steps then."""
        worker = get_worker_info()
        workers, index = (1, 0) if worker is None else (worker.num_workers, worker.id)
        if workers > 1 and self.feed.options.sharing == "split":
            raise InvalidArgument(f"num_workers: {workers} given; a feed with sharing='split' allows 0 or 1")
        first, stride = self.feed._consumer.steps(self._next)
        feed = self.feed
        if workers > 1:
            stride, first = stride * workers, first + stride * index
            feed = feed.with_options(sharing="round-robin", rank=first % stride, world=stride)
        device = self._device if worker is None else torch.device("cpu")
        with feed.steps_from(first) as batches:
            for tensors in moved_ahead(batches, device):
                self._next += stride  # counted when they are given, not when they are copied ahead
                yield tensors
                del tensors


class FeedLoader(DataLoader[TensorBatch]):
    """A DataLoader of a FeedDataset whose loop keeps the dataset's state, also with workers: dataset.state_dict() is then
    exact. Takes DataLoader's arguments but batch_size, sampler, shuffle and the like; workers live as long as a loop.

    Each worker has a connection of its own. Where this process has used the feed already, workers cannot be forked: give
    multiprocessing_context="spawn".

    Without workers pin_memory is for batches that stay on the CPU: the loop raises InvalidArgument where dataset.to()
    puts them on a GPU, which goes through page-locked memory anyway.
    """

    def __init__(self, dataset: FeedDataset, **arguments: Any) -> None:
        if arguments.get("persistent_workers"):
            raise InvalidArgument("persistent_workers: True given; workers begin where the last loop stopped, so that they "
                                  "are started anew with each")
        super().__init__(dataset, batch_size=None, **arguments)
        self._counted = dataset

    def __iter__(self) -> Iterator[TensorBatch]:  # type: ignore[override]
        device = self._counted._device
        if self.num_workers == 0:
            if self.pin_memory and device.type == "cuda":
                raise InvalidArgument(f"pin_memory: True given for batches that are on '{device}' already",
                                      "Leave it out: the dataset copies them through page-locked memory of its own.")
            yield from super().__iter__()
            return
        stride = self._counted.feed._consumer.steps(0)[1]
        for batch in moved(super().__iter__(), device):
            self._counted._next += stride  # the workers count in copies of the dataset
            yield batch
