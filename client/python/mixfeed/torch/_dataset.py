"""A feed as a dataset, bare and in a DataLoader, whose state is exact."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map
from torch.utils.data._utils.pin_memory import pin_memory

from mixfeed._connection import Connection
from mixfeed._errors import FailedPrecondition, InvalidArgument
from mixfeed._feed import Feed, whole
from mixfeed.torch._device import checked_device, moved, moved_ahead
from mixfeed.torch._ranks import of_rank
from mixfeed.torch._tensors import TensorBatch


class FeedDataset(IterableDataset[TensorBatch]):
    """A feed's batches as TensorBatch: bare, in FeedLoader, or in a DataLoader(dataset, batch_size=None), whose workers
    share the steps so that they still come in order. That takes multiprocessing_context="spawn" for workers where this
    process has connected already, as register, eval and Feed.info do; FeedLoader sees to it.

    A loop that reached the feed's end is followed by one from its from_step. After a `break` or an exception, and after
    load_state_dict(), the next loop goes on where the last one was; after an exception the same iterator goes on, too.
    One loop at a time: a new one ends the one before, whose iterator then raises FailedPrecondition.

    distributed: whether torch.distributed's ranks share the steps, in place of the feed's rank and world size. None:
    yes where it has several ranks, unless the feed has a world size of its own or is one ordered pass (Feed.eval, of
    which each rank then sees all). All ranks that share a feed make the dataset together. Raises InvalidArgument where
    they opened different runs or specs, and where a feed that waits for updates counts one for other than the ranks'
    batches (recipe.guess.batches_per_update).

    state_dict() says where the loop is, whatever was prefetched, together with the run, so that nothing is lost or
    repeated; it is the same in all ranks that have seen as many batches, and may be loaded with another world size. The
    state is that of the process it is asked in: with workers use FeedLoader (whose loop counts what was given), or
    torchdata's StatefulDataLoader (which asks in the workers); with a DataLoader's workers each loop is a whole one.

    to("cuda") gives the batches on a GPU: copied by a thread, through page-locked memory and on a stream of its own,
    one batch ahead of the loop. That needs CUDA; on the CPU nothing is copied.
    """

    def __init__(self, feed: Feed, distributed: bool | None = None) -> None:
        self.feed = of_rank(feed, distributed)
        self._next = feed.from_step  # of all ranks together
        self._feed_id: str | None = None  # of what gave the last batch, or of the state that was loaded
        self._ended = False  # the last loop reached the feed's end
        self._loops = 0  # that have begun; the last of them counts
        self._device = torch.device("cpu")

    def to(self, device: torch.device | str | int) -> FeedDataset:
        """Gives batches on `device` from the next loop on, and returns this dataset. In a DataLoader's workers they
        stay on the CPU; FeedLoader copies them where they arrive. Raises InvalidArgument for CUDA where there is none.
        """
        self._device = checked_device(device)
        return self

    @property
    def next_step(self) -> int:
        """The first step that this rank has not given yet; past the feed's last one when a loop has ended."""
        return self.feed._consumer.steps(self._next)[0]

    def state_dict(self) -> dict[str, Any]:
        """{"run": name, "spec": digest of what the feed was opened with, "feed_id": FeedInfo.feed_id, or None as long as
        this process has not opened the feed, "next_step": the first step that no rank has given, once all have given as
        many batches as this one; at the feed's end its `steps`}."""
        return {"run": self.feed.run, "spec": self.feed.spec_digest, "feed_id": self._feed_id or self.feed._known_id,
                "next_step": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state_dict(), in its run. From one of the feed's end the next loop gives what the feed has
        more by now, if anything. Raises InvalidArgument, and changes nothing, for a dict that is none, and for a state
        of another feed. To compare feed_id this opens the feed, and raises what Feed.info raises; where a state has
        none, what was given to open() is compared, and a dataset that changed at the server goes unnoticed."""
        try:
            run, spec, next_step = state["run"], state["spec"], whole("next_step", state["next_step"])
        except KeyError as missing:
            raise InvalidArgument(f"state: it has no {missing}, must be what state_dict() returned") from None
        feed, feed_id = self.feed.of_run(run), state.get("feed_id")
        kind, given, own = (("spec", spec, feed.spec_digest) if feed_id is None else
                            ("feed", feed_id, feed.info.feed_id))
        if given != own:
            raise InvalidArgument(f"state: it is of {kind} {given}, this one is {own}",
                                  "Open the feed as it was, its seed too, on the dataset of before; run, steps, rank, "
                                  "world and the pixels' form may differ. To go on in another feed on purpose, load no "
                                  "state: open(..., from_step=N).")
        self.feed, self._feed_id, self._next, self._ended = feed, feed_id, next_step, False
        self._loops += 1  # ends the one that is under way

    def __len__(self) -> int:
        """Batches of a whole loop, from the feed's from_step. Raises TypeError for an endless feed."""
        return len(self.feed)

    def __iter__(self) -> Iterator[TensorBatch]:
        """Its first step raises InvalidArgument under sharing="split" in several workers, which cannot divide the steps
        then."""
        return _Loop(self, self._started)

    def _started(self) -> tuple[Feed, Iterator[TensorBatch]]:
        """The feed of this process, a DataLoader's worker or not, and its batches from here on."""
        worker = get_worker_info()
        feed = self.feed
        if worker is not None and worker.num_workers > 1:
            if feed.options.sharing == "split":
                raise InvalidArgument(f"num_workers: {worker.num_workers} given; a feed with sharing='split' allows "
                                      "0 or 1")
            first, stride = feed._consumer.steps(self._next)
            first, stride = first + stride * worker.id, stride * worker.num_workers
            feed = feed.with_options(sharing="round-robin", rank=first % stride, world=stride)
        batches = feed.steps_from(self._next)
        if worker is not None:
            batches._silent = True
        return feed, moved_ahead(batches, self._device if worker is None else torch.device("cpu"))

    def _begin_loop(self) -> int:
        """Its number."""
        if self._ended:
            self._next, self._ended = self.feed.from_step, False
        self._loops += 1
        return self._loops


class _Loop(Iterator[TensorBatch]):
    """Batches of `start` (a feed, and its batches from the dataset's step on), counted in the dataset when they are
    given, not when they are copied ahead. After an exception it starts again where it was."""

    def __init__(self, dataset: FeedDataset, start: Callable[[], tuple[Feed, Iterator[TensorBatch]]]) -> None:
        self._dataset = dataset
        self._start = start
        self._number: int | None = None  # once it has begun
        self._started: tuple[Feed, Iterator[TensorBatch]] | None = None
        self._closed = False

    def __next__(self) -> TensorBatch:
        dataset = self._dataset
        if self._closed:
            raise StopIteration
        if self._number is None:
            self._number = dataset._begin_loop()
        if self._number != dataset._loops:
            self._started = None
            raise FailedPrecondition("dataset: another loop over it has begun, or a state was loaded, since this "
                                     "iterator gave its last batch",
                                     "Loops side by side need a FeedDataset each; they may share the feed.")
        if self._started is None:
            self._started = self._start()
        feed, batches = self._started
        first, stride = feed._consumer.steps(dataset._next)
        after = dataset._next + stride
        if feed.steps is not None and feed is dataset.feed:  # workers' states are not of all ranks together
            after = min(after, feed.steps)
        try:
            batch = next(batches)
            dataset._next, dataset._feed_id = after, dataset._feed_id or feed._known_id
            return batch
        except StopIteration:
            self.close()
            if feed.steps is not None and first >= feed.steps:  # else it was closed
                dataset._next, dataset._ended = max(dataset._next, feed.steps), True
            raise
        except BaseException:
            self._started = None
            raise

    def close(self) -> None:
        """Ends it where it is."""
        self._started, self._closed = None, True


class FeedLoader(DataLoader[TensorBatch]):
    """A DataLoader of a FeedDataset whose loop keeps the dataset's state, also with workers: state_dict() of either is
    exact. Takes DataLoader's arguments but batch_size, sampler, shuffle and the like; workers live as long as a
    loop.

    Each worker has a connection of its own. A process that has connected cannot fork workers: where it has when a loop
    begins, and no multiprocessing_context is given, they are started by "spawn", for which a script's own code stands
    under `if __name__ == "__main__":`.

    Without workers pin_memory is for batches that stay on the CPU: the loop raises InvalidArgument where dataset.to()
    puts them on a GPU, which goes through page-locked memory anyway.
    """

    def __init__(self, dataset: FeedDataset, **arguments: Any) -> None:
        """Raises InvalidArgument for persistent_workers=True and in_order=False."""
        if arguments.get("persistent_workers"):
            raise InvalidArgument("persistent_workers: True given; workers begin where the last loop stopped, so that "
                                  "they are started anew with each")
        if not arguments.get("in_order", True):
            raise InvalidArgument("in_order: False given; the state says up to which step all was given, which takes "
                                  "their order")
        super().__init__(dataset, batch_size=None, **arguments)
        self._counted = dataset

    def state_dict(self) -> dict[str, Any]:
        """The dataset's."""
        return self._counted.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The dataset's."""
        self._counted.load_state_dict(state)

    def __iter__(self) -> Iterator[TensorBatch]:  # type: ignore[override]
        device = self._counted._device
        if self.num_workers == 0 and self.pin_memory and device.type == "cuda":
            raise InvalidArgument(f"pin_memory: True given for batches that are on '{device}' already",
                                  "Leave it out: the dataset copies them through page-locked memory of its own.")
        # It counts what is given: workers would count in copies of the dataset, DataLoader before it collates.
        return _Loop(self._counted, self._started)

    def _started(self) -> tuple[Feed, Iterator[TensorBatch]]:
        if self.num_workers == 0:
            feed, batches = self._counted._started()
            return feed, map(self._collated, batches)
        forking = self.multiprocessing_context is None and multiprocessing.get_start_method() == "fork"
        if forking and Connection.any_used:
            self.multiprocessing_context = "spawn"
        return self._counted.feed, moved(super().__iter__(), self._counted._device)

    def _collated(self, batch: Any) -> Any:
        """As DataLoader does it without workers."""
        collated = self.collate_fn(batch)
        if self.pin_memory and torch.cuda.is_available():
            collated = pin_memory(collated, self.pin_memory_device or None)
        return collated


def _only_one(batches: list[TensorBatch], *, collate_fn_map: Any = None) -> TensorBatch:
    """What DataLoader's default_collate makes of them, where batch_size=None was left out: its default is 1."""
    if len(batches) > 1:
        raise InvalidArgument(f"batch_size: {len(batches)} given, but the feed's batches are whole ones already",
                              "Write DataLoader(dataset, batch_size=None); open(..., batch=) says how large they are.")
    return batches[0]


default_collate_fn_map[TensorBatch] = _only_one
