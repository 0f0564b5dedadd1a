#!/usr/bin/env python3
"""Writes warp.txt: what fastai v1's get_transforms do to geometry and light for given draws.

Usage: make_warp_goldens.py > warp.txt
       (NumPy 2.4.6, torch 2.15.0, fastai 1.0.61 with its own requirements and setuptools < 80)

fastai's own symmetric_warp, rotate, zoom, brightness, contrast and flip_lr are run through
Image.apply_tfms, in the order it gives them: warp, then the affine map rotate @ zoom on the warped grid,
one resampling (bilinear, corners aligned, borders reflected), light on logits, mirror. Its torch.solve is
gone from today's torch and NumPy's old aliases from today's NumPy; both are put back below. The format is
that of golden_format.py.

case warp NAME: `height`, `width`; the draws: `degrees`, `scale`, `row_pct`, `col_pct` (the point that is
zoomed at), `magnitude` (the four of symmetric_warp; 0 0 0 0: not warped), `flip`; then `map`: eight numbers
m such that pixel (x, y) of the outcome shows the image at
  ((m0 x + m1 y + m2) / d, (m3 x + m4 y + m5) / d), d = m6 x + m7 y + 1,
in pixels counted from the centre of the first one, the mirror composed into it. They are computed in
float64 and were checked to agree with the grid that fastai makes in float32. Small cases have `pixels` too:
the outcome for the example image, raw levels, [C H W] to 7 digits, and `channels`.

case tone NAME: `change` and `scale`, the arguments of brightness and contrast (absent: not applied);
`curve`: what the levels 0..255 become, in 0..1.
"""

import math
import warnings

import numpy as np
import torch
from golden_format import Writer, example_images, require

warnings.simplefilter("ignore")
for alias, kind in dict(object=object, int=int, float=float).items():
    setattr(np, alias, kind)
import fastai.vision.transform as fastai  # noqa: E402
from fastai.vision.image import Image, _affine_grid, _affine_mult  # noqa: E402

fastai._solve_func = lambda b, a: (torch.linalg.solve(a, b),)

CORNERS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float64)


def homography(magnitude):
    """Takes the corners moved outwards by the magnitudes back to the corners. fastai: _symmetric_warp."""
    m = magnitude
    moved = CORNERS + [[-m[3], -m[1]], [-m[2], m[1]], [m[3], -m[0]], [m[2], m[0]]]
    rows, right = [], []
    for (x, y), (u, v) in zip(moved, CORNERS):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(rows, right), 1).reshape(3, 3)


def affine(degrees, scale, row_pct, col_pct, height, width):
    """rotate @ zoom on coordinates of -1..1, whose axes differ in length by width / height."""
    angle = math.radians(degrees)
    rotate = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    shift = 1 - 1 / scale
    zoom = np.array([[1 / scale, 0, shift * (2 * col_pct - 1)], [0, 1 / scale, shift * (2 * row_pct - 1)], [0, 0, 1]])
    product = rotate @ zoom
    product[0, 1] *= height / width
    product[1, 0] *= width / height
    return product


def pixel_map(draws, height, width):
    to_unit = np.array([[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1], [0, 0, 1]])
    unit = affine(draws["degrees"], draws["scale"], draws["row_pct"], draws["col_pct"], height, width)
    unit = unit @ homography(draws["magnitude"])
    mirror = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]]) if draws["flip"] else np.eye(3)
    whole = np.linalg.inv(to_unit) @ unit @ to_unit @ mirror
    return whole / whole[2, 2]


def fastai_transforms(draws):
    fixed = dict(is_random=False)
    tfms = []
    if any(draws["magnitude"]):
        tfms.append(fastai.symmetric_warp(magnitude=torch.tensor(draws["magnitude"]), **fixed))
    tfms.append(fastai.rotate(degrees=draws["degrees"], **fixed))
    tfms.append(fastai.zoom(scale=draws["scale"], row_pct=draws["row_pct"], col_pct=draws["col_pct"], **fixed))
    if draws["flip"]:
        tfms.append(fastai.flip_lr(**fixed))
    return tfms


def apply(tfms, pixels):
    """Image.apply_tfms on levels of 0..255."""
    image = Image(torch.from_numpy(pixels.astype(np.float32)) / 255)
    return image.apply_tfms(tfms, do_resolve=True).px.numpy()


def check_grid(draws, height, width, map3):
    """The map, on every pixel, against the sampling grid that fastai makes (before the mirror)."""
    image = Image(torch.zeros(1, height, width))
    for tfm in fastai_transforms(draws | dict(flip=False)):
        tfm.resolve()
        image = tfm(image)
    unit = image.flow.flow.numpy()[0].astype(np.float64)
    size = np.array([width - 1, height - 1])
    theirs = (unit + 1) / 2 * size
    y, x = np.mgrid[:height, :width].astype(np.float64)
    mirrored = width - 1 - x if draws["flip"] else x
    ours = np.einsum("ij,jhw->hwi", map3, np.stack([mirrored, y, np.ones_like(x)]))
    assert np.abs(ours[..., :2] / ours[..., 2:] - theirs).max() < 2e-5 * max(height, width)


def write_warp(out, name, height, width, channels=0, **given):
    draws = dict(degrees=0.0, scale=1.0, row_pct=0.5, col_pct=0.5, magnitude=[0.0] * 4, flip=False) | given
    map3 = pixel_map(draws, height, width)
    check_grid(draws, height, width, map3)
    out.case("warp", f"{name}-{height}x{width}")
    out.field("height", height)
    out.field("width", width)
    for key in ("degrees", "scale", "row_pct", "col_pct"):
        out.field(key, draws[key])
    out.field("magnitude", draws["magnitude"])
    out.field("flip", int(draws["flip"]))
    out.field("map", map3.ravel()[:8], digits=17)
    if channels:
        image = example_images(1, channels, height, width)[0]
        out.field("channels", channels)
        out.field("pixels", apply(fastai_transforms(draws), image) * 255, digits=7)


def write_warps(out):
    magnitude = [0.2, -0.1, 0.05, 0.15]
    warps = {
        "identity": {},
        "mirror": dict(flip=True),
        "rotated": dict(degrees=10.0),
        "rotated-back": dict(degrees=-7.5),
        "zoomed": dict(scale=1.1, row_pct=0.2, col_pct=0.9),
        "zoomed-at-a-corner": dict(scale=1.1, row_pct=0.0, col_pct=1.0),
        "warped": dict(magnitude=magnitude),
        "warped-inwards": dict(magnitude=[-0.2] * 4),
        "all": dict(degrees=6.25, scale=1.05, row_pct=0.7, col_pct=0.1, magnitude=magnitude),
        "all-mirrored": dict(degrees=-9.0, scale=1.08, row_pct=0.3, col_pct=0.6, magnitude=magnitude, flip=True),
    }
    for name, draws in warps.items():
        for height, width in ((32, 32), (28, 20)):
            write_warp(out, name, height, width, **draws)
        write_warp(out, name, 9, 12, channels=1 if name != "all" else 3, **draws)


def write_tones(out):
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    tones = [(0.4, None), (0.6, None), (None, 0.8), (None, 1.25), (0.45, 1.1), (0.58, 0.85), (0.5, 1.0)]
    for change, scale in tones:
        tfms = []
        out.case("tone", f"brightness-{change or 'off'}-contrast-{scale or 'off'}")
        if change is not None:
            tfms.append(fastai.brightness(change=change, is_random=False))
            out.field("change", change)
        if scale is not None:
            tfms.append(fastai.contrast(scale=scale, is_random=False))
            out.field("scale", scale)
        out.field("curve", apply(tfms, levels).reshape(16, 16))


def main():
    require(numpy="2.4.6", torch="2.15.0", fastai="1.0.61")
    out = Writer("make_warp_goldens.py")
    write_warps(out)
    write_tones(out)


if __name__ == "__main__":
    main()
