"""Feeds for PyTorch: tensors, a dataset for DataLoader that can be saved and restored, losses, and pushing weights.

    feed = mixfeed.connect().open("mixmatch", labels=500, run="mine")
    dataset = mixfeed.torch.FeedDataset(feed)
    with mixfeed.torch.push_weights(model, feed) as pusher:
        for batch in dataset:
            loss, _, _ = mixfeed.torch.mixmatch_loss(model(batch.images), batch)
            loss.backward()
            optimiser.step()
            pusher.step()

The only module of the package that imports torch (1.13 or newer).
"""

from mixfeed.torch._dataset import FeedDataset, FeedLoader
from mixfeed.torch._interleave import de_interleave, interleave
from mixfeed.torch._losses import MixMatchLoss, mixmatch_loss, mixup_accuracy, mixup_loss
from mixfeed.torch._manifold import ManifoldMixup
from mixfeed.torch._pusher import WeightPusher, push_weights
from mixfeed.torch._register import register
from mixfeed.torch._tensors import TensorBatch, to_tensors

__all__ = [
    "FeedDataset", "FeedLoader", "ManifoldMixup", "MixMatchLoss", "TensorBatch", "WeightPusher", "de_interleave",
    "interleave", "mixmatch_loss", "mixup_accuracy", "mixup_loss", "push_weights", "register", "to_tensors",
]
