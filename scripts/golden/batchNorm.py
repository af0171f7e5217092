"""Writes test/golden/batchNorm.json: batch normalization by torch.nn.BatchNorm2d in float64, in training and at evaluation.

    /usr/bin/python3 scripts/golden/batchNorm.py

Inputs are words of the project's generator, rounded to 1/64, so that bf16 holds them exactly.
"""

import json
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from threefry import stream, uniform  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
CASES = [
    ((4, 3, 5, 4), {"eps": 1e-5, "momentum": 0.1, "affine": True}),
    ((2, 8, 3, 3), {"eps": 1e-2, "momentum": 0.25, "affine": True}),
    ((3, 17, 2, 3), {"eps": 1e-5, "momentum": 1.0, "affine": False}),
]


def draw(purpose, count, low, high):
    return [round(float(x) * 64) / 64 for x in uniform(stream(1, purpose), 0, count, low, high)]


def tensor(values, shape):
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def case(shape, options):
    channels = shape[1]
    count = shape[0] * channels * shape[2] * shape[3]
    layer = torch.nn.BatchNorm2d(channels, **options).double()
    tensors = {"running_mean": draw("mean", channels, -1, 1), "running_var": draw("variance", channels, 0.5, 2)}
    if options["affine"]:
        tensors |= {"weight": draw("weight", channels, 0.25, 1), "bias": draw("bias", channels, -1, 1)}
    layer.load_state_dict({name: torch.tensor(values) for name, values in tensors.items()}, strict=False)
    x = tensor(draw("input", count, -1, 1), shape).requires_grad_()
    gradient = draw("gradient", count, -1, 1)
    output = layer(x)
    output.backward(tensor(gradient, shape))
    flat = lambda values: values.detach().flatten().tolist()  # noqa: E731
    layer.eval()
    return {
        "options": options, "shape": shape, "input": flat(x), "outputGradient": gradient, "tensors": tensors,
        "training": {
            "output": flat(output), "inputGradient": flat(x.grad),
            "gradients": {name: flat(parameter.grad) for name, parameter in layer.named_parameters()},
            "statistics": {name: flat(getattr(layer, name)) for name in ("running_mean", "running_var")},
        },
        "evaluation": flat(layer(x)),
    }


golden = {"madeBy": f"scripts/golden/batchNorm.py, torch {torch.__version__}", "cases": [case(*one) for one in CASES]}
(GOLDEN / "batchNorm.json").write_text(json.dumps(golden) + "\n")
