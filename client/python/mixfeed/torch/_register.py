"""Registering a module as the model that guesses."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

import torch

from mixfeed._connection import Connection, checked_classes, checked_image, connection_of
from mixfeed._errors import FailedPrecondition, InvalidArgument
from mixfeed._feed import Feed
from mixfeed.torch._modules import SAFETENSORS_NAMES, unwrapped

_T = TypeVar("_T")

_TRIAL_ROWS = 4

_SCRIPT_HINT = ("torch.jit.script reads the module's source: annotate arguments and attributes that are no tensors, "
                "avoid **kwargs, try, and attributes that are set after __init__; mark what only training uses with "
                "@torch.jit.unused. Or give a module that you scripted or traced yourself (torch.jit.trace in eval "
                "mode, with statistics='running').")
_VERSION_HINT = ("The server's LibTorch may be older than this PyTorch (" + torch.__version__ + "); the table in "
                 "client/python/README.md says which go together.")
_STATISTICS_HINT = "statistics='running', here and in the feed's open(), guesses with the module's own statistics."


def register(module: torch.nn.Module, name: str, connection: Connection | Feed, *, classes: int | None = None,
             image: Sequence[int] | None = None, normalise: str = "signed",
             statistics: Literal["batch", "running"] = "batch", update: int = 0,
             ema_decay: float = 0.0) -> dict[str, Any]:
    """Makes `module` the server's model `name`, for feeds with model=name, and returns what the server then says of it:
    a dict with "name", "version", "classes", "digest" and the rest of message Model.

    module: takes float32 images [rows, C, H, W] and returns logits [rows, classes]; on any device, in train or eval
    mode (the server sets the mode it needs), plain, scripted, or within DistributedDataParallel or torch.compile. It is
    scripted, and a copy is tried here as the server and the trainer will use it: in both modes, of what shape the
    output is, whether its values are finite, and whether push_weights can send its state. Then the server tries it in a
    process of its own.

    classes, image (C, H, W): each by default that of the server's datasets, when all have the same. normalise: of the
    pixels that the network is used to, as open() takes it. statistics: of batch norm, that it must be able to guess
    with: the step's own ("batch", as MixMatch is published) or the module's ("running"). update: optimiser steps that
    its weights have had. ema_decay: of a moving average that the server keeps of what is pushed, an update, below 1;
    0: none.

    connection: may be a feed, for its connection. Raises InvalidArgument for a module that cannot be scripted or does
    not fit, with what to change; PermissionDenied on a server that takes no models from others; Unavailable without a
    server.
    """
    connection = connection_of(connection)
    classes, image = _input_of(connection, classes, image)
    inner = unwrapped(module)
    archive = _archive(inner)
    copy = torch.jit.load(io.BytesIO(archive), map_location="cpu")
    _try_copy(copy, classes, image, statistics)
    _check_state(inner, copy)
    try:
        return connection.register_model(name, "torchscript", archive=archive, classes=classes, image=image,
                                         normalise=normalise, statistics=statistics, update=update,
                                         ema_decay=ema_decay)
    except (InvalidArgument, FailedPrecondition) as error:
        if error.hint or "TorchScript archive" not in error.message:
            raise
        raise type(error)(error.message, _VERSION_HINT) from None


def _input_of(connection: Connection, classes: int | None, image: Sequence[int] | None) -> tuple[int, tuple[int, ...]]:
    """Both checked; what is not given is the datasets'."""
    if classes is None or image is None:
        datasets = [dataset for dataset in connection.info()["datasets"] if not dataset["error"]]
        if classes is None:
            classes = _same("classes", (len(dataset["class_names"]) for dataset in datasets))
        if image is None:
            image = _same("image", (tuple(dataset["image"][side] for side in ("channels", "height", "width"))
                                    for dataset in datasets))
    return checked_classes(classes), checked_image(image)


def _same(name: str, of_datasets: Iterable[_T]) -> _T:
    found = set(of_datasets)
    if len(found) != 1:
        raise InvalidArgument(f"{name}: not given, and the server's datasets have "
                              f"{' and '.join(sorted(map(str, found))) or 'none'}",
                              "Say which: classes=10, image=(3, 32, 32).")
    return found.pop()


def _archive(module: torch.nn.Module) -> bytes:
    """The module as torch.jit.save writes it."""
    try:
        scripted = module if isinstance(module, torch.jit.ScriptModule) else torch.jit.script(module)
    except Exception as error:
        raise InvalidArgument(f"module: {type(module).__name__} cannot be scripted: {error}", _SCRIPT_HINT) from error
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    return file.getvalue()


@torch.no_grad()
def _try_copy(copy: Any, classes: int, image: tuple[int, ...], statistics: str) -> None:
    """Runs what the archive holds on random images, as trainer and server will. Raises InvalidArgument."""
    if statistics == "batch" and not any(_is_batch_norm(part) for part in copy.modules()):
        raise InvalidArgument("module: it has no batch normalisation, of which a guess with the step's own statistics "
                              "would be; or it was frozen", _STATISTICS_HINT)
    images = torch.rand(_TRIAL_ROWS, *image, generator=torch.Generator().manual_seed(1)) * 2 - 1
    for mode in (True, False):
        try:
            output = copy.train(mode)(images.clone())
        except Exception as error:
            raise InvalidArgument(f"module: its forward fails in {'train' if mode else 'eval'} mode for float32 images "
                                  f"{tuple(images.shape)} on the CPU: {_last_line(error)}",
                                  _forward_hint(copy)) from error
        _check_output(output, classes)


def _forward_hint(module: torch.nn.Module) -> str:
    types = {parameter.dtype for parameter in module.parameters()}
    if types - {torch.float32}:
        return (f"Its parameters are of {', '.join(map(str, types))}: register module.float(), to which half-precision "
                "weights can be pushed.")
    return "image= says which shape it takes."


def _last_line(error: Exception) -> str:
    """Without TorchScript's traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _check_output(output: Any, classes: int) -> None:
    expected = f"must be floating point logits ({_TRIAL_ROWS}, {classes}) for {_TRIAL_ROWS} images"
    if not isinstance(output, torch.Tensor):
        raise InvalidArgument(f"module: its output is a {type(output).__name__}, {expected}",
                              "Register a module whose forward returns the logits alone.")
    if tuple(output.shape) != (_TRIAL_ROWS, classes):
        raise InvalidArgument(f"module: its output has shape {tuple(output.shape)}, {expected}",
                              "Change its last layer, or say classes=.")
    if not output.is_floating_point():
        raise InvalidArgument(f"module: its output is of {output.dtype}, {expected}")
    if not output.isfinite().all():
        raise InvalidArgument("module: its output has values that are not finite for images in -1..1",
                              "Have its weights become infinite or NaN?")


def _check_state(module: torch.nn.Module, copy: Any) -> None:
    """Whether push_weights can send the module's state to what was registered. Raises InvalidArgument."""
    state, registered = module.state_dict(), copy.state_dict()
    if not any(True for _ in module.parameters()):
        raise InvalidArgument("module: it has no parameters that could be pushed; was it frozen (torch.jit.freeze)?")
    for name, tensor in state.items():
        if tensor.dtype not in SAFETENSORS_NAMES:
            raise InvalidArgument(f"module: {name} is of {tensor.dtype}, which cannot be pushed, only "
                                  f"{', '.join(map(str, SAFETENSORS_NAMES))}")
    differing = sorted(state.keys() ^ registered.keys())
    if differing:
        raise InvalidArgument(f"module: scripted, its state dict differs in {', '.join(differing[:3])}, so that a push "
                              "would not fit")


def _is_batch_norm(part: torch.nn.Module) -> bool:
    name: str = getattr(part, "original_name", type(part).__name__)
    return name.startswith("BatchNorm") or name == "SyncBatchNorm"
