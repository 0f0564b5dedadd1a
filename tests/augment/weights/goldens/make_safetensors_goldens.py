#!/usr/bin/env python3
"""Writes weights.safetensors and weights_with_metadata.safetensors, for state_dict_test.cc, with the form's authors'
library.

    make_safetensors_goldens.py FOLDER

Needs safetensors (0.8.0 wrote these files) and no NumPy. The values are packed here, so that the library only says where
they stand.
"""
import ctypes
import pathlib
import struct
import sys

import safetensors


def bfloat16(*values):
    return b"".join(struct.pack("<f", value)[2:] for value in values)


TENSORS = {
    "conv.weight": ("float32", [2, 1, 1, 2], struct.pack("<4f", 0.1, -2.5, 1e-45, 3.4028234663852886e38)),
    "bn.running_mean": ("float64", [2], struct.pack("<2d", 1 / 3, -1e300)),
    "bn.num_batches_tracked": ("int64", [], struct.pack("<q", -(2**40) - 1)),
    "head.bias": ("float16", [3], struct.pack("<3e", 1, -2.5, 65504)),
    "head.weight": ("bfloat16", [1, 3], bfloat16(1, -2.5, 3.3895313892515355e38)),
    "nothing": ("float32", [0, 3], b""),
    'gr\u00f6\u00dfe "1"\\\n\x01\x7f': ("float32", [1], struct.pack("<f", 7)),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    buffers = {name: ctypes.create_string_buffer(data, max(len(data), 1)) for name, (_, _, data) in TENSORS.items()}
    specs = {name: safetensors.TensorSpec(dtype=dtype, shape=shape, data_ptr=ctypes.addressof(buffers[name]),
                                          data_len=len(data))
             for name, (dtype, shape, data) in TENSORS.items()}
    (folder / "weights.safetensors").write_bytes(safetensors.serialize(specs, None))
    (folder / "weights_with_metadata.safetensors").write_bytes(
        safetensors.serialize(specs, {"format": "pt"}))


if __name__ == "__main__":
    main()
