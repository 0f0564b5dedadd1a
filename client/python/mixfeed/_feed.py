"""Feeds, and going through them."""

from __future__ import annotations

import enum
import hashlib
import json
import logging
import operator
import weakref
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mixfeed import _core, _guesses
from mixfeed._errors import Error, InvalidArgument, OutOfRange

if TYPE_CHECKING:
    from mixfeed._connection import Connection

_LARGEST = 2**32 - 1
_PATIENCE = 3.0  # seconds that a loop waits for a batch before it says what it waits for
# Seconds, at a time, of waiting for another thread: a signal that comes just as a wait begins is noticed at its end.
_SLICE = 0.05
_log = logging.getLogger("mixfeed")


class Pool(enum.IntEnum):
    """Which images a row's sample is one of; the values of Batch.pool."""

    LABELLED = 1
    UNLABELLED = 2
    VALIDATION = 3
    TEST = 4


_EVAL_POOLS = {"test": Pool.TEST, "valid": Pool.VALIDATION, "validation": Pool.VALIDATION, "labelled": Pool.LABELLED,
               "unlabelled": Pool.UNLABELLED}


@dataclass(frozen=True)
class FeedInfo:
    """What the server says of a feed that was opened."""

    feed_id: str  # 32 hex digits: a hash of spec, dataset and run
    run: str
    spec: dict[str, Any]  # resolved: every field is set; protobuf's JSON form, for open(spec=...)
    rows: int  # of a full batch
    classes: int
    image_shape: tuple[int, int, int]  # channels, height, width
    class_names: tuple[str, ...]
    steps: int | None  # of one pass; None: without end
    labelled_images: int
    unlabelled_images: int
    validation_images: int

    @property
    def waits_for_updates(self) -> bool:
        """Whether a step is guessed with the weights of a certain update, which the trainer must have pushed."""
        recipe = self.spec["recipe"]
        return recipe["rows"] == "LABELLED_AND_UNLABELLED" and recipe["guess"]["policy"] in ("LOCKSTEP", "DELAYED")


@dataclass(frozen=True)
class ConsumerOptions:
    """How one trainer wants the batches; the keywords of Connection.open say what each is. NumPy's and PyTorch's types
    become their names."""

    dtype: Any = "float32"
    layout: str = "nchw"
    normalise: str | None = None
    targets: str = "soft"
    sharing: str = "round-robin"
    rank: int = 0
    world: int = 1
    prefetch: int = 4
    server_prefetch: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", _dtype_name(self.dtype))

    def native(self) -> _core.Consumer:
        """Raises InvalidArgument for a value that is not allowed, TypeError for one of another type."""
        for name in ("rank", "world", "prefetch", "server_prefetch"):
            whole(name, getattr(self, name), high=_LARGEST)
        for name in ("layout", "normalise", "targets", "sharing"):
            value = getattr(self, name)
            if not isinstance(value, str) and (name, value) != ("normalise", None):
                raise TypeError(f"{name}: {value!r} is no text")
        return _core.Consumer(**{**vars(self), "normalise": self.normalise or ""})


def _dtype_name(dtype: Any) -> str:
    """The name of NumPy's and PyTorch's types as of their names: "torch.float32", numpy.float32."""
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    return name.rpartition(".")[2]


def whole(name: str, value: Any, low: int = 0, high: int = 2**63 - 1) -> int:
    """`value` as an int. Raises TypeError for what is no whole number, InvalidArgument outside low..high."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is no whole number") from None
    if not low <= number <= high:
        raise InvalidArgument(f"{name}: {number} given, must be {low}..{high}")
    return number


def _info(text: str) -> FeedInfo:
    message = json.loads(text)
    image = message["image"]
    return FeedInfo(
        feed_id=message["feed_id"], run=message["run"], spec=message["spec"], rows=message["rows"],
        classes=message["classes"], image_shape=(image["channels"], image["height"], image["width"]),
        class_names=tuple(message["class_names"]), steps=int(message["steps"]) if "steps" in message else None,
        labelled_images=int(message["labelled_images"]), unlabelled_images=int(message["unlabelled_images"]),
        validation_images=int(message["validation_images"]))


class Feed:
    """Batches by their step; made by Connection.open and Feed.eval.

    `for batch in feed` begins at `from_step` and gives this consumer's steps in order: a feed is a function of the step,
    so a second loop gives the same batches. `feed[step]` is one batch. `steps_from(step)` begins elsewhere.

    Nothing is asked of the server before the first batch or `info`: what it refuses is raised there. A feed can be
    pickled, and used in a child that was forked before its connection was used; each process has a connection of its own.
    """

    def __init__(self, connection: Connection, spec: bytes, run: str, options: ConsumerOptions, steps: int | None,
                 from_step: int, steps_per_epoch: int) -> None:
        self.connection = connection
        self.run = run
        self.options = options
        self.from_step = whole("from_step", from_step)
        self.steps_per_epoch = whole("steps_per_epoch", steps_per_epoch, low=1)
        self._steps = None if steps is None else whole("steps", steps)
        self._spec = spec
        self._ordered = _core.is_ordered(spec)  # one pass, which the server knows the end of
        self._consumer = options.native()
        self._native: _core.Feed | None = None
        self._known: FeedInfo | None = None
        self._viewed: _core.Views | None = None  # what views() gave last, until mix() has used it
        self._iterators: weakref.WeakSet[FeedIterator] = weakref.WeakSet()

    def __reduce__(self) -> tuple[Any, ...]:
        return Feed, (self.connection, self._spec, self.run, self.options, self._steps, self.from_step,
                      self.steps_per_epoch)

    def with_options(self, **changed: Any) -> Feed:
        """The same batches for another consumer: dtype, layout, normalise, targets, sharing, rank, world, prefetch,
        server_prefetch, each as Connection.open takes it. Raises InvalidArgument for a value that is not allowed,
        TypeError for one of another type."""
        options = ConsumerOptions(**{**vars(self.options), **changed})
        return Feed(self.connection, self._spec, self.run, options, self._steps, self.from_step, self.steps_per_epoch)

    def of_run(self, run: str) -> Feed:
        """The feed of the same spec in another run."""
        return Feed(self.connection, self._spec, run, self.options, self._steps, self.from_step, self.steps_per_epoch)

    @property
    def info(self) -> FeedInfo:
        """What the server says of the feed; opens it. Raises what the server refuses, such as InvalidArgument and
        NotFound, and Unavailable where there is no server."""
        if self._known is None:
            self._known = _info(self._opened().info_json())
        return self._known

    @property
    def spec_digest(self) -> str:
        """16 hex digits of the spec as it was given, without what it leaves to the server; the same in all runs."""
        return hashlib.sha256(self._spec).hexdigest()[:16]

    @property
    def _known_id(self) -> str | None:
        """FeedInfo.feed_id, once the feed was opened in this process; the server is not asked for it."""
        return None if self._native is None and self._known is None else self.info.feed_id

    @property
    def steps(self) -> int | None:
        """The step at which the feed ends, of all consumers together; None: endless. A feed that is one ordered pass is
        opened for it."""
        if not self._ordered:
            return self._steps
        return min((end for end in (self._steps, self.info.steps) if end is not None), default=None)

    def __len__(self) -> int:
        """Batches that `for batch in feed` gives. Raises TypeError for an endless feed. Asks as `steps` does."""
        return self.length_from(self.from_step)

    def length_from(self, step: int) -> int:
        """Batches that steps_from(step) gives. Raises TypeError for an endless feed."""
        end = self.steps
        if end is None:
            raise TypeError("this feed is endless: open it with steps=, or stop by yourself "
                            f"(steps_per_epoch is {self.steps_per_epoch})")
        first, stride = self._consumer.steps(step)
        return max(0, -(-(end - first) // stride))

    def __getitem__(self, step: int) -> _core.Batch:
        """The batch of one step; of the rank's share of it under sharing='split'. Asked for by itself, which costs a
        round trip. Raises IndexError (OutOfRange) past the end."""
        return self._opened().get_batch(self._consumer, self._checked(step))

    def views(self, step: int) -> _core.Views:
        """A step's images before they are guessed and mixed, for a trainer that guesses itself: with a network that the
        server does not know, or has no weights of. The server makes no guess of the step; mix() makes the batch.

            views = feed.views(step)
            with torch.no_grad():
                probabilities = torch.stack([net(torch.from_numpy(view)).softmax(1)
                                             for view in views.unlabelled_images()])
            batch = feed.mix(step, probabilities)

        One round trip. The feed holds the views, too, until mix() has used them, the next views(), or close(). Raises
        IndexError (OutOfRange) past the end, and InvalidArgument on a feed with sharing="split" or targets="pairs",
        since mix() makes whole steps with soft targets.
        """
        views = self._viewed = self._fetched_views(step)
        return views

    def mix(self, step: int, probabilities: Any = None, *, guesses: Any = None) -> _core.Batch:
        """The step's batch, made here of its views and a trainer's own guesses; for guesses equal to the server's it is
        feed[step], bit for bit, but for where the guess came from.

        probabilities: a network's, floating point [n_views, n_unlabelled, classes] or [n_views * n_unlabelled,
        classes], each row a distribution to within 1e-3, of NumPy or PyTorch; averaged over the views and sharpened at
        the recipe's temperature, as the server would. guesses: instead, [n_unlabelled, classes], used as they are.

        Uses the views that views() gave last, if they are of this step and not released, else fetches them. Raises
        InvalidArgument for shapes, types and rows that are no distributions, TypeError unless one of the two is given,
        and what views() raises.
        """
        viewed = self._viewed
        if viewed is None or viewed.released or viewed.step != step:
            return _guesses.mix(self._fetched_views(step), probabilities, guesses)
        batch = _guesses.mix(viewed, probabilities, guesses)
        self._viewed = None  # their memory is the caller's to keep; after an error they are still wanted
        return batch

    def _fetched_views(self, step: int) -> _core.Views:
        for name, value in (("sharing", "split"), ("targets", "pairs")):
            if getattr(self.options, name) == value:
                raise InvalidArgument(f"{name}: {value!r} given; a trainer's own guesses make whole steps with soft "
                                      "targets")
        return self._opened().get_views(self._consumer, self._checked(step))

    def _checked(self, step: int) -> int:
        step, end = operator.index(step), self.steps
        if step < 0 or (end is not None and step >= end):
            allowed = "0 and up" if end is None else f"0..{end - 1}"
            raise OutOfRange(f"step: {step} given, must be {allowed}")
        return step

    def __iter__(self) -> FeedIterator:
        return self.steps_from(self.from_step)

    def steps_from(self, step: int) -> FeedIterator:
        """As iter(feed), from another step on: for going on where a training was interrupted."""
        iterator = FeedIterator(self, whole("step", step))
        self._iterators.add(iterator)
        self.connection._push_errors.tell(iterator)
        return iterator

    def eval(self, pool: str = "test", *, batch: int | None = None) -> Feed:
        """One ordered, unaugmented pass over "test", "valid", "labelled" or "unlabelled" images of this feed's dataset and
        split, with a short last batch; pixels as here. Its len is the number of batches. Opens both feeds."""
        if pool not in _EVAL_POOLS:
            raise InvalidArgument(f"pool: {pool!r} is not one of {', '.join(_EVAL_POOLS)}")
        spec = {name: value for name, value in self.info.spec.items() if name in ("dataset", "split", "batch")}
        spec["recipe"] = {"preset": "eval", "ordered_pool": _EVAL_POOLS[pool].name}
        if batch is not None:
            spec["batch"] = whole("batch", batch, low=1, high=_LARGEST)
        options = ConsumerOptions(**{**vars(self.options), "sharing": "round-robin", "rank": 0, "world": 1,
                                     "targets": "soft"})
        opened = Feed(self.connection, _core.build_spec(json.dumps(spec), {}, []), self.run, options, None, 0,
                      self.steps_per_epoch)
        opened._opened()  # the server may refuse the pool
        return opened

    def close(self) -> None:
        """Ends the loops that are under way. The server keeps the feed for other trainers; it may be used again."""
        for iterator in list(self._iterators):
            iterator.close()
        self._native = self._viewed = None

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<mixfeed.Feed of {self.connection.server}, run {self.run}>"

    def _opened(self) -> _core.Feed:
        if self._native is None:
            self._native = self.connection._connected().open_feed(self._spec, self.run)
        return self._native


class FeedIterator:
    """Goes through a feed's steps. Batches are fetched ahead; the stream connects again when the server is lost and goes
    on at the next step, for as long as the connection's `wait` allows. After an exception (Ctrl-C too) the next call
    goes on where it stopped: nothing is lost or repeated. Raises, once, what a push_weights of the same training failed
    with in the background. Warns, once, through logging's "mixfeed" of a wait of three seconds for a batch."""

    def __init__(self, feed: Feed, from_step: int) -> None:
        self._feed = feed
        self.next_step, self._stride = feed._consumer.steps(from_step)
        self._stream: _core.Stream | None = None
        self._closed = False
        self._silent = False  # about waits: it told of one, or fetches ahead of who would miss a batch

    # next_step is the step of the batch that __next__ gives next: what a checkpoint must keep.
    next_step: int

    def __iter__(self) -> FeedIterator:
        return self

    def __next__(self) -> _core.Batch:
        while True:
            batch = self._fetch(self._patience)
            if batch is not None:
                return batch
            if self._closed:
                raise StopIteration
            failed = self._feed.connection._push_errors.take(self._feed)
            if failed is not None:
                raise failed

    def _fetch(self, patience: float | None = None) -> _core.Batch | None:
        """The next batch; None at the end, and where a push of the training has failed, which __next__ then raises: for
        a thread that fetches ahead, in which nobody would hear of it. patience: seconds, after which it warns."""
        end = self._feed.steps
        if self._closed or (end is not None and self.next_step >= end):
            self.close()
            return None
        stream = self._stream
        if stream is None:
            stream = self._stream = self._feed._opened().stream(self._feed._consumer, self.next_step)
        # Only now: what stopped this iterator in another thread may have missed the stream.
        if self._closed:
            self._stop()
        if self._feed.connection._push_errors.has(self._feed):
            return None
        try:
            if patience is not None and not stream.ready_within(round(patience * 1000)):
                self._warn_of_wait()
            batch = stream.next()  # nothing, once it was stopped
        except Error:
            if self._stream is stream:
                self._stop()  # the stream would only repeat it
                raise
            batch = None
        if batch is None and self._stream is not stream:  # another thread stopped it
            return self._fetch(patience)
        if batch is None:
            self.close()
            return None
        if batch.step != self.next_step:  # a signal's handler raised before the one before this was counted
            self._stop()
            return self._fetch(patience)
        self.next_step += self._stride
        return batch

    @property
    def _patience(self) -> float | None:
        """Seconds of a wait of which _warn_of_wait should tell; None: of none."""
        return None if self._silent else _PATIENCE

    def _warn_of_wait(self) -> None:
        self._silent = True
        why = ("is the server busy, or away?" if not self._feed.info.waits_for_updates else
               "under policy='lockstep' and 'delayed:N' a step is guessed with the weights of an update, so that the "
               "trainer must call step() of push_weights after each. The server waits for them as long as its "
               "--weights-wait-ms says; policy='newest' takes what there is.")
        _log.warning("step %d of run %s has been awaited for %g s: %s", self.next_step, self._feed.run, _PATIENCE, why)

    def close(self) -> None:
        """Ends the stream, also one that another thread waits for. The iterator is then at its end."""
        self._closed = True
        self._stop()

    def _stop(self) -> None:
        """Makes another thread's wait in _fetch begin anew."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()

    def __enter__(self) -> FeedIterator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
