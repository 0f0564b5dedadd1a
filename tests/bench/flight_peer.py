#!/usr/bin/env python3
"""Arrow Flight streaming a ready-made batch over loopback: the peer that the wire is compared with.

    flight_peer.py [--rows 64] [--type float32|uint8] [--seconds 3] [--rounds 3]

Server and client are two processes. Prints one JSON object: flight_images_per_second, the median of the
rounds. Needs pyarrow (PyPI).
"""
import argparse
import json
import multiprocessing
import statistics
import time

import numpy as np
import pyarrow as pa
import pyarrow.flight as flight

IMAGE_PIXELS, CLASSES = 3 * 32 * 32, 10


def ready_made_batch(rows, dtype):
    pixels = np.random.RandomState(0).randint(0, 256, rows * IMAGE_PIXELS).astype(dtype)
    targets = np.full(rows * CLASSES, 1 / CLASSES, np.float32)
    images = pa.FixedSizeListArray.from_arrays(pa.array(pixels), IMAGE_PIXELS)
    return pa.record_batch([images, pa.FixedSizeListArray.from_arrays(pa.array(targets), CLASSES)], ["pixels", "targets"])


def serve(rows, dtype, pipe):
    batch = ready_made_batch(rows, dtype)

    class Server(flight.FlightServerBase):
        def do_get(self, context, ticket):
            # A table of references to one batch: no Python in the server's loop.
            return flight.RecordBatchStream(pa.Table.from_batches([batch] * 1_000_000))

    server = Server("grpc://127.0.0.1:0")
    pipe.send(server.port)
    server.serve()


def measure(port, rows, seconds):
    client = flight.FlightClient(f"grpc://127.0.0.1:{port}")
    reader = client.do_get(flight.Ticket(b""))
    reader.read_chunk()
    started, batches = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        reader.read_chunk()
        batches += 1
    rate = batches * rows / (time.perf_counter() - started)
    reader.cancel()
    return rate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--type", choices=["float32", "uint8"], default="float32")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()

    mine, its = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(args.rows, args.type, its), daemon=True)
    server.start()
    port = mine.recv()
    rates = [measure(port, args.rows, args.seconds) for _ in range(args.rounds)]
    server.kill()
    print(json.dumps({"type": args.type, "rows": args.rows, "flight_images_per_second": round(statistics.median(rates))}))


if __name__ == "__main__":
    main()
