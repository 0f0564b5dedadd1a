"""The built-in network resnet-small in PyTorch: layers, names and shapes of augment/guess/builtin_networks.cc."""
import contextlib
import math

import torch
from torch import nn
from torch.nn import functional

LEAKY_SLOPE = 0.1
NORM_EPSILON = 1e-3
STEM_CHANNELS = 16
WIDTHS = (16, 32, 64)
SHORTCUT_KERNEL = 1


def _activate(norm, x):
    return functional.leaky_relu(norm(x), LEAKY_SLOPE)


class Block(nn.Module):
    """A pre-activation block; `first`: the shortcut starts behind the activation."""

    def __init__(self, inputs, outputs, stride, momentum, first):
        super().__init__()
        self.first = first
        self.norm1 = nn.BatchNorm2d(inputs, NORM_EPSILON, momentum)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.norm2 = nn.BatchNorm2d(outputs, NORM_EPSILON, momentum)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, SHORTCUT_KERNEL, stride) if inputs != outputs else None

    def forward(self, x):
        active = _activate(self.norm1, x)
        past = active if self.first else x
        y = self.conv2(_activate(self.norm2, self.conv1(active)))
        return y + (past if self.shortcut is None else self.shortcut(past))


class ResNetSmall(nn.Module):
    """float32 [rows, 3, H, W] in [-1, 1] -> logits [rows, classes]. momentum: what a batch moves of the running
    statistics (PyTorch's sense: TensorFlow's is 1 minus it)."""

    def __init__(self, classes=10, momentum=0.005):
        super().__init__()
        self.stem = nn.Conv2d(3, STEM_CHANNELS, 3, 1, 1)
        inputs = (STEM_CHANNELS,) + WIDTHS[:-1]
        self.blocks = nn.ModuleList(Block(inputs[i], outputs, 1 if i == 0 else 2, momentum, first=i == 0)
                                    for i, outputs in enumerate(WIDTHS))
        self.norm = nn.BatchNorm2d(WIDTHS[-1], NORM_EPSILON, momentum)
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x):
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            x = block(x)
        return self.head(_activate(self.norm, x).mean([2, 3]))


def make_network(seed, classes=10, momentum=0.005):
    """Initial weights from `seed`, distributed as the built-in network's."""
    random = torch.Generator().manual_seed(seed)
    network = ResNetSmall(classes, momentum)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                outputs, _, height, width = module.weight.shape
                module.weight.normal_(0, math.sqrt(2 / (height * width * outputs)), generator=random)
                module.bias.zero_()
            elif isinstance(module, nn.Linear):
                module.weight.normal_(0, math.sqrt(2 / sum(module.weight.shape)), generator=random)
                module.bias.zero_()
    return network.to(memory_format=torch.channels_last)


def weights_file(network, path):
    """Writes the weights as `mixfeed model register --kind resnet-small --file` reads them."""
    state = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()
             if not name.endswith(".num_batches_tracked")}
    torch.save(state, path)


@contextlib.contextmanager
def still_statistics(network):
    """Within it passes in train mode normalise with the batch's statistics and leave the running ones alone."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum
