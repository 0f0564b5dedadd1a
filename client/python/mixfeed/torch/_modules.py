"""What registering, pushing and mixing have in common about modules."""

from __future__ import annotations

import torch

# Of the types that the server takes.
SAFETENSORS_NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
                     torch.int64: "I64"}


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
