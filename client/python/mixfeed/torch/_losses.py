"""Losses and accuracy on mixed batches."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch.nn import functional

from mixfeed._errors import InvalidArgument
from mixfeed._feed import Pool

_PAIR_COLUMNS = 3

Form = Literal["soft", "pairs"]


class _Targets(Protocol):
    @property
    def targets(self) -> Any: ...


class _Batch(_Targets, Protocol):
    @property
    def pool(self) -> Any: ...
    @property
    def lambda_u(self) -> float: ...


class MixMatchLoss(NamedTuple):
    """The parts of mixmatch_loss, float32 (float64 for such logits) tensors of no dimensions."""

    total: torch.Tensor  # labelled + lambda_u * unlabelled
    labelled: torch.Tensor
    unlabelled: torch.Tensor


def mixmatch_loss(logits: torch.Tensor, batch: _Batch) -> MixMatchLoss:
    """MixMatch's loss (equations 2 to 5): on labelled rows the mean cross-entropy of the soft targets, on the others
    the mean over rows and classes of the squared difference of softmax and target; the latter weighs batch.lambda_u.

    logits: floating point [rows, classes], of the batch's rows in their order; half precision is computed in float32.
    batch: a TensorBatch or mixfeed.Batch with soft targets, whose arrays are moved to the logits' device. Rows are told
    apart by batch.pool, so that an interleaved batch is right too. A part without rows is 0.

    Raises InvalidArgument, naming the value, for shapes, types and numbers of classes that do not fit.
    """
    logits = _checked_logits(logits)
    targets = _soft_targets(_like(batch.targets, "targets", logits), logits)
    labelled = _labelled_rows(batch, logits)
    lambda_u = float(batch.lambda_u)
    if not (math.isfinite(lambda_u) and lambda_u >= 0):
        raise InvalidArgument(f"lambda_u: {lambda_u} given, must be finite and at least 0")
    log_probabilities = functional.log_softmax(logits, 1)
    entropy = -(targets * log_probabilities).sum(1)
    square = (targets - log_probabilities.exp()).square().sum(1)
    zero = entropy.new_zeros(())
    on_labelled = torch.where(labelled, entropy, zero).sum() / labelled.sum().clamp(min=1)
    on_unlabelled = torch.where(labelled, zero, square).sum() / ((~labelled).sum().clamp(min=1) * logits.shape[1])
    return MixMatchLoss(on_labelled + lambda_u * on_unlabelled, on_labelled, on_unlabelled)


def mixup_loss(logits: torch.Tensor, batch: _Targets, *, targets: Form | None = None) -> torch.Tensor:
    """Mixup's loss, the mean over all rows: the cross-entropy of soft targets; of pairs (y_a, y_b, lambda),
    lambda CE(y_a) + (1 - lambda) CE(y_b), which is the same number.

    logits, batch: as mixmatch_loss takes them. targets: the form that the feed was opened with; by default three
    columns are pairs, unless there are three classes, where it must be said. Raises InvalidArgument for what does not
    fit; whether labels are below the number of classes is looked at only where they are in the host's memory.
    """
    logits = _checked_logits(logits)
    log_probabilities = functional.log_softmax(logits, 1)
    values = _like(batch.targets, "targets", logits)
    if _form(values, logits, targets) == "soft":
        return -(_soft_targets(values, logits) * log_probabilities).sum(1).mean()
    y_a, y_b, lam = _pairs(batch.targets, values, logits)
    first, second = (functional.nll_loss(log_probabilities, y, reduction="none") for y in (y_a, y_b))
    return (lam * first + (1 - lam) * second).mean()


@torch.no_grad()
def mixup_accuracy(logits: torch.Tensor, batch: _Targets, *, targets: Form | None = None) -> torch.Tensor:
    """Mixup's training accuracy, 0..1: the mean over all rows of the share that the predicted class has in the target;
    of pairs lambda where it is y_a, and 1 - lambda where it is y_b. No gradients.

    Arguments and errors are those of mixup_loss.
    """
    logits = _checked_logits(logits)
    predicted = logits.argmax(1)
    values = _like(batch.targets, "targets", logits)
    if _form(values, logits, targets) == "soft":
        return _soft_targets(values, logits).gather(1, predicted[:, None]).mean()
    y_a, y_b, lam = _pairs(batch.targets, values, logits)
    return (lam * (predicted == y_a) + (1 - lam) * (predicted == y_b)).mean()


def _checked_logits(logits: torch.Tensor) -> torch.Tensor:
    if logits.ndim != 2 or 0 in logits.shape:
        raise InvalidArgument(f"logits: shape {tuple(logits.shape)} given, must be [rows, classes], 1 or more of each")
    if not logits.is_floating_point():
        raise InvalidArgument(f"logits: {logits.dtype} given, must be floating point")
    return logits if logits.dtype == torch.float64 else logits.float()


def _like(values: Any, name: str, logits: torch.Tensor) -> torch.Tensor:
    """An array of the batch beside the logits, a row of it for each of theirs."""
    tensor = torch.as_tensor(values, device=logits.device)
    if tensor.ndim == 0 or len(tensor) != len(logits):
        raise InvalidArgument(f"{name}: shape {tuple(tensor.shape)} given, the logits have {len(logits)} rows")
    return tensor


def _checked_targets(targets: torch.Tensor, columns: int, meaning: str, logits: torch.Tensor) -> torch.Tensor:
    if targets.ndim != 2 or targets.shape[1] != columns:
        raise InvalidArgument(f"targets: shape {tuple(targets.shape)} given, must be ({len(logits)}, {columns}), "
                              f"{meaning}", "The network's last layer must have the feed's classes, feed.info.classes; "
                              "targets= of open() says whether targets are 'soft' or 'pairs'.")
    if not targets.is_floating_point():
        raise InvalidArgument(f"targets: {targets.dtype} given, must be floating point")
    return targets.to(logits.dtype)


def _soft_targets(targets: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return _checked_targets(targets, logits.shape[1], f"as the logits' {logits.shape[1]} classes", logits)


def _form(targets: torch.Tensor, logits: torch.Tensor, given: Form | None) -> Form:
    if given is not None:
        if given not in ("soft", "pairs"):
            raise InvalidArgument(f"targets: {given!r} given, must be 'soft' or 'pairs'")
        return given
    three = targets.ndim == 2 and targets.shape[1] == _PAIR_COLUMNS
    if three and logits.shape[1] == _PAIR_COLUMNS:
        raise InvalidArgument("targets: 3 columns given for 3 classes, which may be soft targets or pairs",
                              "Say targets='soft' or targets='pairs', as the feed was opened.")
    return "pairs" if three else "soft"


def _pairs(given: Any, targets: torch.Tensor,
           logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    columns = _checked_targets(targets, _PAIR_COLUMNS, "(y_a, y_b, lambda)", logits)
    labels = columns[:, :2].long()
    given_labels = torch.as_tensor(given)[:, :2]
    if given_labels.device.type == "cpu":  # elsewhere looking would wait for the device
        lowest, highest = (int(value) for value in given_labels.aminmax())
        if lowest < 0 or highest >= logits.shape[1]:
            raise InvalidArgument(f"targets: labels {lowest}..{highest} given, the logits have {logits.shape[1]} "
                                  "classes")
    return labels[:, 0], labels[:, 1], columns[:, 2]


def _labelled_rows(batch: _Batch, logits: torch.Tensor) -> torch.Tensor:
    """bool [rows]."""
    pool = _like(batch.pool, "pool", logits)
    if pool.ndim != 1:
        raise InvalidArgument(f"pool: shape {tuple(pool.shape)} given, must be ({len(logits)},)")
    return pool.ne(int(Pool.UNLABELLED))
