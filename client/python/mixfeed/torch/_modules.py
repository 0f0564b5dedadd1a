"""What registering, pushing and mixing have in common about modules."""

from __future__ import annotations

import torch

from mixfeed import _weights

SAFETENSORS_NAMES: dict[torch.dtype, str] = {getattr(torch, name): short
                                             for name, short in _weights.SAFETENSORS_NAMES.items()}


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The module within DataParallel, DistributedDataParallel and torch.compile's wrapper."""
    while True:
        inner = module
        if isinstance(module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            inner = module.module
        inner = getattr(inner, "_orig_mod", inner)
        if inner is module:
            return module
        module = inner
