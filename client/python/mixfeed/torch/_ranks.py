"""A feed's steps among the ranks of torch.distributed."""

from __future__ import annotations

from typing import Any

import torch.distributed

from mixfeed._errors import InvalidArgument
from mixfeed._feed import Feed


def of_rank(feed: Feed, distributed: bool | None) -> Feed:
    """The feed for this rank, as FeedDataset's `distributed` says; where several share it, all of them call this.
    Raises InvalidArgument where they opened different feeds, or would wait for updates that they never make."""
    initialised = torch.distributed.is_available() and torch.distributed.is_initialized()
    if distributed and not initialised:
        raise InvalidArgument("distributed: True given, but torch.distributed is not initialised",
                              "Call torch.distributed.init_process_group before, in a script that torchrun starts.")
    ranks = torch.distributed.get_world_size() if initialised else 1
    if distributed is None:
        distributed = ranks > 1 and feed.options.world == 1 and feed.info.spec["recipe"]["rows"] != "ORDERED"
    if distributed:
        _check_alike(feed, ranks)
        feed = feed.with_options(rank=torch.distributed.get_rank(), world=ranks)
    if ranks > 1:
        _check_updates(feed)
    return feed


def _check_alike(feed: Feed, ranks: int) -> None:
    group = torch.distributed.new_group(backend="gloo")  # whatever the default is: names are not on a GPU
    opened: list[Any] = [None] * ranks
    torch.distributed.all_gather_object(opened, (feed.run, feed.spec_digest), group=group)
    torch.distributed.destroy_process_group(group)
    runs = sorted({run for run, _ in opened})
    if len(runs) > 1:
        raise InvalidArgument(f"run: the ranks opened different ones, {', '.join(map(repr, runs))}",
                              'Without run= each open() makes a new one: open(..., run="NAME"), alike in all ranks. '
                              "FeedDataset(feed, distributed=False) gives each rank all of its own feed's steps.")
    if len({spec for _, spec in opened}) > 1:
        raise InvalidArgument("feed: the ranks opened feeds of different specs",
                              "Give open() the same arguments in all ranks, the seed too: they share its steps.")


def _check_updates(feed: Feed) -> None:
    """Whether a step's update is one that ranks who share the steps have made by then."""
    world = feed.options.world
    if world == 1 or feed.options.sharing != "round-robin":
        return
    batches = feed.info.spec["recipe"]["guess"]["batches_per_update"]
    if feed.info.waits_for_updates and batches % world:
        raise InvalidArgument(
            f"recipe.guess.batches_per_update: {batches} given; {world} ranks train on "
            f"{world} batches for one update, so that it must be {world}, or a multiple that accumulates gradients",
            f'open(..., set={{"recipe.guess.batches_per_update": {world}}}), and push from one rank; '
            'policy="newest" waits for no update.')
