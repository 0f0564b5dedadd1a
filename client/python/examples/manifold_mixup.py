# %%
"""Manifold mixup (Verma et al., 2019): each step mixes the input or a hidden layer, as the feed draws it; the trainer
mixes the hidden ones inside its own network, by the batch's layer, partner and lambda. mixfeed.torch.ManifoldMixup does
that by hooks, so that the network stays as it is.

    python manifold_mixup.py --quick
"""
import collections

import common
import mixfeed.torch
import serving

args = common.parse(__doc__, "manifold_mixup", steps=4000, quick_steps=250)
connection = serving.connect(args)

# %% Layers 1, 2, 3 are the network's; 0 is the input.
layers = {"recipe.mix.layers": [0, 1, 2, 3]}
feeds = {"plain": common.open_feed(connection, args, "supervised"),
         "mixup": common.open_feed(connection, args, "mixup", alpha=2.0),
         "manifold mixup": common.open_feed(connection, args, "manifold", alpha=2.0, set=layers)}
images, classes = common.load_images(feeds["plain"], limit=args.test_images)

# %%
losses, rows = {}, []
drawn: collections.Counter[int] = collections.Counter()
for name, feed in feeds.items():
    model = common.make_network(args, feed)
    forward = None
    if name == "manifold mixup":
        forward = mixfeed.torch.ManifoldMixup(model, feed, layers=model.LAYERS)
        losses[name] = common.train(model, feed, forward=forward, name=name,
                                    after_step=lambda batch: drawn.update([batch.layer]))
    else:
        losses[name] = common.train(model, feed, name=name)
    logits = common.predict(model, images)
    rows.append([name, common.mean(losses[name][-20:]), float((logits.argmax(1) == classes).float().mean()),
                 common.calibration_error(logits, classes)])

# %%
names = ["input", *model.LAYERS]
common.print_table(f"{args.steps} steps of {args.batch}, {len(images)} test images",
                   ["trained on", "train loss", "accuracy", "calibration error"], rows)
common.print_table("Layers that were mixed", ["layer", "steps"], [[names[k], drawn[k]] for k in range(len(names))])
figure, (left, middle, right) = common.subplots(3)
common.plot_losses(left, losses)
common.plot_bars(middle, list(feeds), [row[2] for row in rows], "test accuracy")
right.bar(names, [drawn[k] for k in range(len(names))])
right.set(ylabel="steps", title="layer that was mixed")
figure.suptitle("Manifold mixup")
common.save(figure, args, "manifold_mixup.png")
