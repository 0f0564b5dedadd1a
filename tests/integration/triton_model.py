"""The network of tests/augment/guess/archives.h, LinearNetwork, for Triton's Python backend, by numpy.

Its numbers are in network.json beside this file: per channel the batch norm's gamma, beta, mean and var, then the last
layer's weight and bias.
"""
import json
import pathlib

import numpy as np
import triton_python_backend_utils as triton

EPSILON = 1e-5


class TritonPythonModel:
    def initialize(self, args):
        path = pathlib.Path(args["model_repository"]) / args["model_version"] / "network.json"
        self.network = {name: np.array(values) for name, values in json.loads(path.read_text()).items()}

    def execute(self, requests):
        return [self.respond(request) for request in requests]

    def respond(self, request):
        views = triton.get_input_tensor_by_name(request, "views").as_numpy().astype(np.float64)
        net = self.network
        normalised = (views.mean((2, 3)) - net["mean"]) / np.sqrt(net["var"] + EPSILON) * net["gamma"] + net["beta"]
        logits = normalised @ net["weight"].reshape(-1, views.shape[1]).T + net["bias"]
        return triton.InferenceResponse([triton.Tensor("logits", logits.astype(np.float32))])
