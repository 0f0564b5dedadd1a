"""A batch's arrays as tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.utils.dlpack import from_dlpack

from mixfeed import _core


class TensorBatch(NamedTuple):
    """A batch's fields, as mixfeed.Batch describes them; indices are int64 here, as PyTorch's indexing wants them."""

    images: torch.Tensor  # [rows, C, H, W] or [rows, H, W, C], of the feed's dtype
    targets: torch.Tensor  # float32 [rows, classes]; [rows, 3] under targets="pairs"
    partner: torch.Tensor  # int64 [rows]
    lam: torch.Tensor  # float32 [rows]
    sample_ids: torch.Tensor  # int64 [rows]
    row: torch.Tensor  # int64 [rows]
    pool: torch.Tensor  # int64 [rows], of mixfeed.Pool
    view: torch.Tensor  # int64 [rows]
    box: torch.Tensor | None  # int64 [rows, 4]
    n_labelled: int
    lambda_u: float
    layer: int
    step: int
    guess_version: int | None
    guess_update: int | None
    guess_age: int | None
    guess_model: str | None
    confidence: float | None


def images_tensor(images: Any) -> torch.Tensor:
    """A batch's images, as a tensor over the same memory; one that is a tensor already as it is."""
    tensor: torch.Tensor = from_dlpack(images) if isinstance(images, _core.Bfloat16Array) else torch.as_tensor(images)
    return tensor


def to_tensors(batch: _core.Batch) -> TensorBatch:
    """A batch's arrays as tensors over the same memory, which they keep; only the indices are copied, to int64."""

    def index(array: Any) -> torch.Tensor:
        indices: torch.Tensor = torch.from_numpy(array).long()
        return indices

    return TensorBatch(
        images=images_tensor(batch.images), targets=torch.from_numpy(batch.targets), partner=index(batch.partner),
        lam=torch.from_numpy(batch.lam), sample_ids=index(batch.sample_ids), row=index(batch.row),
        pool=index(batch.pool), view=index(batch.view), box=None if batch.box is None else index(batch.box),
        n_labelled=batch.n_labelled, lambda_u=batch.lambda_u, layer=batch.layer, step=batch.step,
        guess_version=batch.guess_version, guess_update=batch.guess_update, guess_age=batch.guess_age,
        guess_model=batch.guess_model, confidence=batch.confidence)
