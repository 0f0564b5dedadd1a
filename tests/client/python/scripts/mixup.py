"""Mixup in plain PyTorch: one loader, every batch mixed with itself."""
import argparse

import torch

import common


def train(args):
    torch.manual_seed(args.seed)
    model = common.Net()
    optimiser = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, args.steps)
    loader = common.loader(*common.read_cifar(args.data, "data_batch_*.bin"), args.batch)
    for step, ((x,), y) in zip(range(args.steps), common.views(loader, 1)):
        x, y_a, y_b, lam = common.mixup_data(x, y, args.alpha)
        logits = model(x)
        loss = common.mixup_criterion(logits, y_a, y_b, lam)
        hits = common.mixup_accuracy(logits, y_a, y_b, lam)
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
