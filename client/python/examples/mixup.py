# %%
"""Mixup on CIFAR-10 (Zhang et al., 2018): a network trained on plain batches, and on batches mixed with lambda ~
Beta(alpha, alpha), for two alphas. Mixed batches are harder to fit, so look at the test set, and at how sure the
network is: mixup makes it less so, which shows in the calibration error.

    python mixup.py --quick                     # on a generated dataset, from a server of its own
    python mixup.py --data cifar10=DIR          # on CIFAR-10's .bin files
"""
from torch.nn import functional as F

import common
import mixfeed
import serving

args = common.parse(__doc__, "mixup", steps=4000, quick_steps=300)
connection = serving.connect(args)

# %% What a mixed batch looks like.
feeds = {"plain": common.open_feed(connection, args, "supervised"),
         "mixup 0.2": common.open_feed(connection, args, "mixup", alpha=0.2),
         "mixup 1.0": common.open_feed(connection, args, "mixup", alpha=1.0)}
mixfeed.peek(feeds["mixup 1.0"], rows=8).save(args.out / "batch.png")
print(f"plot: {args.out / 'batch.png'}")

# %% The same network, from the same weights, on each.
images, classes = common.load_images(feeds["plain"], limit=args.test_images)
losses, rows = {}, []
for name, feed in feeds.items():
    model = common.make_network(args, feed)
    losses[name] = common.train(model, feed, name=name)
    logits = common.predict(model, images)
    confidence = float(logits.softmax(1).max(1).values.mean())
    rows.append([name, common.mean(losses[name][-20:]), float((logits.argmax(1) == classes).float().mean()),
                 float(F.cross_entropy(logits, classes)), confidence, common.calibration_error(logits, classes)])

# %% What came out.
common.print_table(f"{args.steps} steps of {args.batch}, {len(images)} test images",
                   ["trained on", "train loss", "accuracy", "test loss", "confidence", "calibration error"], rows)
figure, (left, middle, right) = common.subplots(3)
common.plot_losses(left, losses)
common.plot_bars(middle, list(feeds), [row[2] for row in rows], "test accuracy")
common.plot_bars(right, list(feeds), [row[5] for row in rows], "calibration error")
figure.suptitle("Mixup against plain training")
common.save(figure, args, "mixup.png")
