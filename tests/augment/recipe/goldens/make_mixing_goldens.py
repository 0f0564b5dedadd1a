#!/usr/bin/env python3
"""Writes mixing.txt: batches mixed by torchvision, timm and the restated rules of other repositories.

Usage: make_mixing_goldens.py > mixing.txt
       (NumPy 2.4.6, torch 2.15.0, torchvision 0.29.2, timm 1.0.28)

Each case mixes the example images and labels of golden_format.py (`rows` images of `shape` C H W,
`classes` classes), raw levels of 0..255, as float32 or, for timm's FastCollateMixup, as uint8. The
format is that of golden_format.py.

case mixing NAME: `rows`, `shape`, `classes`, `smoothing` (s: a label is 1 - s + s/C and s/C), `targets`
`mixed` or `own`; for each row of the outcome, which are fewer than `rows` for timm's half mode,
`partner` (index of an image) and `lambda` (the weight of the row's own label, and of its pixels where it
is blended); in cases with CutMix, `cut` (1: the partner shows in a box, 0: blended) and `box` (y0 x0 y1 x1,
half open, possibly empty; zeros for a blended row); `type` float32 or uint8; and the outcome: `pixels`
[row][C H W] to 7 digits, `labels` [row][class].

torchvision's and timm's own code is run; partner, lambda and box are taken down as it draws them, by
wrapping its functions. timm 1.0.30 made CutMix's boxes of odd sides where they had been rounded down to
even ones; 1.0.28 is the last one to cut as clovaai/CutMix-PyTorch does. The others are restated:
facebookresearch/mixup-cifar10 (train.py mixup_data), clovaai/CutMix-PyTorch (train.py at 2d8eb68),
vikasverma1077/manifold_mixup (utils.py mixup_process, layer 0), DSXiangLi/ClassicSolution
(src/enhancement/mixup.py), libffcv/ffcv (ImageMixup and LabelMixup, without the truncation to uint8),
google-research/mixmatch (mixup.py: reversed, a floor, a lambda a row), and label-preserving mixup.
"""

import numpy as np
import timm.data.mixup as timm_mixup
import torch
from golden_format import Writer, example_images, example_labels, require
from torchvision.transforms import v2

ROWS, SHAPE, CLASSES = 6, (3, 6, 5), 4


def images():
    return example_images(ROWS, *SHAPE)


def float_batch():
    return torch.from_numpy(images().astype(np.float32)), torch.from_numpy(example_labels(ROWS, CLASSES))


def write(out, name, partner, weight, boxes, pixels, labels, smoothing=0.0, targets="mixed"):
    """`boxes`: of each row the box, or None; or None for all of them."""
    pixels = np.asarray(pixels)
    out.case("mixing", name)
    out.field("rows", ROWS)
    out.field("shape", SHAPE)
    out.field("classes", CLASSES)
    out.field("smoothing", smoothing)
    out.field("targets", targets)
    out.field("partner", partner)
    out.field("lambda", np.asarray(weight, np.float64), digits=17)
    if boxes and any(boxes):
        out.field("cut", [box is not None for box in boxes])
        out.field("box", np.array([box or (0, 0, 0, 0) for box in boxes]))
    out.field("type", str(pixels.dtype))
    out.field("pixels", pixels, digits=7)
    out.field("labels", np.asarray(labels))


# --- torchvision ---

class Recorded:
    """A torchvision transform that keeps what it drew."""

    def __init__(self, transform):
        self.transform, self.make_params = transform, transform.make_params
        transform.make_params = self.record

    def record(self, inputs):
        self.drawn = self.make_params(inputs)
        return self.drawn

    def __call__(self, *batch):
        return self.transform(*batch)


def write_torchvision(out):
    rolled = np.roll(np.arange(ROWS), 1)
    torch.manual_seed(1)
    mixup = Recorded(v2.MixUp(alpha=1.0, num_classes=CLASSES))
    pixels, labels = mixup(*float_batch())
    write(out, "torchvision-mixup", rolled, [mixup.drawn["lam"]] * ROWS, None, pixels, labels)
    for seed in (2, 5):
        torch.manual_seed(seed)
        cutmix = Recorded(v2.CutMix(alpha=1.0, num_classes=CLASSES))
        pixels, labels = cutmix(*float_batch())
        x0, y0, x1, y1 = cutmix.drawn["box"]
        write(out, f"torchvision-cutmix-{seed}", rolled, [cutmix.drawn["lam_adjusted"]] * ROWS,
              [(y0, x0, y1, x1)] * ROWS, pixels, labels)


# --- timm ---

class Draws:
    """Takes down what timm draws while it mixes one batch."""

    def __init__(self):
        self.boxes = []

    def __enter__(self):
        self.bbox, self.target = timm_mixup.cutmix_bbox_and_lam, timm_mixup.mixup_target
        timm_mixup.cutmix_bbox_and_lam, timm_mixup.mixup_target = self.record_box, self.record_target
        return self

    def __exit__(self, *_):
        timm_mixup.cutmix_bbox_and_lam, timm_mixup.mixup_target = self.bbox, self.target

    def record_box(self, *args, **kwargs):
        (y0, y1, x0, x1), weight = self.bbox(*args, **kwargs)
        self.boxes.append(((int(y0), int(x0), int(y1), int(x1)), weight))
        return (y0, y1, x0, x1), weight

    def record_target(self, target, classes, weight, *args):
        self.weight = weight
        return self.target(target, classes, weight, *args)

    def weights(self):
        weight = self.weight
        return np.full(ROWS, weight) if isinstance(weight, float) else weight.double().numpy().ravel()

    def boxes_of(self, weights, mode):
        """A box is of the next row (pair, or batch) whose lambda is the box's own."""
        if mode == "batch":
            return [self.boxes[0][0] if self.boxes else None] * ROWS
        result, waiting = [None] * ROWS, list(self.boxes)
        for i in range(ROWS // 2 if mode in ("pair", "half") else ROWS):
            if waiting and np.float32(waiting[0][1]) == np.float32(weights[i]):
                result[i] = waiting.pop(0)[0]
                if mode == "pair":
                    result[ROWS - 1 - i] = result[i]
        assert not waiting
        return result


def write_timm(out, name, mode, seed, collate=False, smoothing=0.1, **options):
    np.random.seed(seed)
    options = dict(mixup_alpha=0.0, cutmix_alpha=0.0) | options
    cls = timm_mixup.FastCollateMixup if collate else timm_mixup.Mixup
    mixer = cls(mode=mode, label_smoothing=smoothing, num_classes=CLASSES, **options)
    with Draws() as draws:
        if collate:
            pixels, labels = mixer(list(zip(images(), example_labels(ROWS, CLASSES).tolist())))
        else:
            pixels, labels = mixer(*float_batch())
    weights = draws.weights()
    boxes = draws.boxes_of(weights, mode)
    kept = len(pixels)
    write(out, f"timm-{name}", np.arange(ROWS)[::-1][:kept], weights[:kept], boxes[:kept], pixels, labels, smoothing)


def write_all_timm(out):
    blend, cut = dict(mixup_alpha=0.8), dict(cutmix_alpha=1.0)
    both = dict(mixup_alpha=0.8, cutmix_alpha=1.0)
    write_timm(out, "mixup-batch", "batch", 22, **blend)
    write_timm(out, "mixup-pair", "pair", 2, **blend)
    write_timm(out, "mixup-elem", "elem", 3, **blend)
    write_timm(out, "mixup-unsmoothed", "batch", 25, smoothing=0.0, **blend)
    write_timm(out, "mixup-some-elem", "elem", 5, prob=0.5, **blend)
    write_timm(out, "mixup-none-batch", "batch", 6, prob=0.0, **blend)
    write_timm(out, "cutmix-batch", "batch", 7, **cut)
    write_timm(out, "cutmix-pair", "pair", 8, **cut)
    write_timm(out, "cutmix-elem", "elem", 9, **cut)
    write_timm(out, "cutmix-uncorrected-elem", "elem", 10, correct_lam=False, **cut)
    write_timm(out, "cutmix-minmax-batch", "batch", 11, cutmix_minmax=(0.2, 0.8))
    write_timm(out, "switch-elem", "elem", 12, switch_prob=0.5, prob=0.8, **both)
    write_timm(out, "switch-pair", "pair", 13, switch_prob=0.5, **both)
    write_timm(out, "collate-mixup-batch", "batch", 26, collate=True, **blend)
    write_timm(out, "collate-mixup-pair", "pair", 15, collate=True, **blend)
    write_timm(out, "collate-mixup-elem", "elem", 16, collate=True, **blend)
    write_timm(out, "collate-mixup-half", "half", 17, collate=True, **blend)
    write_timm(out, "collate-cutmix-batch", "batch", 18, collate=True, **cut)
    write_timm(out, "collate-cutmix-pair", "pair", 19, collate=True, **cut)
    write_timm(out, "collate-switch-half", "half", 21, collate=True, switch_prob=0.5, **both)


# --- restated ---

def blend(partner, weight):
    weight = np.asarray(weight, np.float32).reshape(-1, 1, 1, 1)
    pixels = images().astype(np.float32)
    return weight * pixels + (1 - weight) * pixels[partner]


def blend_labels(partner, weight):
    weight = np.asarray(weight, np.float32).reshape(-1, 1)
    onehot = np.eye(CLASSES, dtype=np.float32)[example_labels(ROWS, CLASSES)]
    return weight * onehot + (1 - weight) * onehot[partner]


def write_blend(out, name, partner, weight):
    weight = np.broadcast_to(weight, ROWS)
    write(out, name, partner, weight, None, blend(partner, weight), blend_labels(partner, weight))


def write_clovaai(out, seed):
    random = np.random.RandomState(seed)
    weight, partner = random.beta(1.0, 1.0), random.permutation(ROWS)
    _, height, width = SHAPE
    cut_h, cut_w = int(height * np.sqrt(1 - weight)), int(width * np.sqrt(1 - weight))
    cy, cx = random.randint(height), random.randint(width)
    y0, y1 = np.clip([cy - cut_h // 2, cy + cut_h // 2], 0, height)
    x0, x1 = np.clip([cx - cut_w // 2, cx + cut_w // 2], 0, width)
    pixels = images().astype(np.float32)
    pixels[:, :, y0:y1, x0:x1] = pixels[partner][:, :, y0:y1, x0:x1]
    weight = np.full(ROWS, 1 - (y1 - y0) * (x1 - x0) / (height * width))
    write(out, f"clovaai-cutmix-{seed}", partner, weight, [(y0, x0, y1, x1)] * ROWS, pixels,
          blend_labels(partner, weight))


def write_label_preserving(out, seed, alpha=0.4):
    random = np.random.RandomState(seed)
    weight, partner = random.beta(alpha + 1, alpha, ROWS), random.permutation(ROWS)
    labels = np.eye(CLASSES)[example_labels(ROWS, CLASSES)]
    write(out, "label-preserving", partner, weight, None, blend(partner, weight), labels, targets="own")


def write_restated(out):
    random = np.random.RandomState(30)

    def floored(alpha, size=None):
        weight = random.beta(alpha, alpha, size)
        return np.maximum(weight, 1 - weight)

    write_blend(out, "facebook-mixup", random.permutation(ROWS), random.beta(1.0, 1.0))
    write_blend(out, "manifold-layer-0", random.permutation(ROWS), random.beta(2.0, 2.0))
    write_blend(out, "dsxiangli-mixup", random.permutation(ROWS), floored(0.5))
    write_blend(out, "ffcv-one-lambda", np.roll(np.arange(ROWS), 1), random.beta(0.4, 0.4))
    write_blend(out, "ffcv-lambda-a-row", np.roll(np.arange(ROWS), 1), random.beta(0.4, 0.4, ROWS))
    write_blend(out, "mixmatch-repo-mixup", np.arange(ROWS)[::-1], floored(0.75, ROWS))
    write_clovaai(out, 31)
    write_clovaai(out, 33)
    write_label_preserving(out, 32)


def main():
    require(numpy="2.4.6", torch="2.15.0", torchvision="0.29.2", timm="1.0.28")
    out = Writer("make_mixing_goldens.py")
    write_torchvision(out)
    write_all_timm(out)
    write_restated(out)


if __name__ == "__main__":
    main()
