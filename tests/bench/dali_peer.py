#!/usr/bin/env python3
"""For loaders.py: an NVIDIA DALI pipeline on the CPU alone (device_id=None), a thread a core, 4 batches ahead.

An external source gathers the batch's images, padded once, and draws its lambda; crop_mirror_normalize crops, mirrors
and normalises, permute_batch gives the partners. Images are [B, 3, 32, 32], a view of the pipeline's own memory.
"""
import sys

import peer

try:
    import numpy as np
    import nvidia.dali as dali
    from nvidia.dali import fn, types
except ImportError as error:
    peer.missing(error)
    sys.exit()


def source(options):
    """Endless (images, targets, lambda) of a batch; each pass gives every image once."""
    images, labels = peer.read_images(options.data)
    padded = np.ascontiguousarray(peer.padded_with_black(images).transpose(0, 2, 3, 1))
    targets = np.eye(peer.CLASSES, dtype=np.float32)[labels]
    random = np.random.default_rng(1)
    while True:
        order = random.permutation(len(labels))
        for begin in range(0, len(order) - options.batch + 1, options.batch):
            chosen = order[begin:begin + options.batch]
            lam = np.full(options.batch, random.beta(peer.ALPHA, peer.ALPHA), np.float32)
            yield padded[chosen], targets[chosen], lam


def pipeline(options):
    @dali.pipeline_def(batch_size=options.batch, num_threads=options.threads, device_id=None, prefetch_queue_depth=4,
                       seed=1)
    def define():
        images, targets, lam = fn.external_source(source(options), num_outputs=3, batch=True, no_copy=True,
                                                  layout=["HWC", "", ""])
        images = fn.crop_mirror_normalize(
            images, crop=(peer.SIDE, peer.SIDE), crop_pos_x=fn.random.uniform(range=(0, 1)),
            crop_pos_y=fn.random.uniform(range=(0, 1)), mirror=fn.random.coin_flip(), mean=[127.5] * 3,
            std=[127.5] * 3, dtype=types.FLOAT, output_layout="CHW")
        order = fn.batch_permutation()
        partners, other = (fn.permute_batch(rows, indices=order) for rows in (images, targets))
        return lam * images + (1 - lam) * partners, lam * targets + (1 - lam) * other

    made = define()
    made.build()
    return made


def batches(made):
    while True:
        yield tuple(output.as_tensor() for output in made.run())


def main():
    options = peer.parse(__doc__)
    peer.serve(batches(pipeline(options)), options.batch, to_numpy=np.asarray,
               name=f"DALI {dali.__version__}, {options.threads} threads")


if __name__ == "__main__":
    sys.exit(main())
