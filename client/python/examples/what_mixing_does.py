# %%
"""What mixing does to a network, on images that it was not trained on:

- miss rate: how often it takes a mix of two images for neither's class (Zhang et al., 2018, figure 2);
- FGSM error: its error when each pixel is moved a little in the worst direction (Goodfellow et al., 2015);
- singular values of the hidden features of a class: manifold mixup makes them fall faster (Verma et al., 2019);
- which layer to mix: the input, each hidden layer alone, or one of all at random;
- sharpening in MixMatch: T = 1 leaves guesses as they are, T = 0.5 sharpens them. A second plot has both networks'
  features of the test images on their two principal axes.

    python what_mixing_does.py --quick
    python what_mixing_does.py --data cifar10=DIR      # torchvision's ResNet-18, where installed, at 224 pixels: hours
"""
import torch
from torch.nn import functional as F

import common
import mixfeed
import mixfeed.torch
import serving

args = common.parse(__doc__, "what_mixing_does", steps=3000, quick_steps=80,
                    network="resnet18" if common.has_torchvision() else "small",
                    labels={"type": int, "default": 500, "help": "of MixMatch; default: %(default)s"})
connection = serving.connect(args)
print(f"network: {args.network}")

# %% Networks that differ in what is mixed.
ARMS = {"plain": ("supervised", None), "input": ("manifold", [0]), "layer 1": ("manifold", [1]),
        "layer 2": ("manifold", [2]), "layer 3": ("manifold", [3]), "any layer": ("manifold", [0, 1, 2, 3])}
models = {}
for name, (recipe, layers) in ARMS.items():
    feed = common.open_feed(connection, args, recipe, set={} if layers is None else {"recipe.mix.layers": layers})
    models[name] = common.make_network(args, feed)
    forward = None
    if layers is not None:
        forward = mixfeed.torch.ManifoldMixup(models[name], feed, layers=models[name].LAYERS)
    common.train(models[name], feed, forward=forward, name=name)
images, classes = common.load_images(feed, limit=args.test_images)
for model in models.values():
    model.eval()


# %% Measures.
def miss_rate(model, lam):
    """Of mixes of each test image with the one before it."""
    logits = common.predict(model, lam * images + (1 - lam) * images.roll(1, 0))
    predicted = logits.argmax(1)
    return float(((predicted != classes) & (predicted != classes.roll(1))).float().mean())


def fgsm_error(model, levels):
    """Error when every pixel is moved by `levels` of 255; pixels are in -1..1."""
    wrong = 0
    for x, y in zip(images.split(common.EVAL_BATCH), classes.split(common.EVAL_BATCH)):
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
        moved = (x + 2 * levels / 255 * gradient.sign()).clamp(-1, 1).detach()
        wrong += int((common.predict(model, moved).argmax(1) != y).sum())
    return wrong / len(classes)


@torch.no_grad()
def features(model):
    return torch.cat([model.features(x) for x in images.split(common.EVAL_BATCH)])


def singular_values(model, count=16):
    """The largest ones of each class's centred features, by their sum, over all classes."""
    hidden = features(model)
    spectra = []
    for c in classes.unique():
        of_class = hidden[classes == c]
        values = torch.linalg.svdvals(of_class - of_class.mean(0))
        spectra.append(F.pad(values, (0, count))[:count] / values.sum().clamp(min=1e-12))
    return torch.stack(spectra).mean(0).tolist()


LAMBDAS = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
LEVELS = [0, 1, 2, 4, 8]
misses = {name: [miss_rate(model, 1 - lam) for lam in LAMBDAS] for name, model in models.items()}
errors = {name: [fgsm_error(model, levels) for levels in LEVELS] for name, model in models.items()}
spectra = {name: singular_values(model) for name, model in models.items()}
accuracies = {name: common.accuracy(model, images, classes) for name, model in models.items()}
common.print_table(f"{args.steps} steps, {len(images)} test images",
                   ["mixed", "accuracy", "missed at 0.5", "FGSM error 2/255", "first singular value"],
                   [[name, accuracies[name], misses[name][-1], errors[name][2], spectra[name][0]] for name in models])
figure, axes = common.subplots(4)
for name in models:
    axes[0].plot(LAMBDAS, misses[name], marker="o", label=name)
    axes[1].plot(LEVELS, errors[name], marker="o", label=name)
    axes[2].plot(range(1, len(spectra[name]) + 1), spectra[name], marker=".", label=name)
axes[0].set(xlabel="share of the other image", ylabel="miss rate")
axes[1].set(xlabel="FGSM step (levels of 255)", ylabel="error")
axes[2].set(xlabel="singular value", ylabel="share of their sum", yscale="log")
axes[1].legend(fontsize=7, loc="lower right")
common.plot_bars(axes[3], list(models), list(accuracies.values()), "test accuracy")
axes[3].set_title("which layer to mix")
figure.suptitle(f"What mixing does to a network ({args.network})")
common.save(figure, args, "what_mixing_does.png")

# %% T = 1 against T = 0.5.
sharpened = {}
rows = []
for temperature in (1.0, 0.5):
    feed = common.open_feed(connection, args, "supervised", labels=args.labels, batch=min(args.batch, args.labels))
    model = common.make_network(args, feed)
    name = f"example-temperature-{temperature:g}"
    mixfeed.torch.register(model, name, connection)
    feed = common.open_feed(connection, args, "mixmatch", labels=args.labels, batch=min(args.batch, args.labels),
                            temperature=temperature, model=name, set=common.RAMP)
    with mixfeed.torch.push_weights(model, feed) as pusher:
        common.train(model, feed, name=f"T = {temperature:g}", after_step=lambda batch: pusher.step(),
                     loss=lambda logits, batch: mixfeed.torch.mixmatch_loss(logits, batch).total)
    (*_, last) = mixfeed.model_stats(feed, validate=0)["spans"]
    model.eval()
    hidden = features(model)
    centred = hidden - hidden.mean(0)
    axes_of = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
    sharpened[temperature] = centred @ axes_of.T
    rows.append([f"{temperature:g}", common.accuracy(model, images, classes), last["confidence"],
                 last["sharpened_confidence"], last["entropy"]])
common.print_table(f"MixMatch, {args.labels} labels: sharpening", ["T", "accuracy", "confidence of the last guesses",
                                                                   "sharpened", "entropy (nats)"], rows)

figure, axes = common.subplots(2)
for axis, (temperature, points) in zip(axes, sharpened.items()):
    axis.scatter(*points.T, c=classes, cmap="tab10", s=4)
    axis.set(title=f"features, T = {temperature:g}", xlabel="first principal axis", ylabel="second")
figure.suptitle(f"MixMatch with {args.labels} labels ({args.network})")
common.save(figure, args, "sharpening.png")
