"""One update of MixMatch's trainer on resnet-small in float64, from formulas: convolution as a product of unfolded
windows, batch norm and losses written out. Only the gradients are torch's, of these formulas."""
import contextlib

import torch

SLOPE = 0.1
NORM_EPSILON = 1e-3


def double(state):
    """A float64 copy of a state dict, without PyTorch's counters."""
    return {name: tensor.detach().double().contiguous() for name, tensor in state.items()
            if not name.endswith(".num_batches_tracked")}


def convolution(x, kernel, bias, stride):
    rows, _, height, width = x.shape
    outputs, _, side, _ = kernel.shape
    windows = torch.nn.functional.unfold(x, side, padding=side // 2, stride=stride)
    y = torch.einsum("ok,rkp->rop", kernel.reshape(outputs, -1), windows) + bias[:, None]
    return y.reshape(rows, outputs, (height - 1) // stride + 1, (width - 1) // stride + 1)


class Reference:
    """weights: a state dict of float64 tensors, which stays as it is. `moved` has the running statistics after the
    passes that move them.

    sides: which side of leaky ReLU's kink each value is on, a bool tensor an activation, in the order of the passes;
    from recorded_sides(). Where rounding to float32 puts a value on the other side its derivative is another, and a few
    such values move a gradient by 1e-3.
    """

    def __init__(self, weights, momentum, sides):
        self._sides = iter(sides)
        self.parameters = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()
                           if ".running_" not in name}
        self.moved = {name: tensor.clone() for name, tensor in weights.items() if ".running_" in name}
        self._momentum = momentum

    def _norm(self, name, x, moves):
        count = x.numel() // x.shape[1]
        mean = x.sum((0, 2, 3)) / count
        square = ((x - mean[:, None, None]) ** 2).sum((0, 2, 3))
        if moves:
            for statistic, value in [("mean", mean), ("var", square / (count - 1))]:
                old = self.moved[f"{name}.running_{statistic}"]
                self.moved[f"{name}.running_{statistic}"] = old + self._momentum * (value.detach() - old)
        scale = self.parameters[f"{name}.weight"] / (square / count + NORM_EPSILON) ** 0.5
        y = (x - mean[:, None, None]) * scale[:, None, None] + self.parameters[f"{name}.bias"][:, None, None]
        side = next(self._sides)
        assert y[side != (y > 0)].abs().sum() < 1e-4, "not a matter of rounding"
        return torch.where(side, y, SLOPE * y)

    def _convolution(self, name, x, stride=1):
        return convolution(x, self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"], stride)

    def logits(self, x, moves=False, mix=None):
        """Under batch statistics. mix: (layer, partner, lambda): the output of that block, mixed row by row."""
        x = self._convolution("stem", x)
        for block, stride in enumerate([1, 2, 2]):
            name = f"blocks.{block}"
            active = self._norm(f"{name}.norm1", x, moves)
            inner = self._norm(f"{name}.norm2", self._convolution(f"{name}.conv1", active, stride), moves)
            past = active if block == 0 else self._convolution(f"{name}.shortcut", x, stride)
            x = self._convolution(f"{name}.conv2", inner) + past
            if mix is not None and mix[0] == block + 1:
                x = torch.stack([lam * x[row] + (1 - lam) * x[partner]
                                 for row, (partner, lam) in enumerate(zip(mix[1].tolist(), mix[2].tolist()))])
        features = self._norm("norm", x, moves).sum((2, 3)) / (x.shape[2] * x.shape[3])
        return features @ self.parameters["head.weight"].T + self.parameters["head.bias"]

    def mixmatch_losses(self, batch):
        """Of an interleaved batch: the groups pass by themselves, and the first alone moves the running statistics."""
        images, targets = batch.images.double(), batch.targets.double()
        labelled, unlabelled = [], []
        for begin in range(0, len(images), batch.n_labelled):
            probabilities = softmax(self.logits(images[begin:begin + batch.n_labelled], moves=begin == 0))
            for offset, row in enumerate(probabilities):
                target = targets[begin + offset]
                if batch.row[begin + offset] < batch.n_labelled:
                    labelled.append(-(target * row.log()).sum())
                else:
                    unlabelled.append(((target - row) ** 2).sum() / len(row))
        return sum(labelled) / len(labelled), sum(unlabelled) / len(unlabelled)

    def labelled_loss(self, batch):
        mix = (batch.layer, batch.partner, batch.lam.double())
        probabilities = softmax(self.logits(batch.images.double(), moves=True, mix=mix))
        return -(batch.targets.double() * probabilities.log()).sum() / len(probabilities)

    def gradients(self, loss):
        return dict(zip(self.parameters, torch.autograd.grad(loss, list(self.parameters.values()))))


@contextlib.contextmanager
def recorded_sides(network):
    """The `sides` of a Reference, of the passes of a network.ResNetSmall that are made within."""
    sides = []
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(lambda _module, _inputs, output: sides.append(output > 0)) for norm in norms]
    yield sides
    for hook in hooks:
        hook.remove()


def softmax(logits):
    powers = torch.exp(logits - logits.max(1, keepdim=True).values.detach())
    return powers / powers.sum(1, keepdim=True)


class Adam:
    """Kingma and Ba 2015, algorithm 1, and the decoupled decay of kernels that follows it in MixMatch."""

    def __init__(self, rate, decay):
        self._rate, self._decay, self._updates, self._moments = rate, decay, 0, {}

    def updated(self, weights, gradients):
        """The weights of a dict after one more update; gradients under the same names."""
        self._updates += 1
        return {name: self._updated(name, weight, gradients[name].double()) for name, weight in weights.items()}

    def _updated(self, name, weight, gradient):
        first, second = self._moments.get(name, (torch.zeros_like(weight), torch.zeros_like(weight)))
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient ** 2
        self._moments[name] = first, second
        step = first / (1 - 0.9 ** self._updates) / ((second / (1 - 0.999 ** self._updates)) ** 0.5 + 1e-8)
        moved = weight - self._rate * step
        return moved * (1 - self._rate * self._decay) if weight.dim() > 1 else moved
