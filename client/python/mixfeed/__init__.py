"""MixMatch and mixup batches from a mixfeed server, as arrays without copies.

    import mixfeed

    feed = mixfeed.connect("127.0.0.1:50051").open("mixmatch", labels=500, batch=64, seed=1, policy="newest")
    for batch in feed:
        loss = step(batch.images, batch.targets, batch.n_labelled, batch.lambda_u)

`batch.images` and the others are NumPy arrays over the memory that the batch was received into; torch.from_numpy and
anything else that speaks DLPack takes them without a copy. mixfeed.torch has what PyTorch users need beyond that.
"""

from importlib.metadata import version as _version
from pkgutil import extend_path

# Stubs that protoc makes of the wire contract are mixfeed.v1, in a folder of their own on the path.
__path__ = extend_path(__path__, __name__)

from mixfeed._connection import Connection, connect
from mixfeed._core import Batch, Bfloat16Array, Views
from mixfeed._errors import (Aborted, AlreadyExists, BatchReleased, Cancelled, DataLoss, DeadlineExceeded, Error,
                             FailedPrecondition, ForkedProcess, Internal, InvalidArgument, NotFound, OutOfRange,
                             PermissionDenied, ResourceExhausted, Unauthenticated, Unavailable, Unimplemented, Unknown)
from mixfeed._feed import Feed, FeedInfo, FeedIterator, Pool
from mixfeed._fork import fork
from mixfeed._look import (Figure, Look, Picture, Split, diff_recipes, explain, model_stats, models, peek, plot_lambda,
                           plot_sharpening, plot_vicinity, recipes, report, show_recipe, split)

__version__ = _version("mixfeed")

__all__ = [
    "Aborted", "AlreadyExists", "Batch", "BatchReleased", "Bfloat16Array", "Cancelled", "Connection", "DataLoss",
    "DeadlineExceeded", "Error", "FailedPrecondition", "Feed", "FeedInfo", "FeedIterator", "ForkedProcess", "Internal",
    "InvalidArgument", "NotFound", "OutOfRange", "PermissionDenied", "Pool", "ResourceExhausted", "Unauthenticated",
    "Unavailable", "Unimplemented", "Unknown", "Views", "connect", "fork",
    "Figure", "Look", "Picture", "Split", "diff_recipes", "explain", "model_stats", "models", "peek", "plot_lambda",
    "plot_sharpening", "plot_vicinity", "recipes", "report", "show_recipe", "split",
]
