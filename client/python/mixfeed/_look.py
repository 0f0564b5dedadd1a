"""Looking at feeds, recipes, models and runs: the CLI's commands as functions. Text, JSON and pictures are made by the
code that the CLI runs, so that they are the same."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mixfeed import _core
from mixfeed._connection import Connection, connection_of, edit_texts
from mixfeed._errors import FailedPrecondition
from mixfeed._feed import Feed, whole

if TYPE_CHECKING:
    import matplotlib.figure

_LARGEST_INT = 2**31 - 1
_Answer = tuple[str, str, Any, list[str]]


class Look:
    """What is shown of something: str() is what the CLI prints, `data` what it prints with --json."""

    def __init__(self, text: str, data: Any) -> None:
        self.text = text  # ends with a newline
        self.data = data

    def __getitem__(self, key: Any) -> Any:
        """Of `data`."""
        return self.data[key]

    def __str__(self) -> str:
        return self.text.rstrip("\n")

    __repr__ = __str__


class Picture:
    """A picture, made by the C++ code: a PNG (which notebooks show by themselves), an array, a matplotlib figure."""

    def __init__(self, png: bytes) -> None:
        self._png = png

    @property
    def png(self) -> bytes:
        """The PNG file's bytes."""
        return self._png

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """uint8 [height, width, 3]: red, green, blue."""
        from mixfeed import _draw
        return _draw.decode(self.png)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self.array if dtype is None else self.array.astype(dtype)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the PNG. Raises OSError."""
        with open(path, "wb") as file:
            file.write(self.png)

    def figure(self, dpi: float = 100) -> matplotlib.figure.Figure:
        """A matplotlib figure of it, a pixel of the picture a pixel of the figure. Raises ImportError without
        matplotlib."""
        from matplotlib.figure import Figure as MatplotlibFigure
        image = self.array
        made = MatplotlibFigure(figsize=(image.shape[1] / dpi, image.shape[0] / dpi), dpi=dpi)
        axes = made.add_axes((0, 0, 1, 1))
        axes.imshow(image, interpolation="none")
        axes.set_axis_off()
        return made

    def _repr_png_(self) -> bytes:
        return self.png


class Figure(Look, Picture):
    """Numbers and a picture of them, which is drawn when it is first asked for."""

    def __init__(self, text: str, data: Any, figure: Any) -> None:
        Look.__init__(self, text, data)
        self._figure = figure
        self._drawn: bytes | None = None

    @property
    def png(self) -> bytes:
        """The PNG file's bytes. Raises FailedPrecondition while there is nothing to draw."""
        if self._figure is None:
            raise FailedPrecondition("no guesses have been made yet: there is nothing to draw")
        if self._drawn is None:
            from mixfeed import _draw
            self._drawn = _draw.draw(self._figure)
        return self._drawn

    def _repr_png_(self) -> bytes | None:  # type: ignore[override]
        return None if self._figure is None else self.png


class Split(Look):
    """Which images of a dataset's training partition are labelled, unlabelled and held out: int64 indices."""

    @property
    def labelled(self) -> npt.NDArray[np.int64]:
        """Those whose labels are used."""
        return np.asarray(self.data["labelled"], np.int64)

    @property
    def unlabelled(self) -> npt.NDArray[np.int64]:
        """Sorted."""
        return np.asarray(self.data["unlabelled"], np.int64)

    @property
    def validation(self) -> npt.NDArray[np.int64]:
        """Those that are held out from training."""
        return np.asarray(self.data["validation"], np.int64)


def peek(source: Feed | Connection, recipe: str | None = None, *, step: int | None = None, rows: int = 24,
         scale: int = 3, **spec: Any) -> Picture:
    """A picture of one step's batch, as `mixfeed peek` draws it: a row a card, from the image in the dataset over its
    views and its partner's to what is sent, with lambda, guess and target; hidden labels are "?".

        mixfeed.peek(feed, step=7)                              # in a notebook this shows it
        mixfeed.peek(mixfeed.connect(), "mixup", alpha=0.3).save("batch.png")

    source: a feed; or a connection, with the recipe and keywords of Connection.open: a new run then guesses with the
    newest weights. step: without it the one that `mixfeed peek` takes, the first of 64 in which a row shown is visibly
    mixed, else 0; 0 too for a feed whose guesses follow a trainer's weights, and for a named run that guesses with the
    newest. rows: shown, spread over the batch's groups, 1..256. scale: pixels of the picture a pixel of the
    image, 1..8. Raises what Feed.info raises, and FailedPrecondition for a step that cannot be guessed yet.
    """
    feed = _feed_of(source, recipe, spec)
    rows, scale = whole("rows", rows, low=1, high=256), whole("scale", scale, low=1, high=8)
    if step is None:
        step = _core.step_to_show(feed._opened(), rows, feed is not source and spec.get("run") is None)
    return Picture(_core.contact_sheet(feed._opened(), whole("step", step), rows, scale))


def explain(source: Feed | Connection, recipe: str | None = None, *, step: int = 0, **spec: Any) -> Look:
    """The plan of one step, as `mixfeed explain` prints it: for every row its sample, view, partner and lambda.
    `source`, `recipe` and `spec` as in peek."""
    feed = _feed_of(source, recipe, spec)
    return _look(_core.look_at_plan(feed._opened(), whole("step", step)))


def split(source: Feed | Connection, recipe: str | None = None, **spec: Any) -> Split:
    """Which images are labelled, unlabelled and held out, as `mixfeed split` prints it. `source`, `recipe` and `spec`
    as in peek."""
    text, data, _, _ = _core.look_at_split(_feed_of(source, recipe, spec)._opened())
    return Split(text, json.loads(data))


def report(feed: Feed) -> Look:
    """Everything that a paper's appendix needs of a run, as `mixfeed report` prints it: the resolved spec, plan
    version, seeds, checksums of dataset and split, builds, device, policy, models with their weights' hashes, how old
    the weights were that guessed, and what was served. Guesses and batches are counted since the server opened the
    feed. Opens it."""
    return _look(_core.look_at_run(feed.connection._connected(), feed.info.feed_id))


def models(source: Connection | Feed) -> Look:
    """The models that are registered at a connection's or a feed's server, as `mixfeed model list` prints them."""
    return _look(_core.look_at_models(connection_of(source)._connected()))


def model_stats(feed: Feed, validate: int = 8) -> Figure:
    """What a feed's guesses look like, by version of the model, as `mixfeed model stats` prints and draws it;
    `mixfeed model stats --help` says what the columns are.

    validate: versions to try on the validation slice first, 0..16: the newest that were not tried yet, each of which
    takes the model's time for up to 256 images. Raises FailedPrecondition for a feed that does not guess.
    """
    validate = whole("validate", validate, high=16)
    return _figure(_core.look_at_guesses(feed.connection._connected(), feed.info.feed_id, validate))


def recipes() -> Look:
    """The recipes that this package knows, as `mixfeed recipes` lists them. No server is asked, here and below."""
    return _look(_core.look_at_recipes())


def show_recipe(name: str, *, set: Mapping[str, Any] | None = None) -> Look:
    """Every field of a recipe with its meaning, range and source, as `mixfeed recipes show` prints it. set: fields to
    change first, as {"recipe.mix.alpha": 0.5}. Raises NotFound, InvalidArgument for a field."""
    return _look(_core.look_at_recipe(name, edit_texts(set or {})))


def diff_recipes(a: str, b: str | None = None, *, set: Mapping[str, Any] | None = None) -> Look:
    """What differs between recipe `a` and recipe `b` (default: `a`) with the fields in `set` changed, as
    `mixfeed recipes diff` prints it. Raises as show_recipe, and TypeError when neither `b` nor `set` is given."""
    if b is None and not set:
        raise TypeError("diff_recipes() needs a second recipe, or set={'recipe.mix.alpha': 0.5}")
    return _look(_core.compare_recipes(a, b or a, edit_texts(set or {})))


def plot_lambda(recipe: str = "mixup", *, alpha: float | None = None, beta: float | None = None,
                law: str | None = None, low: float | None = None, high: float | None = None, draws: int = 200_000,
                seed: int = 0) -> Figure:
    """The law of a recipe's lambda: histogram, exact density, quantiles, as `mixfeed lambda` draws it.

    alpha, beta: of Beta(alpha, beta), 0.01..101; beta alone is alpha where only that is given. law: "beta", "uniform"
    (on low..high, 0..1) or "size_biased_beta". draws: 100..10,000,000. What is not given is the recipe's; a value that
    changes nothing is a warning. Raises NotFound for a recipe, InvalidArgument for a value.
    """
    return _figure(_core.look_at_lambda(recipe=recipe, law=law or "", alpha=alpha, beta=beta, low=low, high=high,
                                        draws=whole("draws", draws, high=_LARGEST_INT), seed=whole("seed", seed)))


def plot_sharpening(probabilities: Sequence[float] | None = None, *, classes: int = 10,
                    temperatures: Sequence[float] = (2, 1, 0.5, 0.25)) -> Figure:
    """What temperatures do to a guess, p^(1/T) / sum p^(1/T), as `mixfeed sharpen` draws it. probabilities: 2..100 that
    sum to 1 within 0.001; without them an example of `classes` that fall as 1, 1/2, 1/3. temperatures: 1..16 of
    0.01..100. Raises InvalidArgument."""
    return _figure(_core.look_at_sharpening(probabilities=[float(p) for p in probabilities or ()],
                                            classes=whole("classes", classes, low=2, high=100),
                                            temperatures=[float(t) for t in temperatures]))


def plot_vicinity(rules: Sequence[str] = (), *, shape: str = "moons", noise: float = 0.12, points: int | None = None,
                  labelled: int | str | None = None, alpha: float = 1.0, distance_alpha: float = 0.0,
                  neighbours: int = 10, point: int | None = None, seed: int = 0) -> Figure:
    """What rules of mixing make of a two-dimensional data set, and how far that is from the truth, as `mixfeed
    vicinity` draws it.

    rules: of "none", "mixup", "same-class", "k-nearest", "label-preserving"; none given: all. shape: "moons",
    "circles", "blobs". noise: 0..1. points: 2..10,000. labelled: "few" (20), "many" (1000), "all" or how many. alpha:
    of Beta(alpha, alpha), 0.01..100; distance_alpha: its decay with the distance, 0: none. neighbours: k of
    "k-nearest". point: only where that labelled point goes. Raises InvalidArgument. """
    return _figure(_core.look_at_vicinity(
        shape=shape, noise=noise, points=None if points is None else whole("points", points, high=_LARGEST_INT),
        labelled="" if labelled is None else str(labelled), rules=list(rules), alpha=alpha,
        distance_alpha=distance_alpha, neighbours=whole("neighbours", neighbours, high=_LARGEST_INT),
        point=None if point is None else whole("point", point, high=_LARGEST_INT), seed=whole("seed", seed)))


def _feed_of(source: Feed | Connection, recipe: str | None, spec: Mapping[str, Any]) -> Feed:
    connection = connection_of(source)
    if not isinstance(source, Feed):
        opened = connection.open(recipe, **spec)
        return Feed(connection, _core.spec_for_looking(opened._spec), opened.run, opened.options, opened._steps,
                    opened.from_step, opened.steps_per_epoch)
    if recipe is not None or spec:
        raise TypeError("a feed has its recipe and spec already: give a connection with them")
    return source


def _look(answer: _Answer) -> Look:
    return Look(answer[0], json.loads(answer[1]))


def _figure(answer: _Answer) -> Figure:
    text, data, figure, notes = answer
    for note in notes:
        warnings.warn(note, stacklevel=3)
    return Figure(text, json.loads(data), figure)
