#!/usr/bin/env python3
"""Counts includes that the layering forbids; there must be none.

augment knows no gRPC and no protobuf; augment <- server; proto <- {server, client};
augment/{base,pool,render,target} <- client. gRPC headers only in .cc files of server and client, and in
the frame codec; LibTorch only in augment/guess/*.cc and client/train; CUDA only in
augment/render/cuda*. Tests may include what they test.
"""
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
GRPC = re.compile(r"^grpc(pp)?/|\.grpc\.pb\.h$")
PROTOBUF = re.compile(r"^google/protobuf/|\.pb\.h$")
TORCH = re.compile(r"^(torch|ATen|c10)/")
CUDA = re.compile(r"^cuda|^cub/|^thrust/|_runtime_api\.h$")

# What a file under the first folder may include of the project's own; the longest match counts.
ALLOWED = {
    "augment": ["augment/"],
    "proto": ["proto/", "mixfeed/"],
    "server": ["augment/", "proto/", "mixfeed/", "server/"],
    "server/engine": ["augment/", "server/engine/"],
    "client": ["client/", "proto/", "mixfeed/", "augment/base/", "augment/pool/", "augment/render/", "augment/target/"],
}
OWN = re.compile(r"^(augment|server|client|proto|mixfeed|tests)/")


def may_use_grpc(path):
    return path.startswith("proto/frame/") or (
        path.startswith(("server/", "client/")) and not path.startswith("server/engine/") and path.endswith(".cc"))


def violations(path, include):
    folder = max((f for f in ALLOWED if path.startswith(f + "/")), key=len)
    if OWN.match(include) and not include.startswith(tuple(ALLOWED[folder])):
        yield f"{folder} may not include {include}"
    if GRPC.search(include) and not may_use_grpc(path):
        yield f"gRPC header {include}"
    if PROTOBUF.search(include) and path.startswith(("augment/", "server/engine/")):
        yield f"protobuf header {include}"
    if TORCH.search(include) and not (re.match(r"augment/guess/[^/]*\.cc$", path) or path.startswith("client/train/")):
        yield f"LibTorch header {include}"
    if CUDA.search(include) and not path.startswith("augment/render/cuda"):
        yield f"CUDA header {include}"


def main():
    files = subprocess.run(["git", "ls-files", "augment", "server", "client", "proto"], capture_output=True,
                           text=True, check=True).stdout.split()
    sources = [f for f in files if f.endswith((".h", ".cc", ".cu", ".cuh"))]
    found = [f"{path}: {why}" for path in sources
             for include in INCLUDE.findall(pathlib.Path(path).read_text()) for why in violations(path, include)]
    print("\n".join(found) if found else f"check_includes: {len(sources)} files, no forbidden include")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
