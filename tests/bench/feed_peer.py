#!/usr/bin/env python3
"""For loaders.py: `for batch in feed`, of a server at --server on the same cores. Images are views of the buffer that a
batch came in, [B, 3, 32, 32]."""
import os
import sys

import mixfeed

import peer


def batches(feed):
    for batch in feed:
        yield batch.images, batch.targets


def main():
    options = peer.parse(__doc__)
    feed = mixfeed.connect(os.environ["MIXFEED_SERVER"]).open("mixup", labels="all", batch=options.batch)
    peer.serve(batches(feed), options.batch, name="for batch in feed", to_numpy=lambda array: array)


if __name__ == "__main__":
    sys.exit(main())
