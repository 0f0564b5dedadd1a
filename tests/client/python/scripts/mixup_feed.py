"""Mixup in plain PyTorch: one loader, every batch mixed with itself."""
import argparse

import torch

import common
import mixfeed.torch


def train(args):
    torch.manual_seed(args.seed)
    model = common.Net()
    optimiser = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, args.steps)
    feed = mixfeed.connect(args.server).open("mixup", batch=args.batch, alpha=args.alpha, seed=args.seed,
                                             steps=args.steps)
    for step, batch in enumerate(mixfeed.torch.FeedDataset(feed)):
        logits = model(batch.images)
        loss = mixfeed.torch.mixup_loss(logits, batch)
        hits = mixfeed.torch.mixup_accuracy(logits, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        print(f"step {step}  loss {loss:.4f}  accuracy on the mixed batch {hits:.3f}")
    print(f"accuracy {common.accuracy(model, args.data):.4f}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder with CIFAR-10's .bin files")
    parser.add_argument("--server", default="127.0.0.1:50051")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    train(parse())
