#!/usr/bin/env python3
"""Writes distributions.txt: summaries of large samples from the code that others run.

Usage: make_distribution_goldens.py > distributions.txt        (two minutes)
       (NumPy 2.4.6, torch 2.15.0, torchvision 0.29.2, timm 1.0.28, fastai 1.0.61 as make_warp_goldens.py says)

What is called torchvision-, timm- and fastai- comes from the libraries' own code; the rest from one-line
restatements of google-research/mixmatch, YU1ut/MixMatch-pytorch, facebookresearch/mixup-cifar10,
DSXiangLi/ClassicSolution, vikasverma1077/manifold_mixup, souvik3333/medium_blogs
(transforms/manifold_mixup.ipynb), clovaai/CutMix-PyTorch and of label-preserving mixup. The format is that
of golden_format.py.

case quantiles NAME: `draws`; `quantiles`: the 0 %, 1 %, ... 100 % quantiles, each a value that was drawn.
torch's Beta (torchvision) draws in float32 and puts what would be 1 on the float32 next to it.

case counts NAME: `draws`; `counts`: how often 0, 1, 2, ... was drawn. Names end in what is counted:
  -area      0: the box is empty; 1 + floor(16 area / image area) else
  -top, -height, -left, -width    pixels, of boxes that are not empty
  -place     of their middle: 4 floor(4 (y0 + y1) / 2 H) + floor(4 (x0 + x1) / 2 W)
  -offset    partner - row, modulo the rows
  -group     which of the K + 1 groups the partner of a labelled row is in
  -mixed, -cut    rows (pairs, or batches) of 8 that are mixed, that are CutMix
  -run       0: the transform is left out, 1: it runs
  -layer, -crop   the number itself
"""

import random

import make_warp_goldens  # which puts fastai's surroundings right
import numpy as np
import timm.data.mixup as timm_mixup
import torch
from golden_format import Writer, require
from torchvision.transforms import v2

DRAWS = 200_000
ROWS = 8


def write_quantiles(out, name, samples):
    samples = np.asarray(samples, np.float64)
    out.case("quantiles", name)
    out.field("draws", len(samples))
    out.field("quantiles", np.quantile(samples, np.linspace(0, 1, 101), method="inverted_cdf"), digits=17)


def write_counts(out, name, values, cells):
    values = np.asarray(values, np.int64)
    assert values.max() < cells
    out.case("counts", name)
    out.field("draws", len(values))
    out.field("counts", np.bincount(values, minlength=cells))


def write_boxes(out, name, height, width, boxes):
    """`boxes`: rows of y0 x0 y1 x1."""
    y0, x0, y1, x1 = np.asarray(boxes, np.int64).T
    area = (y1 - y0) * (x1 - x0)
    write_counts(out, f"{name}-area", np.where(area == 0, 0, 1 + 16 * area // (height * width)), 18)
    y0, x0, y1, x1 = (v[area > 0] for v in (y0, x0, y1, x1))
    write_counts(out, f"{name}-top", y0, height)
    write_counts(out, f"{name}-height", y1 - y0, height + 1)
    write_counts(out, f"{name}-left", x0, width)
    write_counts(out, f"{name}-width", x1 - x0, width + 1)
    write_counts(out, f"{name}-place", 4 * (2 * (y0 + y1) // height) + 2 * (x0 + x1) // width, 16)


# --- restated ---

def write_lambdas(out):
    numpy = np.random.RandomState(1)

    def floored(alpha):
        weight = numpy.beta(alpha, alpha, DRAWS)
        return np.maximum(weight, 1 - weight)

    write_quantiles(out, "mixmatch-lambda", floored(0.75))
    write_quantiles(out, "dsxiangli-lambda", floored(0.5))
    write_quantiles(out, "facebook-lambda", numpy.beta(1.0, 1.0, DRAWS))
    write_quantiles(out, "mixup-0.2-lambda", numpy.beta(0.2, 0.2, DRAWS))
    write_quantiles(out, "manifold-lambda", numpy.beta(2.0, 2.0, DRAWS))
    for alpha in (0.2, 1.0):
        write_quantiles(out, f"label-preserving-{alpha}-lambda", numpy.beta(alpha + 1, alpha, DRAWS))


def write_choices(out):
    numpy, python = np.random.RandomState(2), random.Random(2)
    batches = np.array([numpy.permutation(ROWS) for _ in range(DRAWS // ROWS)])
    write_counts(out, "permutation-offset", ((batches - np.arange(ROWS)) % ROWS).ravel(), ROWS)
    batch, views = 64, 2
    partners = [numpy.permutation((views + 1) * batch)[:batch] for _ in range(DRAWS // batch)]
    write_counts(out, "mixmatch-group", np.ravel(partners) // batch, views + 1)
    write_counts(out, "manifold-layer", [python.randint(0, 2) for _ in range(DRAWS)], 3)
    write_counts(out, "souvik3333-layer", numpy.randint(0, 5, DRAWS), 5)
    write_counts(out, "yu1ut-crop", numpy.randint(0, 40 - 32, DRAWS), 9)


def write_clovaai(out, height, width):
    numpy = np.random.RandomState(3)
    side = np.sqrt(1 - numpy.beta(1.0, 1.0, DRAWS))
    half_h, half_w = (height * side).astype(int) // 2, (width * side).astype(int) // 2
    cy, cx = numpy.randint(height, size=DRAWS), numpy.randint(width, size=DRAWS)
    ends = [np.clip(v, 0, size) for v, size in
            ((cy - half_h, height), (cx - half_w, width), (cy + half_h, height), (cx + half_w, width))]
    write_boxes(out, f"clovaai-{height}x{width}", height, width, np.transpose(ends))


# --- torchvision ---

def write_torchvision(out):
    torch.manual_seed(4)
    image = [torch.zeros(1, 3, 32, 32)]
    for alpha in (0.2, 1.0):
        mixup = v2.MixUp(alpha=alpha, num_classes=10)
        lambdas = [mixup.make_params(image)["lam"] for _ in range(DRAWS)]
        write_quantiles(out, f"torchvision-{alpha}-lambda", lambdas)
    cutmix = v2.CutMix(alpha=1.0, num_classes=10)
    boxes = [cutmix.make_params(image)["box"] for _ in range(DRAWS)]
    write_boxes(out, "torchvision-32x32", 32, 32, [(y0, x0, y1, x1) for x0, y0, x1, y1 in boxes])
    crop = v2.RandomCrop(32, padding=4)
    write_counts(out, "torchvision-crop", [crop.make_params(image)["top"] for _ in range(DRAWS)], 9)


# --- timm ---

def timm_boxes(mixer, height, width):
    """One box a lambda that timm draws."""
    for _ in range(DRAWS // ROWS):
        for weight in mixer._params_per_elem(ROWS)[0]:
            (y0, y1, x0, x1), _ = timm_mixup.cutmix_bbox_and_lam(
                (3, height, width), weight, ratio_minmax=mixer.cutmix_minmax)
            yield y0, x0, y1, x1


def write_timm(out):
    np.random.seed(5)
    mixup = timm_mixup.Mixup(mixup_alpha=0.8)
    write_quantiles(out, "timm-batch-lambda", [mixup._params_per_batch()[0] for _ in range(DRAWS)])
    write_quantiles(out, "timm-elem-lambda", mixup._params_per_elem(DRAWS)[0])
    cut = timm_mixup.Mixup(mixup_alpha=0.0, cutmix_alpha=1.0)
    minmax = timm_mixup.Mixup(mixup_alpha=0.0, cutmix_minmax=(0.2, 0.8))
    for height, width in ((32, 32), (28, 20)):
        write_boxes(out, f"timm-{height}x{width}", height, width, list(timm_boxes(cut, height, width)))
        write_boxes(out, f"timm-minmax-{height}x{width}", height, width, list(timm_boxes(minmax, height, width)))
    write_timm_choices(out)


def write_timm_choices(out):
    """`prob` and `switch_prob`, a draw of each for a batch, a pair or an element."""
    mixer = timm_mixup.Mixup(mixup_alpha=0.8, cutmix_alpha=1.0, prob=0.6, switch_prob=0.3)
    batch = [mixer._params_per_batch() for _ in range(DRAWS)]
    write_counts(out, "timm-batch-mixed", [weight != 1 for weight, _ in batch], 2)
    write_counts(out, "timm-batch-cut", [cut for weight, cut in batch if weight != 1], 2)
    for name, size in (("elem", ROWS), ("pair", ROWS // 2)):
        drawn = [mixer._params_per_elem(size) for _ in range(DRAWS // size)]
        mixed = [(weights != 1) for weights, _ in drawn]
        write_counts(out, f"timm-{name}-mixed", [rows.sum() for rows in mixed], size + 1)
        write_counts(out, f"timm-{name}-cut", [(cut & rows).sum() for (_, cut), rows in zip(drawn, mixed)], size + 1)


# --- fastai ---

def write_fastai(out):
    random.seed(6)
    torch.manual_seed(6)
    transforms = {t.__name__: t for t in make_warp_goldens.fastai.get_transforms()[0]}
    arguments = {"rotate": ["degrees"], "zoom": ["scale", "row_pct", "col_pct"], "symmetric_warp": ["magnitude"],
                 "brightness": ["change"], "contrast": ["scale"], "flip_lr": []}
    for name, parameters in arguments.items():
        drawn, runs = {p: [] for p in parameters}, []
        for _ in range(DRAWS):
            transforms[name].resolve()
            runs.append(transforms[name].do_run)
            for p in parameters:
                drawn[p] += np.ravel(transforms[name].resolved[p]).tolist()
        write_counts(out, f"fastai-{name}-run", runs, 2)
        for p in parameters:
            write_quantiles(out, f"fastai-{name}-{p}", drawn[p][:DRAWS])


def main():
    require(numpy="2.4.6", torch="2.15.0", torchvision="0.29.2", timm="1.0.28", fastai="1.0.61")
    out = Writer("make_distribution_goldens.py")
    write_lambdas(out)
    write_choices(out)
    write_clovaai(out, 32, 32)
    write_torchvision(out)
    write_timm(out)
    write_fastai(out)


if __name__ == "__main__":
    main()
