"""Manifold mixup (Verma et al., 2019): hidden layers are mixed inside the user's network."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch

from mixfeed._errors import FailedPrecondition, InvalidArgument
from mixfeed._feed import Feed
from mixfeed.torch._modules import unwrapped
from mixfeed.torch._tensors import images_tensor


class _Batch(Protocol):
    @property
    def images(self) -> Any: ...
    @property
    def layer(self) -> int: ...
    @property
    def partner(self) -> Any: ...
    @property
    def lam(self) -> Any: ...
    @property
    def row(self) -> Any: ...
    @property
    def step(self) -> int: ...


class ManifoldMixup:
    """Runs `module` on batches of a feed whose recipe mixes hidden layers (recipe.mix.layers, as of "manifold").

        manifold = mixfeed.torch.ManifoldMixup(model, feed, layers=["stem", "body.0"])
        loss = mixfeed.torch.mixup_loss(manifold(batch), batch)

    Layer 0 is the input, which comes mixed. Layer k >= 1 is the k-th of `layers`, whose output h becomes
    lam h + (1 - lam) h[partner], row by row, where `module` computes it; gradients flow through both. layers:
    submodules, or their names as named_modules() has them. Default: the module's children that have submodules
    themselves, in the order of their definition, as a ResNet's layer1 to layer4; all its children where none has. A
    ModuleList stands for its elements.

    Nothing is left in the module outside a call: the hook is removed at its end, also by an exception. So give the
    module itself, not what torch.compile made of it: once that was called it computes hidden layers without hooks, and
    each of them raises FailedPrecondition. One call at a time; the feed is opened for its recipe. Raises
    InvalidArgument for a feed with layers that there are not, for a layer that is no submodule or scripted, and for
    torch.nn.DataParallel, which divides the rows (DistributedDataParallel does not).
    """

    def __init__(self, module: torch.nn.Module, feed: Feed,
                 layers: Sequence[torch.nn.Module | str] | None = None) -> None:
        if isinstance(module, torch.nn.DataParallel):
            raise InvalidArgument("module: DataParallel given, which divides the rows among replicas, where their "
                                  "partners are out of reach",
                                  "DistributedDataParallel works: each process has its own batches.")
        self.module = module
        inner = unwrapped(module)
        self.layers: tuple[torch.nn.Module, ...] = tuple(
            _default_layers(inner) if layers is None else (_submodule(inner, layer) for layer in layers))
        if any(isinstance(layer, torch.jit.ScriptModule) for layer in self.layers):
            raise InvalidArgument("layers: a ScriptModule given, which takes no hooks",
                                  "Give the module that was scripted.")
        self._channels = feed.info.image_shape[0]
        drawn = [int(layer) for layer in feed.info.spec["recipe"]["mix"]["layers"]]
        if max(drawn, default=0) > len(self.layers):
            raise InvalidArgument(f"layers: {len(self.layers)} given, {self._names()}; the feed's recipe.mix.layers "
                                  f"are {drawn}", "Name a submodule for each of them: layers=[...].")

    def __call__(self, batch: _Batch) -> Any:
        """What the module gives for batch.images, with the batch's layer mixed. batch: a TensorBatch or mixfeed.Batch.
        Raises InvalidArgument where the module fails and the images are of a dtype or layout that its parameters do not
        go with, and what mixing() raises."""
        images = images_tensor(batch.images)
        with self.mixing(batch):
            try:
                return self.module(images)
            except RuntimeError as error:
                if type(error) is RuntimeError:  # not of its subclasses, as a GPU's lack of memory
                    self._check_images(images, error)
                raise

    def _check_images(self, images: torch.Tensor, error: RuntimeError) -> None:
        """Whether they are why the module failed. Raises InvalidArgument."""
        types = {parameter.dtype for parameter in self.module.parameters()}
        given = f"images: {images.dtype} {tuple(images.shape)} given, for which the module fails"
        casts = images.is_floating_point() and (torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled())
        if types and images.dtype not in types and not casts:
            names = ", ".join(sorted(str(dtype).rpartition(".")[2] for dtype in types))
            raise InvalidArgument(f"{given}; its parameters are of {names}",
                                  "dtype= of open() and feed.with_options() is the images': 'float32', 'float16' or "
                                  "'bfloat16'.") from error
        if images.ndim == 4 and images.shape[1] != self._channels == images.shape[3]:
            raise InvalidArgument(f"{given}; most modules take [rows, {self._channels}, height, width]",
                                  "layout='nchw' of open() and feed.with_options() gives that.") from error

    @contextlib.contextmanager
    def mixing(self, batch: _Batch) -> Iterator[None]:
        """Within it one forward pass of the module mixes the batch's layer: for modules that are called in a way of
        their own.

        Raises InvalidArgument for a layer number that there is not, a layer whose output is not one tensor with a row a
        row of the batch, and a row whose partner is not in the batch (such a row of a batch on a GPU, where looking
        would wait for it, becomes NaN instead); FailedPrecondition when the pass computed the layer not once.
        """
        if batch.layer == 0:
            yield
            return
        layer = self._layer(batch)
        mix = _Mix(batch)
        hook = layer.register_forward_hook(mix)  # type: ignore[arg-type]  # of older PyTorch
        try:
            yield
        finally:
            hook.remove()
        if mix.calls != 1:
            raise FailedPrecondition(
                f"layer {batch.layer} ({self._name(layer)}) was computed {mix.calls} times in a forward pass, must be "
                "once",
                "" if mix.calls else "Compiled modules may leave hooks out; give their originals.")

    def _layer(self, batch: _Batch) -> torch.nn.Module:
        if not 0 < batch.layer <= len(self.layers):
            raise InvalidArgument(f"layer: {batch.layer} in step {batch.step}, must be 0..{len(self.layers)}: "
                                  f"{self._names()}", "Name a submodule for each layer of the feed: layers=[...].")
        return self.layers[batch.layer - 1]

    def _name(self, layer: torch.nn.Module) -> str:
        return next(name for name, module in unwrapped(self.module).named_modules() if module is layer)

    def _names(self) -> str:
        return ", ".join(self._name(layer) for layer in self.layers) or "none"


class _Mix:
    """A forward hook that mixes a module's output by a batch's partner and lam."""

    def __init__(self, batch: _Batch) -> None:
        self.calls = 0
        self._partner, missing = _local_partner(torch.as_tensor(batch.row), torch.as_tensor(batch.partner))
        self._lam = torch.as_tensor(batch.lam).masked_fill(missing, math.nan)

    def __call__(self, module: torch.nn.Module, inputs: Any, output: Any) -> torch.Tensor:
        self.calls += 1
        if not isinstance(output, torch.Tensor):
            raise InvalidArgument(f"layers: {type(module).__name__} gives a {type(output).__name__}, must be one "
                                  "tensor")
        if output.ndim == 0 or len(output) != len(self._lam):
            raise InvalidArgument(f"layers: {type(module).__name__} gives shape {tuple(output.shape)}, must have the "
                                  f"batch's {len(self._lam)} rows")
        lam = self._lam.to(output.device, output.dtype).view(-1, *[1] * (output.ndim - 1))
        return lam * output + (1 - lam) * output[self._partner.to(output.device)]


def _local_partner(row: torch.Tensor, partner: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the partners lie in the batch, and which do not: they are numbered by the step's rows, of which a share, or
    another order, may have come."""
    order = row.argsort()
    at = torch.searchsorted(row[order], partner).clamp(max=len(row) - 1)
    local = order[at]
    missing = row[local] != partner
    if row.device.type == "cpu" and missing.any():
        raise InvalidArgument(f"partner: row {int(partner[missing][0])} of the step is not in the batch")
    return local, missing


def _default_layers(module: torch.nn.Module) -> list[torch.nn.Module]:
    children: list[torch.nn.Module] = []
    for child in module.children():  # lists are not computed themselves
        children += child.children() if isinstance(child, torch.nn.ModuleList) else [child]
    return [child for child in children if next(child.children(), None) is not None] or children


def _submodule(module: torch.nn.Module, layer: torch.nn.Module | str) -> torch.nn.Module:
    names = {name: submodule for name, submodule in module.named_modules() if submodule is not module}
    if isinstance(layer, str):
        if layer not in names:
            raise InvalidArgument(f"layers: '{layer}' is no submodule, must be one of {', '.join(names) or 'none'}")
        return names[layer]
    if not any(submodule is layer for submodule in names.values()):
        raise InvalidArgument(f"layers: {type(layer).__name__} given is no submodule of the module")
    return layer
