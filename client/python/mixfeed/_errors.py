"""The exceptions of the package: one class a status code, each also the builtin that fits."""

from __future__ import annotations

__all__ = [
    "Aborted", "AlreadyExists", "BatchReleased", "Cancelled", "DataLoss", "DeadlineExceeded", "Error",
    "FailedPrecondition", "ForkedProcess", "Internal", "InvalidArgument", "NotFound", "OutOfRange",
    "PermissionDenied", "ResourceExhausted", "Unauthenticated", "Unavailable", "Unimplemented", "Unknown",
]


class Error(Exception):
    """What went wrong, in the server's or the client's words (`message`), and what to do (`hint`)."""

    default_hint = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        super().__init__(f"{message}\nHint: {self.hint}" if self.hint else message)

    def __reduce__(self) -> tuple[type[Error], tuple[str, str]]:
        return type(self), (self.message, self.hint)


class Cancelled(Error):
    """The call was cancelled."""


class Unknown(Error, RuntimeError):
    """The server failed without saying how."""


class InvalidArgument(Error, ValueError):
    """A value that is not allowed; the message names the field, the value and what is allowed."""


class DeadlineExceeded(Error, TimeoutError):
    """The call took longer than the connection's `deadline`."""

    default_hint = ("A larger `deadline` of connect() waits longer. A step that waits for weights needs push_weights, or "
                    "policy='newest'.")


class NotFound(Error, LookupError):
    """The server has no dataset, recipe, model or feed of that name."""


class AlreadyExists(Error, ValueError):
    """What was to be made is there already."""


class PermissionDenied(Error, PermissionError):
    """The server does not allow it."""


class ResourceExhausted(Error, RuntimeError):
    """The server has no room for it now."""

    default_hint = "Fewer trainers, a smaller batch or `prefetch`, or a server with a larger --max-slot-bytes."


class FailedPrecondition(Error, RuntimeError):
    """It cannot be done as things are: no guess model, a dataset that changed, weights that do not fit."""


class Aborted(Error, RuntimeError):
    """Somebody else was faster: another trainer pushed weights meanwhile."""


class OutOfRange(Error, IndexError):
    """A step past the feed's end."""


class Unimplemented(Error, NotImplementedError):
    """The server does not know the call."""

    default_hint = "Is the server as new as this package?"


class Internal(Error, RuntimeError):
    """A defect of the server or of this package."""


class Unavailable(Error, ConnectionError):
    """No server answered within the connection's `wait`, or it cannot serve the call yet: it shuts down, or builds an index
    of nearest neighbours."""


class DataLoss(Error, RuntimeError):
    """What came is not a batch, or a guess that was made is no longer there."""


class Unauthenticated(Error, PermissionError):
    """The server did not accept the client's certificate."""


class BatchReleased(Error, ValueError):
    """A batch that was released is no longer there to be read."""


class ForkedProcess(Error, RuntimeError):
    """A process was forked from one that had connected: its copy of the connection does not work."""

    default_hint = ("Connections are made when they are first used: fork before that, or start workers with "
                    "multiprocessing's 'spawn', as in DataLoader(..., multiprocessing_context='spawn').")


_NO_SERVER_HINT = ("Is a server running there? `mixfeed-server --data generated` starts one on 127.0.0.1:50051; a larger "
                   "`wait` of connect() waits longer.")

# By canonical status code.
_BY_CODE: dict[int, type[Error]] = {
    1: Cancelled, 2: Unknown, 3: InvalidArgument, 4: DeadlineExceeded, 5: NotFound, 6: AlreadyExists,
    7: PermissionDenied, 8: ResourceExhausted, 9: FailedPrecondition, 10: Aborted, 11: OutOfRange,
    12: Unimplemented, 13: Internal, 14: Unavailable, 15: DataLoss, 16: Unauthenticated,
}


# What the extension module makes its exceptions with.


def from_status(code: int, message: bytes) -> Error:
    text = message.decode("utf-8", "replace")
    return _BY_CODE.get(code, Unknown)(text, _NO_SERVER_HINT if "connect" in text and code == 14 else None)


def batch_released() -> BatchReleased:
    return BatchReleased("the batch was released")


def forked_process() -> ForkedProcess:
    return ForkedProcess("this process was forked from one that was connected to a mixfeed server")
