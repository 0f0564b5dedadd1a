"""MixMatch's interleaving (google-research/mixmatch, libml/layers.py): rows change places between the labelled group
and the K unlabelled ones, so that the group whose forward pass updates batch norm's running statistics has some of
each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import torch

from mixfeed._errors import InvalidArgument
from mixfeed._feed import whole


@overload
def interleave(rows: torch.Tensor, batch_size: int) -> torch.Tensor: ...


@overload
def interleave(rows: Sequence[torch.Tensor], batch_size: int) -> list[torch.Tensor]: ...


def interleave(rows: torch.Tensor | Sequence[torch.Tensor], batch_size: int) -> torch.Tensor | list[torch.Tensor]:
    """The K + 1 groups of `batch_size` rows, each cut into K + 1 slices of batch_size // (K + 1) rows, the last ones of
    one more where that leaves a rest; slice k of the first group changes places with slice k of group k.

    rows: a tensor [(K + 1) * batch_size, ...], such as a batch's images, its targets or logits, or K + 1 tensors
    [batch_size, ...]; the answer is of the same form, in new memory, and gradients flow through it. batch_size: a
    batch's n_labelled. The official code makes a forward pass of each group, and only the first one's updates running
    statistics. A feed with set={"recipe.interleave": True} gives batches that are interleaved already.

    Raises InvalidArgument for rows that are not whole groups.
    """
    batch_size = whole("batch_size", batch_size, low=1)
    if isinstance(rows, torch.Tensor):
        return torch.cat(_swapped(_groups(rows, batch_size), batch_size))
    for index, group in enumerate(rows):
        if group.ndim == 0 or len(group) != batch_size:
            raise InvalidArgument(f"rows[{index}]: shape {tuple(group.shape)} given, must be {batch_size} rows, "
                                  "batch_size")
    if not rows:
        raise InvalidArgument("rows: no tensors given, must be K + 1 of them")
    return _swapped(rows, batch_size)


de_interleave = interleave
"""Restores the order that was before interleave(), which is its own inverse; for the logits."""


def _groups(rows: torch.Tensor, batch_size: int) -> Sequence[torch.Tensor]:
    if rows.ndim == 0 or len(rows) == 0 or len(rows) % batch_size != 0:
        raise InvalidArgument(f"rows: shape {tuple(rows.shape)} given, must have a multiple of {batch_size} rows, "
                              "batch_size")
    return rows.split(batch_size)


def _swapped(groups: Sequence[torch.Tensor], batch_size: int) -> list[torch.Tensor]:
    smaller, larger = divmod(batch_size, len(groups))
    sizes = [smaller] * (len(groups) - larger) + [smaller + 1] * larger
    slices = [list(group.split(sizes)) for group in groups]
    for k in range(1, len(groups)):
        slices[0][k], slices[k][k] = slices[k][k], slices[0][k]
    return [torch.cat(parts) for parts in slices]
