"""Connections to a server, and what a feed is opened with."""

from __future__ import annotations

import difflib
import inspect
import json
import numbers
import os
import secrets
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Literal

import numpy as np

from mixfeed import _core
from mixfeed._errors import InvalidArgument
from mixfeed._feed import ConsumerOptions, Feed, whole
from mixfeed._weights import PushErrors, models_by_name, named_array, to_safetensors

_DEFAULT_SERVER = "127.0.0.1:50051"
_LONGEST = 86400.0  # seconds: a day
_MAX_CLASSES = 32767
_MAX_SIDE = 256


def connect(server: str | None = None, *, tls: bool = False, tls_ca: str = "", tls_cert: str = "", tls_key: str = "",
            wait: float = 30.0, deadline: float = 30.0) -> Connection:
    """A connection to the server at "HOST:PORT"; by default at MIXFEED_SERVER, else at 127.0.0.1:50051.

    Nothing is connected before the first use. tls trusts the system's authorities, tls_ca those in a PEM file; tls_cert
    and tls_key (PEM) are for servers that ask for a certificate. wait: seconds that the first use, and a loop or
    push whose server is lost, wait for the server, 0.001..86400. deadline: seconds that one call may take, likewise.
    Raises InvalidArgument for a time out of range, and for a server that is empty or a URL of the web.
    """
    if server is None:
        server = os.environ.get("MIXFEED_SERVER") or _DEFAULT_SERVER
    return Connection(server, tls=tls, tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key, wait=wait, deadline=deadline)


class Connection:
    """What connect() returns. Thread safe; can be pickled; each process connects by itself. Raises, with its first use,
    Unavailable when no server answers, and ForkedProcess in a child of a process that was connected."""

    any_used: ClassVar[bool] = False  # in this process, from which no child that connects can then be forked

    def __init__(self, server: str, *, tls: bool, tls_ca: str, tls_cert: str, tls_key: str, wait: float,
                 deadline: float) -> None:
        if not server or server.startswith(("http://", "https://")):
            raise InvalidArgument(f"server: {server!r} given, must be HOST:PORT",
                                  "connect('127.0.0.1:50051'); tls=True where the server has TLS.")
        self.server = server
        self._arguments: dict[str, Any] = dict(server=server, tls=tls, tls_ca=os.fspath(tls_ca),
                                               tls_cert=os.fspath(tls_cert), tls_key=os.fspath(tls_key),
                                               wait_ms=_milliseconds("wait", wait),
                                               deadline_ms=_milliseconds("deadline", deadline))
        self._client: _core.Client | None = None
        self._push_errors = PushErrors()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None}

    def open(self, recipe: str | None = None, *, labels: int | Literal["all"] | None = None, batch: int | None = None,
             seed: int | None = None, split_seed: int | None = None, validation: int | None = None,
             views: int | None = None, temperature: float | None = None, alpha: float | None = None,
             dataset: str | None = None, model: str | Sequence[str] | None = None, policy: str | None = None,
             weights: Literal["pushed", "ema"] | None = None, statistics: Literal["batch", "running"] | None = None,
             pool: str | None = None, set: Mapping[str, Any] | None = None, spec: Mapping[str, Any] | None = None,
             run: str | None = None, steps: int | None = None, from_step: int = 0, steps_per_epoch: int = 1024,
             dtype: Any = "float32", layout: Literal["nchw", "nhwc"] = "nchw", normalise: str | None = None,
             targets: Literal["soft", "pairs"] = "soft", rank: int = 0, world: int = 1,
             sharing: Literal["round-robin", "broadcast", "split"] = "round-robin", prefetch: int = 4,
             server_prefetch: int = 0, **unknown: Any) -> Feed:
        """A feed. What is not given is the recipe's; names and meanings are those of the CLI's flags.

        What the batches are:
            recipe: a name of `mixfeed recipes`; default "mixmatch", the published algorithm.
            labels: labelled images, or "all". split_seed: which ones. validation: images held out from training.
            batch: B, labelled images a step, 1..4096, default 64; mixmatch has B (views + 1) rows.
            seed: of everything random but the split, default 0. views: K, of each unlabelled image, 1..8.
            temperature: of sharpening, 0.01..100. alpha: of lambda ~ Beta(alpha, alpha), 0.01..101.
            dataset: the server's name of it; not needed when it has only one.
            model: the guess model's name, or several. policy: which of its weights guess: "lockstep" (those of the
                step's update, as published: push_weights after every step), "delayed:N", "newest" (a trainer that pushes
                none), "pinned:VERSION". weights: "pushed" or their average, "ema". statistics: of batch norm, "batch" or
                "running".
            pool: what the recipe "eval" goes through; Feed.eval is shorter.
            set: any other field, as {"recipe.mix.alpha": 0.5}; `mixfeed recipes show` has them all.
            spec: a whole spec in protobuf's JSON form (FeedInfo.spec), which the other arguments override.
            run: name that the trainers of one training share, 1 to 128 of [A-Za-z0-9._-]; default: a new one.
        Which of them:
            steps: the step at which the feed ends; default: endless, or the pass's of "eval". from_step: where loops
                begin.
            rank, world, sharing: which of several trainers this is: "round-robin" (steps with step mod world == rank),
                "broadcast" (all steps), "split" (a share of the rows of every step).
            steps_per_epoch: for logs alone.
        In what form:
            dtype: of the pixels: "float32", "float16", "bfloat16", "uint8", or NumPy's or PyTorch's type.
            layout: "nchw" or "nhwc". normalise: "signed" (-1..1, the default), "unit", "raw" (0..255; uint8's default
                and only choice), "cifar10", ... targets: "soft", or "pairs" of (y_a, y_b, lambda).
            prefetch: batches on their way or waiting, which bounds memory; three more are unpacked ahead. server_prefetch:
                steps that the server makes ahead of that, 0: its default.

        Raises TypeError for a keyword that is not known, InvalidArgument for a value that is seen to be wrong without
        the server; what the server refuses is raised when the feed is first used.
        """
        if unknown:
            raise _unknown_keyword(next(iter(unknown)))
        settings = dict(recipe=recipe, labels=labels, batch=batch, seed=seed, split_seed=split_seed, validation=validation,
                        views=views, temperature=temperature, alpha=alpha, dataset=dataset, model=model, policy=policy,
                        weights=weights, statistics=statistics, pool=pool)
        options = ConsumerOptions(dtype=dtype, layout=layout, normalise=normalise, targets=targets, sharing=sharing,
                                  rank=rank, world=world, prefetch=prefetch, server_prefetch=server_prefetch)
        return Feed(self, _build_spec(spec, settings, set or {}), run or secrets.token_hex(8), options, steps, from_step,
                    steps_per_epoch)

    def info(self) -> dict[str, Any]:
        """The server's version, device, datasets, models and load, as GetServerInfo has them."""
        info: dict[str, Any] = json.loads(self._connected().server_info_json())
        return info

    def register_model(self, name: str, kind: str, *, archive: bytes | str | os.PathLike[str] | None = None,
                       address: str = "", classes: int | None = None, image: Sequence[int] | None = None,
                       normalise: str | None = None, statistics: Literal["batch", "running"] | None = None,
                       update: int = 0, init_seed: int = 0, ema_decay: float = 0.0) -> dict[str, Any]:
        """Registers the model `name`, or a new version of it, as `mixfeed model register` does, and returns what the
        server then says of it: a dict with "name", "version", "classes", "digest" and the rest of message Model. A
        module of PyTorch is registered with mixfeed.torch.register, which also says what does not fit.

            connection.register_model("small", "resnet-small")

        kind: "resnet-small" or "wrn-28-2" (built in), "torchscript", or "kserve" (a model that another server runs).
        archive: a file or its bytes, of TorchScript or of the built-in network's weights, which without it are made of
        `init_seed`. address: of kind "kserve", HOST:PORT/MODEL[/VERSION][?output=logits|probabilities]. classes, image
        (C, H, W): each by default that of the server's datasets, when all have the same. normalise: of its input, as
        open() takes it. statistics: of batch norm, that it must be able to guess with; default "batch", "running" of
        kind "kserve". update: the trainer's, that its weights are of. ema_decay: of a moving average that the server
        keeps of what is pushed, an update, below 1; 0: none.

        Raises InvalidArgument and FailedPrecondition for what does not fit, PermissionDenied on a server that takes no
        models from others, OSError for a file.
        """
        if statistics not in (None, "batch", "running"):
            raise InvalidArgument(f"statistics: {statistics!r} given, must be 'batch' or 'running'")
        if not 0 <= ema_decay < 1:
            raise InvalidArgument(f"ema_decay: {ema_decay} given, must be 0 or more and below 1")
        answer = self._connected().register_model_json(
            name=name, kind=kind, archive=b"" if archive is None else _bytes_of(archive), address=address,
            classes=0 if classes is None else checked_classes(classes),
            image=() if image is None else checked_image(image),
            normalise=normalise or "", batch_statistics=None if statistics is None else statistics == "batch",
            update=whole("update", update), init_seed=whole("init_seed", init_seed), ema_decay=float(ema_decay))
        model: dict[str, Any] = json.loads(answer)["model"]
        return model

    def push_weights(self, name: str, weights: Mapping[str, Any] | bytes | str | os.PathLike[str], *, update: int,
                     partial: bool = False, replaces: int | None = None, every: int = 0,
                     rewind: bool = False) -> dict[str, Any]:
        """Replaces the weights of the model `name`, as `mixfeed model push` does, and returns what the server then says
        of it, as register_model. Returns when they guess. A module of PyTorch is pushed in the background by
        mixfeed.torch.push_weights.

            connection.push_weights("small", {"head.bias": bias}, update=7, partial=True)

        weights: arrays of the model's shapes by its state dict's names, of NumPy, JAX or what else NumPy takes, float64,
        float32, float16, bfloat16 or int64; or a file in the safetensors form, or its bytes. update: the trainer's, that
        they are of. partial: what is not given stays as it is. replaces: the version that they replace; default: the
        newest. every: updates between two pushes, as far as the trainer knows; 0: it does not say. rewind: update may be
        at or below the newest version's.

        Sent once: where the answer is lost, info() tells whether it has arrived. Raises InvalidArgument for weights that
        do not fit, NotFound for the model, Aborted when another trainer has pushed, FailedPrecondition for an update that
        is not above the newest version's, OSError for a file.
        """
        if isinstance(weights, Mapping):
            weights = to_safetensors(named_array(*named) for named in weights.items())
        client = self._connected()
        if replaces is None:
            replaces = int(models_by_name(client).get(name, {}).get("version", 0))
        answer = client.push_weights_json(model=name, update=whole("update", update),
                                          replaces=whole("replaces", replaces), safetensors=_bytes_of(weights),
                                          partial=partial, push_every=whole("every", every, high=2**32 - 1),
                                          rewind=rewind)
        model: dict[str, Any] = json.loads(answer)["model"]
        return model

    def close(self) -> None:
        """Forgets the connection; the next use makes a new one. Feeds that were used keep theirs."""
        self._client = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<mixfeed.Connection to {self.server}>"

    def _connected(self) -> _core.Client:
        if self._client is None:
            Connection.any_used = True
            self._client = _core.Client(**self._arguments)
        return self._client


def checked_classes(classes: int) -> int:
    """Of a model. Raises InvalidArgument, TypeError."""
    return whole("classes", classes, low=2, high=_MAX_CLASSES)


def checked_image(image: Sequence[int]) -> tuple[int, ...]:
    """(C, H, W) of a model's input. Raises InvalidArgument, TypeError."""
    if len(image) != 3:
        raise InvalidArgument(f"image: {tuple(image)} given, must be (channels, height, width)")
    return tuple(whole("image", side, low=1, high=_MAX_SIDE) for side in image)


def connection_of(given: Connection | Feed) -> Connection:
    """A connection, or a feed's. Raises TypeError for what is neither."""
    if isinstance(given, Feed):
        return given.connection
    if not isinstance(given, Connection):
        raise TypeError(f"{given!r} is neither a mixfeed.Feed nor a mixfeed.Connection; mixfeed.connect() makes one")
    return given


def _bytes_of(given: bytes | str | os.PathLike[str]) -> bytes:
    """Those of a file, or the bytes themselves. Raises OSError."""
    if isinstance(given, (str, os.PathLike)):
        with open(given, "rb") as file:
            return file.read()
    return bytes(given)


def _milliseconds(name: str, seconds: float) -> int:
    if not 0.001 <= seconds <= _LONGEST:
        raise InvalidArgument(f"{name}: {seconds} given, must be 0.001..{_LONGEST:.0f} seconds")
    return round(seconds * 1000)


def _unknown_keyword(name: str) -> TypeError:
    known = [p.name for p in inspect.signature(Connection.open).parameters.values()
             if p.name not in ("self", "unknown")]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    return TypeError(f"open() has no argument '{name}'; did you mean '{nearest}'? Other fields of a spec are given as "
                     "set={'recipe.mix.alpha': 0.5}")


def _text(value: Any) -> str:
    """A value as the CLI would be given it."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return repr(float(value))
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return f"[{', '.join(_text(item) for item in value)}]"
    raise TypeError(f"{value!r} is no text, number, bool or list of numbers")


def _build_spec(base: Mapping[str, Any] | None, settings: Mapping[str, Any], fields: Mapping[str, Any]) -> bytes:
    if isinstance(settings["model"], (list, tuple)):
        settings = {**settings, "model": ",".join(settings["model"])}
    texts = {name.replace("_", "-"): _text(value) for name, value in settings.items() if value is not None}
    return _core.build_spec("" if base is None else json.dumps(base), texts, edit_texts(fields))


def edit_texts(fields: Mapping[str, Any]) -> list[str]:
    """"PATH=VALUE" of each, as the CLI's --set takes it."""
    return [f"{path}={_text(value)}" for path, value in fields.items()]
