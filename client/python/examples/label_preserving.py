# %%
"""Label-preserving mixup (Huszar, 2017): with lambda ~ Beta(alpha + 1, alpha) and the first row's own label in place of
the mixed one, the expected loss is that of mixup. So mixing needs no second label, and partners may be unlabelled.

The first table measures it: the mean loss of one network over many batches of both feeds, with its standard error. The
second trains on each, and on partners from the unlabelled pool.

    python label_preserving.py --quick
"""
import torch

import common
import mixfeed
import mixfeed.torch
import serving

args = common.parse(__doc__, "label_preserving", steps=4000, quick_steps=200, labels={
    "type": int, "default": 500, "help": "labelled images, where partners are unlabelled; default: %(default)s"})
connection = serving.connect(args)
ALPHA = 1.0

# %% The two laws of lambda.
for recipe in ("mixup", "label-preserving"):
    law = mixfeed.plot_lambda(recipe, alpha=ALPHA)
    law.save(args.out / f"lambda-{recipe}.png")
    print(law, f"plot: {args.out / f'lambda-{recipe}.png'}", sep="\n")

# %% One network, not trained further, on many batches of both.
mixed, kept = (common.open_feed(connection, args, recipe, alpha=ALPHA) for recipe in ("mixup", "label-preserving"))
model = common.make_network(args, mixed)
common.train(model, common.open_feed(connection, args, "supervised"), name="network that is measured")
model.eval()
means = []
for name, feed in (("mixup", mixed), ("label-preserving", kept)):
    with torch.no_grad():
        values = torch.stack([mixfeed.torch.mixup_loss(model(batch.images), batch)
                              for batch in mixfeed.torch.FeedDataset(feed)])
    means.append([name, len(values), float(values.mean()), float(values.std() / len(values) ** 0.5)])
common.print_table("Loss of one network: equal within a few standard errors",
                   ["batches", "number", "loss", "standard error"], means)

# %% Trained on each, of few labelled images.
few = {"labels": args.labels, "batch": min(args.batch, args.labels)}
feeds = {"plain": common.open_feed(connection, args, "supervised", **few),
         "mixup": common.open_feed(connection, args, "mixup", alpha=ALPHA, **few),
         "label-preserving": common.open_feed(connection, args, "label-preserving", alpha=ALPHA, **few),
         "unlabelled partners": common.open_feed(connection, args, "label-preserving/unlabelled", alpha=ALPHA, **few)}
images, classes = common.load_images(feeds["plain"], limit=args.test_images)
losses, rows = {}, []
for name, feed in feeds.items():
    model = common.make_network(args, feed)
    losses[name] = common.train(model, feed, name=name)
    rows.append([name, common.mean(losses[name][-20:]), common.accuracy(model, images, classes)])
common.print_table(f"{args.labels} labels, {args.steps} steps", ["trained on", "train loss", "accuracy"], rows)

# %%
figure, (left, middle, right) = common.subplots(3)
errors = torch.tensor([row[3] for row in means]).nan_to_num()  # a single batch has none
left.errorbar([0, 1], [row[2] for row in means], 2 * errors, fmt="o", capsize=6)
left.set_xticks([0, 1], [row[0] for row in means])
left.set_xlim(-0.5, 1.5)
left.set_ylabel("loss of one network, 2 standard errors")
common.plot_losses(middle, losses)
common.plot_bars(right, list(feeds), [row[2] for row in rows], "test accuracy")
figure.suptitle("Mixup without the partner's label")
common.save(figure, args, "label_preserving.png")
