"""The trainings that are compared: a table alone, which needs neither mixfeed nor PyTorch.

How to add one: a line in ARMS. The runner then offers it, and the plots and tables show it.
"""
from dataclasses import dataclass, field
from typing import Any

# Mixup's own views are padded with black; here all arms have MixMatch's, so that they differ in mixing alone.
_SAME_VIEWS = {"recipe.view.pad": 4, "recipe.view.pad_mode": "REFLECT", "recipe.view.order": "FLIP_FIRST"}


@dataclass(frozen=True)
class Arm:
    """recipe: of the feed; none: in-process MixMatch. policy: of its guesses, where it has some. full: all training
    images are labelled, whatever the number of labels of the other arms. against: the arms that the tables give the
    paired differences to. fields: of the feed's spec."""

    name: str
    colour: str
    recipe: str | None = None
    policy: str | None = None
    full: bool = False
    against: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def guesses(self):
        return self.recipe is None or self.policy is not None


ARMS = {arm.name: arm for arm in [
    Arm("in-process", "black", against=("supervised", "mixup")),
    Arm("lockstep", "#0072B2", "mixmatch", "lockstep", against=("in-process", "supervised", "mixup")),
    Arm("supervised", "#999999", "supervised", fields=_SAME_VIEWS),
    Arm("mixup", "#E69F00", "mixup", against=("supervised",), fields=_SAME_VIEWS),
    Arm("newest", "#CC79A7", "mixmatch", "newest", against=("lockstep",)),
    Arm("delayed-1", "#56B4E9", "mixmatch", "delayed:1", against=("lockstep",)),
    Arm("delayed-10", "#009E73", "mixmatch", "delayed:10", against=("lockstep",)),
    Arm("delayed-100", "#D55E00", "mixmatch", "delayed:100", against=("lockstep",)),
    Arm("full-plain", "#999999", "supervised", full=True, fields=_SAME_VIEWS),
    Arm("full-mixup", "#E69F00", "mixup", full=True, against=("full-plain",), fields=_SAME_VIEWS),
    Arm("full-manifold", "#0072B2", "manifold", full=True, against=("full-plain",), fields=_SAME_VIEWS),
]}
