#!/usr/bin/env python3
"""Counts includes that the layering forbids; there must be none.

augment knows no gRPC and no protobuf; augment <- server; proto <- {server, client};
augment/{base,pool,render,target,weights} <- client, augment/recipe <- client/spec, which knows the recipes' fields, and
augment/{recipe,plan,figure} <- client/look and client/cli, whose figures need no server, and the networks of augment/guess
<- client/train.
Within augment a folder includes those before it (ALLOWED).
gRPC headers only in .cc files of server and client, and in the frame codec, and not in server/core,
server/engine and server/store; LibTorch only in augment/guess/*.cc and client/train; CUDA only in augment/render/cuda*.
Tests may include what they test.

    check_includes.py [--self-test]
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
OWN = re.compile(r"^(augment|server|client|proto|mixfeed|tests)/")


def augment(*folders):
    return [f"augment/{folder}/" for folder in folders]


# What a file under a folder may include of the project's own; the longest match counts.
ALLOWED = {
    "augment/base": augment("base"),
    "augment/pool": augment("base", "pool"),
    "augment/recipe": augment("base", "pool", "recipe"),
    "augment/neighbour": augment("base", "pool", "neighbour"),
    "augment/plan": augment("base", "pool", "recipe", "neighbour", "plan"),
    "augment/render": augment("base", "pool", "render"),
    "augment/target": augment("base", "target"),
    "augment/figure": augment("base", "pool", "recipe", "neighbour", "plan", "target", "figure"),
    "augment/weights": augment("base", "weights"),
    "augment/guess": augment("base", "pool", "recipe", "render", "target", "weights", "guess"),
    "augment/batch": ["augment/"],
    "proto": ["proto/", "mixfeed/"],
    "server": ["augment/", "proto/", "mixfeed/", "grpc/health/", "server/"],
    "server/core": ["augment/", "mixfeed/", "proto/", "server/core/", "server/engine/", "server/kserve/",
                    "server/store/", "server/options.h", "server/device_name.h"],
    "server/kserve": ["augment/", "server/kserve/"],
    "server/store": ["augment/", "server/store/", "server/core/model_store.h"],
    "server/engine": ["augment/", "server/engine/"],
    "client": ["client/", "proto/", "mixfeed/", *augment("base", "pool", "render", "target", "weights")],
    "client/spec": ["client/spec/", "mixfeed/", *augment("base", "pool", "recipe")],
    "client/python": ["client/", "mixfeed/", *augment("base", "pool", "recipe", "render", "figure")],
    "client/look": ["client/look/", "client/spec/", "client/feed_client.h", "mixfeed/",
                    *augment("base", "pool", "recipe", "plan", "target", "figure")],
    "client/cli": ["client/", "proto/", "mixfeed/",
                   *augment("base", "pool", "recipe", "plan", "render", "target", "figure", "weights")],
    "client/train": ["client/", "mixfeed/", *augment("base", "pool", "recipe", "render", "figure", "weights"),
                     "augment/guess/residual_network.h", "augment/guess/torch_"],
}


def may_use_grpc(path):
    return path.startswith("proto/frame/") or (
        path.startswith(("server/", "client/")) and not path.startswith(("server/core/", "server/engine/", "server/store/"))
        and path.endswith(".cc"))


def violations(path, include):
    folder = max((f for f in ALLOWED if path.startswith(f + "/")), key=len, default=None)
    if folder is None:
        yield "a folder that ALLOWED does not know"
    elif OWN.match(include) and not include.startswith(tuple(ALLOWED[folder])):
        yield f"{folder} may not include {include}"
    if GRPC.search(include) and not may_use_grpc(path):
        yield f"gRPC header {include}"
    if PROTOBUF.search(include) and path.startswith(("augment/", "server/engine/")):
        yield f"protobuf header {include}"
    if TORCH.search(include) and not (re.match(r"augment/guess/[^/]*\.cc$", path) or path.startswith("client/train/")):
        yield f"LibTorch header {include}"
    if CUDA.search(include) and not path.startswith("augment/render/cuda"):
        yield f"CUDA header {include}"


def self_test():
    forbidden = [
        ("augment/plan/planner.cc", "augment/guess/guesser.h"),
        ("augment/guess/guess_model.h", "torch/script.h"),
        ("augment/batch/batch.cc", "google/protobuf/message.h"),
        ("augment/new/thing.cc", "vector"),
        ("server/core/core.cc", "grpcpp/grpcpp.h"),
        ("server/core/core.cc", "server/rpc/parse.h"),
        ("server/server.h", "grpcpp/server.h"),
        ("server/store/redis_client.cc", "grpcpp/grpcpp.h"),
        ("server/store/redis_client.cc", "server/core/core.h"),
        ("server/engine/stream.cc", "mixfeed/v1/feed.pb.h"),
        ("server/core/device.cc", "cuda_runtime.h"),
        ("client/feed_client.cc", "server/options.h"),
        ("client/feed_client.cc", "augment/plan/plan.h"),
        ("client/feed_client.cc", "augment/figure/chart.h"),
        ("client/cli/peek.cc", "augment/batch/batch.h"),
        ("client/cli/peek.cc", "augment/guess/residual_network.h"),
        ("client/train/learner.cc", "augment/guess/journal.h"),
    ]
    missed = [case for case in forbidden if not list(violations(*case))]
    assert not missed, missed
    fine = [("server/rpc/parse.cc", "grpcpp/grpcpp.h"), ("augment/guess/network.cc", "ATen/ATen.h"),
            ("augment/render/cuda_renderer.cu", "cuda_runtime.h"), ("client/channel.cc", "augment/base/mutex.h"),
            ("client/cli/lambda.cc", "augment/figure/chart.h"), ("client/train/learner.cc", "torch/script.h"),
            ("client/train/learner.cc", "augment/guess/residual_network.h")]
    wrong = [case for case in fine if list(violations(*case))]
    assert not wrong, wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    files = subprocess.run(["git", "ls-files", "augment", "server", "client", "proto"], capture_output=True,
                           text=True, check=True).stdout.split()
    sources = [f for f in files if f.endswith((".h", ".cc", ".cu", ".cuh"))]
    found = [f"{path}: {why}" for path in sources
             for include in INCLUDE.findall(pathlib.Path(path).read_text()) for why in violations(path, include)]
    print("\n".join(found) if found else f"check_includes: {len(sources)} files, no forbidden include")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
