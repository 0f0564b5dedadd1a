#!/usr/bin/env python3
"""For loaders.py: tf.data, in the training process or as tf.data service, whose dispatcher and worker are another
process on the same cores.

    FixedLengthRecordDataset -> cache -> shuffle(50,000) -> repeat -> batch -> map, AUTOTUNE, any order -> prefetch

The map makes a whole batch by vectorised operations in a graph: one gather of rows and one of columns crop, and mirror
by turning the columns round. Images are NHWC, TensorFlow's own order. The service shards nothing and does not compress.
"""
import os
import subprocess
import sys

import peer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import tensorflow as tf
except ImportError as error:
    peer.missing(error)
    sys.exit()


def mixed_views(records):
    """string [B] -> float32 [B, 32, 32, 3], [B, 10]."""
    rows = tf.shape(records)[0]
    bytes_ = tf.ensure_shape(tf.io.decode_raw(records, tf.uint8, fixed_length=peer.RECORD), [None, peer.RECORD])
    images = tf.transpose(tf.reshape(bytes_[:, 1:], [-1, 3, peer.SIDE, peer.SIDE]), [0, 2, 3, 1])
    images = tf.pad(images, [[0, 0], [peer.PAD, peer.PAD], [peer.PAD, peer.PAD], [0, 0]])
    corner = tf.random.uniform([2, rows, 1], 0, 2 * peer.PAD + 1, tf.int32)
    forward = tf.range(peer.SIDE)[None]
    flipped = tf.random.uniform([rows, 1]) < 0.5
    columns = corner[1] + tf.where(flipped, peer.SIDE - 1 - forward, forward)
    images = tf.gather(images, corner[0] + forward, axis=1, batch_dims=1)
    images = tf.gather(images, columns, axis=2, batch_dims=1)
    images = tf.cast(images, tf.float32) * (2 / 255) - 1
    targets = tf.one_hot(tf.cast(bytes_[:, 0], tf.int32), peer.CLASSES)
    lam = tf.random.uniform([])  # Beta(1, 1)
    order = tf.random.shuffle(tf.range(rows))
    return (lam * images + (1 - lam) * tf.gather(images, order),
            lam * targets + (1 - lam) * tf.gather(targets, order))


def dataset(options):
    records = tf.data.FixedLengthRecordDataset(peer.training_files(options.data), peer.RECORD)
    made = records.cache().shuffle(50_000).repeat().batch(options.batch, drop_remainder=True)
    made = made.map(mixed_views, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
    return made.prefetch(tf.data.AUTOTUNE)


def run_service():
    """The process of the service: says its address, and ends with its standard input."""
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer(service.DispatcherConfig(port=0))
    address = dispatcher.target.partition("://")[2]
    worker = service.WorkerServer(service.WorkerConfig(dispatcher_address=address))
    print(dispatcher.target, flush=True)
    sys.stdin.read()
    del worker


def serve(made, options, name):
    peer.serve(iter(made), options.batch, name=f"TensorFlow {tf.__version__}, {name}",
               to_numpy=lambda tensor: tensor.numpy())


def main():
    form = sys.argv.pop(1)
    if form == "run-service":
        return run_service()
    options = peer.parse(__doc__)
    if form == "in-process":
        return serve(dataset(options), options, "tf.data in the process")
    with subprocess.Popen([sys.executable, __file__, "run-service"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        address = process.stdout.readline().strip()
        distribute = tf.data.experimental.service.distribute(
            processing_mode=tf.data.experimental.service.ShardingPolicy.OFF, service=address, compression=None)
        serve(dataset(options).apply(distribute).prefetch(tf.data.AUTOTUNE), options, "tf.data service")
        process.stdin.close()


if __name__ == "__main__":
    sys.exit(main())
