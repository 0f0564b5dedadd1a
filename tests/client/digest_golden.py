#!/usr/bin/env python3
"""Writes the bytes that ReceivedBatch::Digest hashes (client/feed_client.h) of the fake server's
batch of step 7 (tests/client/fake_server.cc), for xxHash's own program:

    python3 tests/client/digest_golden.py | xxhsum -H3
"""
import struct
import sys

STEP, ROWS, PIXELS = 7, 3, 12
LABELLED, UNLABELLED = 1, 2

out = struct.pack("<Q", STEP)
for per_row in [range(ROWS), range(100, 100 + ROWS), [LABELLED, LABELLED, UNLABELLED], [0] * ROWS,
                reversed(range(ROWS))]:
    out += struct.pack(f"<{ROWS}I", *per_row)
out += struct.pack(f"<{ROWS}f", *[0.75] * ROWS)
out += bytes((STEP * 31 + p) % 256 for p in range(PIXELS))
out += struct.pack("<12f", *[0.125, 0.125, 0.625, 0.125] * ROWS)
sys.stdout.buffer.write(out)
