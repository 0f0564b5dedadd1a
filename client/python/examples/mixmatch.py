# %%
"""MixMatch with 500 labels (Berthelot et al., 2019) against training on those 500 images alone. The server guesses
labels for the other images with the weights that this trainer pushes after every step, averages the guesses of two
views, sharpens them, and mixes; what comes here is a batch with soft targets.

    python mixmatch.py --quick
    python mixmatch.py --data cifar10=DIR --steps 20000
"""
import common
import mixfeed
import mixfeed.torch
import serving

args = common.parse(__doc__, "mixmatch", steps=10_000, quick_steps=150, labels={
    "type": int, "default": 500, "help": "labelled images; default: %(default)s"})
connection = serving.connect(args)
batch = min(args.batch, args.labels)
MODEL = "example-mixmatch"  # the server's name of what guesses

# %% The two feeds have the same labelled images.
supervised = common.open_feed(connection, args, "supervised", labels=args.labels, batch=batch)
model = common.make_network(args, supervised)
mixfeed.torch.register(model, MODEL, connection)
mixmatch = common.open_feed(connection, args, "mixmatch", labels=args.labels, batch=batch, model=MODEL,
                            set=common.RAMP)
images, classes = common.load_images(supervised, limit=args.test_images)

# %% Training. The curve is of the test accuracy, eleven times.
losses, curves = {}, {}


def follow(name, network, also=lambda: None):
    """For train(after_step=...): keeps the test accuracy every tenth of the steps."""
    curves[name] = []

    def after_step(batch):
        also()
        if batch.step % max(1, args.steps // 10) == 0 or batch.step == args.steps - 1:
            curves[name].append((batch.step, common.accuracy(network, images, classes)))

    return after_step


alone = common.make_network(args, supervised)
losses["supervised"] = common.train(alone, supervised, name="supervised", after_step=follow("supervised", alone))
with mixfeed.torch.push_weights(model, mixmatch) as pusher:
    losses["mixmatch"] = common.train(
        model, mixmatch, name="mixmatch", loss=lambda logits, batch: mixfeed.torch.mixmatch_loss(logits, batch).total,
        after_step=follow("mixmatch", model, pusher.step))

# %% How good the guesses were, version by version of the weights, and what came out.
stats = mixfeed.model_stats(mixmatch, validate=0)
stats.save(args.out / "guesses.png")
print(stats, f"plot: {args.out / 'guesses.png'}", sep="\n")
common.print_table(f"{args.labels} labels, {args.steps} steps, {len(images)} test images", ["trained on", "accuracy"],
                   [[name, curve[-1][1]] for name, curve in curves.items()])
figure, (left, middle, right) = common.subplots(3)
common.plot_losses(left, losses)
for name, curve in curves.items():
    middle.plot(*zip(*curve), marker="o", label=name)
middle.set(xlabel="step", ylabel="test accuracy")
middle.legend(fontsize=8)
spans = stats["spans"]
for value in ("confidence", "accuracy", "agreement"):
    known = [(span["update"], span[value]) for span in spans if span[value] is not None]
    if known:
        right.plot(*zip(*known), label=value)
right.set(xlabel="update", ylabel="of the guesses")
right.legend(fontsize=8)
figure.suptitle(f"MixMatch with {args.labels} labels")
common.save(figure, args, "mixmatch.png")
print(mixfeed.report(mixmatch))
