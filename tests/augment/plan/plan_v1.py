#!/usr/bin/env python3
"""Plan version 1, written a second time: prints the plans that plan_v1.txt holds.

    python3 plan_v1.py > plan_v1.txt

Nothing here is shared with the C++ code: Philox is written out from the paper's description, and
logarithms come from the C library (their last bit may differ from ours; lambda is rounded to
float32, which hides it). If the output changes, plans changed: kPlanVersion must change too.
"""

import math
import struct

# One line a feed: its spec, as key=value pairs; then the steps to print.
FEEDS = [
    # MixMatch over several epochs of a small labelled pool.
    (dict(seed=7, labelled=10, unlabelled=37, batch=4, rows="labelled_and_unlabelled", views=2),
     [0, 1, 2, 9, 1000003]),
    # The far end, and a seed that needs both key words.
    (dict(seed=0xFEDCBA9876543210, labelled=10, unlabelled=37, batch=4,
          rows="labelled_and_unlabelled", views=2), [2**48]),
    # mixup with a batch of more than two epochs.
    (dict(seed=1, labelled=5, batch=13, rows="labelled", views=1, alpha=1.0, beta=1.0,
          lambda_scope="per_batch", lambda_floor=0, labelled_sampling="tiled"), [0, 1, 77]),
    # A pool of one image; neighbours as partners; lambda from a skewed Beta.
    (dict(seed=2, labelled=1, batch=6, rows="labelled", views=1, alpha=1.2, beta=0.2,
          lambda_floor=0, pairing="rolled", labelled_sampling="tiled"), [5]),
    (dict(seed=3, labelled=250, unlabelled=49750, batch=5, rows="labelled_and_unlabelled", views=3,
          pad=0, flip=1.0, pairing="reversed", alpha=0.01, beta=0.01, lambda_floor=0,
          labelled_sampling="with_replacement", unlabelled_sampling="with_replacement"),
     [0, 12345]),
    (dict(seed=4, labelled=2000000, batch=6, rows="labelled", views=1, pad=64, flip=0.25,
          alpha=100.0, beta=3.0), [0, 999999]),
    # Nothing mixed.
    (dict(seed=4, labelled=50000, batch=4, rows="labelled", views=1, mix=0), [0, 12499, 12500]),
]

DEFAULTS = dict(unlabelled=0, flip=0.5, pad=4, labelled_sampling="epochs",
                unlabelled_sampling="epochs", mix=1, alpha=0.75, beta=0.75, lambda_scope="per_row",
                lambda_floor=1, pairing="permutation")

LABELLED_ORDER, UNLABELLED_ORDER, LABELLED_SAMPLE, UNLABELLED_SAMPLE = 1, 2, 3, 4
LABELLED_VIEW, UNLABELLED_VIEW, PAIRING, LAMBDA = 5, 6, 7, 8

MASK32 = 2**32 - 1
MASK64 = 2**64 - 1


def philox4x32_10(counter, key):
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK32, (p0 >> 32) ^ c3 ^ k1, p0 & MASK32
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return [c0, c1, c2, c3]


def words(seed, purpose, step, row=0, view=0):
    block = 0
    while True:
        counter = (step & MASK32, step >> 32, purpose << 24 | view << 16 | row, block)
        yield from philox4x32_10(counter, (seed & MASK32, seed >> 32))
        block += 1


def uint64(stream):
    high = next(stream)
    return high << 32 | next(stream)


def below(bound, stream):
    while True:
        product = next(stream) * bound
        if product & MASK32 >= 2**32 % bound:
            return product >> 32


def inside(stream):
    return ((uint64(stream) >> 12) + 0.5) / 2**52


def beta(a, b, stream):
    """Cheng 1978, algorithm BA."""
    scale = 1 / min(a, b) if min(a, b) <= 1 else math.sqrt((a + b - 2) / (2 * a * b - a - b))
    while True:
        u1, u2 = inside(stream), inside(stream)
        v = scale * math.log(u1 / (1 - u1))
        # log(b + a e^v), without overflow
        log_sum = math.log(b + a * math.exp(v)) if v < 0 else v + math.log(b * math.exp(-v) + a)
        r = (a + b) * (math.log(a + b) - log_sum) + (a + 1 / scale) * v - math.log(4)
        if r >= math.log(u1 * u1 * u2):
            return a * math.exp(v) / (b + a * math.exp(v)) if v < 0 else a / (b * math.exp(-v) + a)


class Permutation:
    def __init__(self, size, stream):
        self.size = size
        self.width = math.isqrt(size - 1) + 1
        self.width += self.width % 2
        self.height = -(-size // self.width)
        self.rounds = next(r for r in range(8, 41, 2) if self.height ** (r // 2) >= 2**20 or r == 40)
        self.keys = [(uint64(stream) | 1, uint64(stream)) for _ in range(self.rounds)]

    def hash(self, number, half, modulus):
        multiplier, summand = self.keys[number]
        mixed = (half * multiplier + summand) & MASK64
        mixed = (mixed ^ mixed >> 32) * 0x9E3779B97F4A7C15 & MASK64
        return (mixed >> 32) * modulus >> 32

    def __call__(self, index):
        value = index
        while True:
            y, x = divmod(value, self.width)
            for number in range(0, self.rounds, 2):
                x = (x + self.hash(number, y, self.width)) % self.width
                y = (y + self.hash(number + 1, x, self.height)) % self.height
            value = y * self.width + x
            if value < self.size:
                return value


def places(count, sampling, order_purpose, sample_purpose, spec, step):
    if sampling == "with_replacement":
        stream = words(spec["seed"], sample_purpose, step)
        return [below(count, stream) for _ in range(spec["batch"])]
    result = []
    for position in range(step * spec["batch"], (step + 1) * spec["batch"]):
        epoch, place = divmod(position, count)
        result.append(Permutation(count, words(spec["seed"], order_purpose, epoch))(place))
    return result


def view_row(spec, step, purpose, pool, sample, image, view):
    stream = words(spec["seed"], purpose, step, image, view)
    flip = int((uint64(stream) >> 11) / 2**53 < spec["flip"])
    crop_y = below(2 * spec["pad"] + 1, stream)
    crop_x = below(2 * spec["pad"] + 1, stream)
    return f"{pool} {sample} view {view} crop {crop_y} {crop_x} flip {flip}"


def partners(pairing, rows, seed, step):
    order = list(range(rows))
    if pairing == "reversed":
        return order[::-1]
    if pairing == "rolled":
        return [rows - 1] + order[:-1]
    stream = words(seed, PAIRING, step)
    for place in range(rows, 1, -1):
        other = below(place, stream)
        order[place - 1], order[other] = order[other], order[place - 1]
    return order


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def lambdas(spec, rows, step):
    def draw(row):
        value = beta(spec["alpha"], spec["beta"], words(spec["seed"], LAMBDA, step, row))
        return float32(max(value, 1 - value) if spec["lambda_floor"] else value)

    if spec["lambda_scope"] == "per_batch":
        return [draw(0)] * rows
    return [draw(row) for row in range(rows)]


def print_plan(spec, step):
    # Labelled samples are numbered from 0, unlabelled ones after them.
    rows = []
    for i, place in enumerate(places(spec["labelled"], spec["labelled_sampling"], LABELLED_ORDER,
                                     LABELLED_SAMPLE, spec, step)):
        rows.append(view_row(spec, step, LABELLED_VIEW, "labelled", place, i, 0))
    if spec["rows"] == "labelled_and_unlabelled":
        drawn = places(spec["unlabelled"], spec["unlabelled_sampling"], UNLABELLED_ORDER,
                       UNLABELLED_SAMPLE, spec, step)
        for k in range(spec["views"]):
            for i, place in enumerate(drawn):
                rows.append(view_row(spec, step, UNLABELLED_VIEW, "unlabelled",
                                     spec["labelled"] + place, i, k))
    partner, weight = list(range(len(rows))), [1.0] * len(rows)
    if spec["mix"]:
        partner = partners(spec["pairing"], len(rows), spec["seed"], step)
        weight = lambdas(spec, len(rows), step)
    print(f"step {step}")
    for row, p, w in zip(rows, partner, weight):
        print(f"{row} partner {p} lambda {w:.9g}")


def main():
    print("# Plans of plan version 1, made by plan_v1.py. Not to be edited.")
    for given, steps in FEEDS:
        spec = DEFAULTS | given
        print("feed " + " ".join(f"{key}={value}" for key, value in spec.items()))
        for step in steps:
            print_plan(spec, step)


main()
