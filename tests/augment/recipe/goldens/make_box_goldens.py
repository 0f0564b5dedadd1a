#!/usr/bin/env python3
"""Writes boxes.txt: which box CutMix cuts for a given lambda and centre.

Usage: make_box_goldens.py > boxes.txt
       (NumPy 2.4.6, torch 2.15.0, torchvision 0.29.2, timm 1.0.28)

torchvision's CutMix and timm's cutmix_bbox_and_lam are run with their random numbers replaced;
clovaai/CutMix-PyTorch's rand_bbox (train.py at 2d8eb68) is restated. The format is that of
golden_format.py.

case box NAME: `source`, `height`, `width`; lines `box` of lambda, centre y, centre x, then y0 x0 y1 x1
(half open) and the lambda that follows from the box's area.
"""

import itertools
from unittest import mock

import numpy as np
import timm.data.mixup as timm_mixup
import torch
from golden_format import Writer, require
from torchvision.transforms import v2

# The quarters cut sides of whole halves, where rounding decides; the last ones cut one pixel or none.
LAMBDAS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.96, 0.9375, 0.998, 0.9995, 1.0)


def clovaai(height, width, weight, cy, cx):
    cut_h, cut_w = int(height * np.sqrt(1 - weight)), int(width * np.sqrt(1 - weight))
    y0, y1 = np.clip([cy - cut_h // 2, cy + cut_h // 2], 0, height)
    x0, x1 = np.clip([cx - cut_w // 2, cx + cut_w // 2], 0, width)
    return y0, x0, y1, x1, 1 - (y1 - y0) * (x1 - x0) / (height * width)


def timm(height, width, weight, cy, cx):
    with mock.patch.object(np.random, "randint", side_effect=[cy, cx]):
        (y0, y1, x0, x1), corrected = timm_mixup.cutmix_bbox_and_lam((3, height, width), weight)
    return y0, x0, y1, x1, corrected


def torchvision(height, width, weight, cy, cx):
    cutmix = v2.CutMix(num_classes=2)
    cutmix._dist = mock.Mock(sample=lambda _: torch.tensor(weight, dtype=torch.float64))
    centre = [torch.tensor([cx]), torch.tensor([cy])]
    with mock.patch.object(torch, "randint", side_effect=centre):
        drawn = cutmix.make_params([torch.zeros(1, 3, height, width)])
    x0, y0, x1, y1 = drawn["box"]
    return y0, x0, y1, x1, drawn["lam_adjusted"]


def main():
    require(numpy="2.4.6", torch="2.15.0", torchvision="0.29.2", timm="1.0.28")
    out = Writer("make_box_goldens.py")
    for source, (height, width) in itertools.product((clovaai, timm, torchvision), ((32, 32), (28, 20))):
        out.case("box", f"{source.__name__}-{height}x{width}")
        out.field("source", source.__name__)
        out.field("height", height)
        out.field("width", width)
        centres = ((0, 0), (height - 1, width - 1), (height // 2, width // 2), (3, width - 6))
        for weight, (cy, cx) in itertools.product(LAMBDAS, centres):
            y0, x0, y1, x1, corrected = source(height, width, weight, cy, cx)
            out.field("box", weight, cy, cx, int(y0), int(x0), int(y1), int(x1), float(corrected))


if __name__ == "__main__":
    main()
