"""The exceptions of the package: one class a status code, each also the builtin that fits."""

from __future__ import annotations

import re

__all__ = [
    "Aborted", "AlreadyExists", "BatchReleased", "Cancelled", "DataLoss", "DeadlineExceeded", "Error",
    "FailedPrecondition", "ForkedProcess", "Internal", "InvalidArgument", "NotFound", "OutOfRange",
    "PermissionDenied", "ResourceExhausted", "Unauthenticated", "Unavailable", "Unimplemented", "Unknown",
]


class Error(Exception):
    """What went wrong, in the server's or the client's words (`message`), and what to do (`hint`)."""

    default_hint = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        if hint is None:  # PyTorch makes a DataLoader worker's error anew of its traceback, which ends with str() of it
            before, found, after = message.rpartition("\nHint: ")
            message, hint = (before, after.strip()) if found else (message, self.default_hint)
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\nHint: {hint}" if hint else message)

    def __reduce__(self) -> tuple[type[Error], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class Cancelled(Error):
    """The call was cancelled."""


class Unknown(Error, RuntimeError):
    """The server failed without saying how."""

    default_hint = "The server's log may say more."


class InvalidArgument(Error, ValueError):
    """A value that is not allowed; the message names the field, the value and what is allowed."""


class DeadlineExceeded(Error, TimeoutError):
    """The call took longer than the connection's `deadline`."""

    default_hint = ("A larger `deadline` of connect() waits longer. A step that waits for weights needs push_weights, or "
                    "policy='newest'.")


class NotFound(Error, LookupError):
    """The server has no dataset, recipe, model or feed of that name."""

    default_hint = ("connection.info() lists the server's datasets, mixfeed.models(connection) its models, "
                    "mixfeed.recipes() the recipes.")


class AlreadyExists(Error, ValueError):
    """What was to be made is there already."""

    default_hint = "Another name for the run makes a new one."


class PermissionDenied(Error, PermissionError):
    """The server does not allow it."""

    default_hint = ("A server on a public address takes models only where it was started with --allow-register, or "
                    "--model NAME=FILE.")


class ResourceExhausted(Error, RuntimeError):
    """The server has no room for it now."""

    default_hint = "Fewer trainers, a smaller batch or `prefetch`, or a server with a larger --max-slot-bytes."


class FailedPrecondition(Error, RuntimeError):
    """It cannot be done as things are: no guess model, a dataset that changed, weights that nobody pushed."""


class Aborted(Error, RuntimeError):
    """Somebody else was faster: another trainer pushed weights meanwhile."""

    default_hint = ("One trainer pushes to a model: a second one needs a model and a run of its own (mixfeed.fork). "
                    "push_weights, called anew, goes on from the newest version.")


class OutOfRange(Error, IndexError):
    """A step past the feed's end."""

    default_hint = "feed.steps says where the feed ends; steps= of open() sets it."


class Unimplemented(Error, NotImplementedError):
    """The server does not know the call."""

    default_hint = "Is the server as new as this package?"


class Internal(Error, RuntimeError):
    """A defect of the server or of this package."""

    default_hint = "The server's log may say more."


class Unavailable(Error, ConnectionError):
    """No server answered within the connection's `wait`, or it cannot serve the call yet: it shuts down, or builds an index
    of nearest neighbours."""


class DataLoss(Error, RuntimeError):
    """What came is not a batch, or a guess that was made is no longer there."""


class Unauthenticated(Error, PermissionError):
    """The server did not accept the client's certificate."""

    default_hint = "tls_cert= and tls_key= of connect() name the client's certificate."


class BatchReleased(Error, ValueError):
    """A batch that was released is no longer there to be read."""

    default_hint = "Copy what is to be kept: release(), and the end of a `with batch:`, give the memory back."


class ForkedProcess(Error, RuntimeError):
    """A process was forked from one that had connected: its copy of the connection does not work."""

    default_hint = ("Connections are made when they are first used: fork before that, or start workers with "
                    "multiprocessing's 'spawn', as in DataLoader(..., multiprocessing_context='spawn').")


# By canonical status code.
_BY_CODE: dict[int, type[Error]] = {
    1: Cancelled, 2: Unknown, 3: InvalidArgument, 4: DeadlineExceeded, 5: NotFound, 6: AlreadyExists,
    7: PermissionDenied, 8: ResourceExhausted, 9: FailedPrecondition, 10: Aborted, 11: OutOfRange,
    12: Unimplemented, 13: Internal, 14: Unavailable, 15: DataLoss, 16: Unauthenticated,
}


# What to do in Python about what is said to all clients: words of the message, and the hint. The first that fits holds.
_HINTS = [(re.compile(words), hint) for words, hint in (
    ("does not answer at", "Is the server that runs the model running there?"),
    ("no mixfeed server answered|failed to connect",
     "Is a server running there? `mixfeed-server --data generated` starts one on 127.0.0.1:50051; a larger `wait` of "
     "connect() waits longer."),
    ("several models are registered", "model=NAME of open() says which one guesses."),
    ("no model .*is registered|which is not registered",
     "mixfeed.torch.register(module, NAME, connection) or connection.register_model(NAME, 'resnet-small') makes one, "
     "model=NAME of open() chooses it; feed.views and feed.mix need none."),
    ("newest weights of model .* are of update",
     "rewind=True of push_weights goes back in the same run; mixfeed.fork(feed, step) begins another one there."),
    ("push_every is|the trainer of model .* pushes every|nobody pushes",
     "policy='newest' of open(), or every=1 of push_weights; a feed of before counts until the server restarts."),
    ("no average is kept", "ema_decay= of mixfeed.torch.register and of connection.register_model keeps one."),
    ("are not pushed yet|were not pushed or are no longer kept",
     "push_weights sends them; under policy='newest' a step takes what there is."),
    ("batch.statistics",
     "statistics='running', where it is registered and in the feed's open(), guesses with the model's own statistics."),
    ("guess model .* knows .* classes",
     "classes= of mixfeed.torch.register, and the network's last layer, must be the dataset's: feed.info.classes."),
    ("has dataset .* changed",
     "Start the server with the dataset of before, or open() the feed anew for another training."),
    ("plan_version",
     "Its batches are those of another version of the server; without plan_version in `spec` they are this one's."),
    ("does not guess", "'mixmatch' is a recipe that guesses; mixfeed.recipes() lists them all."),
    (r"^recipe\.",
     "mixfeed.show_recipe(NAME) has every field with its range; help(mixfeed.Connection.open) the keywords."),
)]


# What the extension module makes its exceptions with.


def from_status(code: int, message: bytes) -> Error:
    text = message.decode("utf-8", "replace")
    return _BY_CODE.get(code, Unknown)(text, next((hint for words, hint in _HINTS if words.search(text)), None))


def batch_released() -> BatchReleased:
    return BatchReleased("the batch was released")


def forked_process() -> ForkedProcess:
    return ForkedProcess("this process was forked from one that was connected to a mixfeed server")
