# %%
"""Principles of mixing, one at a time: which share of the rows is mixed, from which law lambda comes, and what mixing
does against wrong labels and against classes that are rare.

    python mixing_principles.py --quick
"""
import torch

import common
import mixfeed
import mixfeed.torch
import serving

args = common.parse(__doc__, "mixing_principles", steps=3000, quick_steps=100)
connection = serving.connect(args)
everything = common.open_feed(connection, args, "supervised")
images, classes = common.load_images(everything, limit=args.test_images)
class_count = everything.info.classes
train_images = everything.info.labelled_images


def measure(name, feed, loss=mixfeed.torch.mixup_loss):
    """Trains a fresh network; its test accuracy, of each class too."""
    model = common.make_network(args, feed)
    common.train(model, feed, loss=loss, name=name)
    right = common.predict(model, images).argmax(1) == classes
    by_class = [float(right[classes == c].float().mean()) for c in range(class_count)]
    return float(right.float().mean()), by_class


# %% The portion of rows that is mixed.
portions = {f"{share:g}": measure(f"share {share:g}", common.open_feed(connection, args, "mixup",
                                                                      set={"recipe.mix.share": share}))[0]
            for share in (0, 0.5, 1)}
common.print_table("Portion of the rows that is mixed", ["share", "accuracy"], list(portions.items()))

# %% The law of lambda.
LAWS = {"Beta(0.2, 0.2)": {"recipe.mix.alpha": 0.2},
        "Beta(1, 1)": {"recipe.mix.alpha": 1},
        "Beta(8, 8)": {"recipe.mix.alpha": 8},
        "uniform 0.5..1": {"recipe.mix.lambda_law": "uniform", "recipe.mix.lambda_low": 0.5,
                           "recipe.mix.lambda_high": 1}}
laws = {name: measure(name, common.open_feed(connection, args, "mixup", set=law))[0] for name, law in LAWS.items()}
common.print_table("Law of lambda", ["lambda", "accuracy"], list(laws.items()))

# %% Wrong labels: a share of the training images has a random one, always the same. With targets="pairs" a batch says
# which labels were mixed and how, so that the trainer can put its own in their place.
generator = torch.Generator().manual_seed(args.seed)
order = torch.rand(train_images, generator=generator)
replacement = torch.randint(0, class_count, (train_images,), generator=generator)


def noisy_loss(share):
    def loss(logits, batch):
        y = torch.where(order[batch.sample_ids] < share, replacement[batch.sample_ids], batch.targets[:, 0].long())
        pairs = torch.stack([y.float(), y[batch.partner].float(), batch.targets[:, 2]], 1)
        return mixfeed.torch.mixup_loss(logits, batch._replace(targets=pairs), targets="pairs")

    return loss


noise = {}
for share in (0.0, 0.4):
    for recipe in ("supervised", "mixup"):
        feed = common.open_feed(connection, args, recipe, targets="pairs")
        noise[recipe, share] = measure(f"{recipe}, {share:g} wrong", feed, noisy_loss(share))[0]
common.print_table("Wrong labels", ["trained on", "share of wrong labels", "accuracy"],
                   [[recipe, share, value] for (recipe, share), value in noise.items()])

# %% Rare classes: each class has fewer labelled images than the one before it, the last a twentieth of the first.
most = max(1, train_images // (2 * class_count))
per_class = [max(1, round(most * 20 ** (-c / (class_count - 1)))) for c in range(class_count)]
imbalance, head_and_tail = {}, []
for recipe in ("supervised", "mixup"):
    feed = common.open_feed(connection, args, recipe, set={"split.rule": "per_class", "split.per_class": per_class})
    total, by_class = measure(f"{recipe}, rare classes", feed)
    third = max(1, class_count // 3)
    imbalance[recipe] = by_class
    head_and_tail.append([recipe, total, common.mean(by_class[:third]), common.mean(by_class[-third:])])
common.print_table(f"Labelled images a class: {per_class}", ["trained on", "accuracy", "frequent third", "rare third"],
                   head_and_tail)

# %%
figure, axes = common.subplots(2, 2)
common.plot_bars(axes[0, 0], list(portions), list(portions.values()), "test accuracy")
axes[0, 0].set_title("share of rows mixed")
common.plot_bars(axes[0, 1], list(laws), list(laws.values()), "test accuracy")
axes[0, 1].set_title("law of lambda")
common.plot_bars(axes[1, 0], [f"{recipe}, {share:g}" for recipe, share in noise], list(noise.values()), "test accuracy")
axes[1, 0].set_title("share of wrong labels")
for recipe, by_class in imbalance.items():
    axes[1, 1].plot(by_class, marker="o", label=recipe)
axes[1, 1].set(xlabel="class, from frequent to rare", ylabel="test accuracy", title="rare classes")
axes[1, 1].legend(fontsize=8)
common.save(figure, args, "mixing_principles.png")
