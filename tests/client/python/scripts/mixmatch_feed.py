"""MixMatch on CIFAR-10: two loaders, guessed labels, sharpening, mixup, interleaving."""
import argparse

import torch
from torch.nn import functional as F

import common
import mixfeed.torch


def train(args):
    torch.manual_seed(args.seed)
    model = common.Net()
    optimiser = torch.optim.Adam(model.parameters(), lr=args.lr)
    feed = mixfeed.connect(args.server).open("mixmatch", labels=args.labels, batch=args.batch, alpha=args.alpha,
                                             temperature=args.temperature, seed=args.seed, steps=args.steps, model="net")
    mixfeed.torch.register(model, "net", feed.connection)
    pusher = mixfeed.torch.push_weights(model, feed)
    for step, batch in enumerate(mixfeed.torch.FeedDataset(feed)):
        inputs, targets = batch.images, batch.targets
        groups = common.interleave(inputs.split(args.batch))
        logits = torch.cat(common.interleave([model(group) for group in groups]))
        n = args.batch
        loss_x = F.cross_entropy(logits[:n], targets[:n])
        loss_u = F.mse_loss(logits[n:].softmax(1), targets[n:])
        loss = loss_x + args.lambda_u * min(1, step / args.ramp) * loss_u
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        pusher.step()
        print(f"step {step}  loss_x {loss_x:.4f}  loss_u {loss_u:.5f}")
    pusher.close()
    print(f"accuracy {common.accuracy(model, args.data):.4f}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder with CIFAR-10's .bin files")
    parser.add_argument("--server", default="127.0.0.1:50051")
    parser.add_argument("--labels", type=int, default=250)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--alpha", type=float, default=0.75)
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--lambda-u", type=float, default=75)
    parser.add_argument("--ramp", type=int, default=2_000)
    parser.add_argument("--lr", type=float, default=0.002)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    train(parse())
