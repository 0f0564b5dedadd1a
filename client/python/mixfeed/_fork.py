"""Branching a training."""

from __future__ import annotations

import secrets

from mixfeed._feed import Feed, whole


def fork(feed: Feed, step: int, run: str | None = None, *, model: str | None = None) -> Feed:
    """The same feed in a new run that shares the guesses of the steps below `step`, as `mixfeed fork` makes it: for
    going on from a checkpoint in another way, while the first run stays as it was.

        other = mixfeed.fork(feed, 2000, "lower-lr", model="net-lower-lr")

    Its batches are this feed's up to there, bit for bit; from `step` on, where its loops begin, they are guessed anew.
    run: its name, as open() takes it; default: a new one. model: what guesses from `step` on; default: the feed's. A
    trainer beside the first one needs a model of its own, which is registered with the checkpoint's weights and
    update=step; one that went back pushes to the same model, with rewind=True.

    Opens both feeds. Raises AlreadyExists for a run that has guesses already, InvalidArgument for a name that is not
    allowed and for a model where nothing is guessed.
    """
    run, step = run or secrets.token_hex(8), whole("step", step)
    opened = feed.of_run(feed.run).info  # by a server that was restarted, too
    spec = feed.connection._connected().fork_run(opened.feed_id, step, run, model or "")
    return Feed(feed.connection, spec, run, feed.options, feed.steps, step, feed.steps_per_epoch)
