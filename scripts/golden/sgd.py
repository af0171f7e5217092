"""Writes test/golden/sgd.json: 1,000 scalar steps of SGD with momentum and weight decay, in both forms, in float64.

    /usr/bin/python3 scripts/golden/sgd.py

PyTorch's form is torch.optim.SGD itself: v ← m v + g + λ w; w ← w − ε v.
The paper's (Krizhevsky et al. 2012, §5) is written out: v ← m v − λ ε w − ε g; w ← w + v. The velocity includes the learning rate
of its steps, so the two differ once ε changes. The gradient of step i is word i of the project's generator.
"""

import json
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from threefry import stream, uniform  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
STEPS = 1000
MOMENTUM = 0.9
WEIGHT_DECAY = 0.0005
FIRST = 0.25
# Small, so that the weight stays near 1/4, where 1,000 roundings to f32 add up to less than 1e-6.
BOUND = 2**-7
# [first step, learning rate]
RATES = [[0, 0.01], [250, 0.1], [400, 0.001], [600, 0.05], [850, 0.005]]


def rate(step):
    return [value for start, value in RATES if start <= step][-1]


def pytorch_form(gradients):
    weight = torch.nn.Parameter(torch.tensor([FIRST], dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=rate(0), momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    weights = []
    for step, gradient in enumerate(gradients):
        optimizer.param_groups[0]["lr"] = rate(step)
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        weights.append(weight.item())
    return weights


def paper_form(gradients):
    weight, velocity, weights = FIRST, 0.0, []
    for step, gradient in enumerate(gradients):
        velocity = MOMENTUM * velocity - WEIGHT_DECAY * rate(step) * weight - rate(step) * gradient
        weight = weight + velocity
        weights.append(weight)
    return weights


def main():
    gradients = [float(g) for g in uniform(stream(1, "sgd"), 0, STEPS, -BOUND, BOUND)]
    golden = {
        "madeBy": f"scripts/golden/sgd.py, torch {torch.__version__}", "seed": 1, "gradientBound": BOUND, "first": FIRST,
        "momentum": MOMENTUM, "weightDecay": WEIGHT_DECAY, "learningRates": RATES,
        "pytorch": pytorch_form(gradients), "paper": paper_form(gradients),
    }
    (GOLDEN / "sgd.json").write_text(json.dumps(golden) + "\n")
    print(min(golden["paper"]), max(golden["paper"]), min(golden["pytorch"]), max(golden["pytorch"]))
    print(max(abs(a - b) for a, b in zip(golden["paper"], golden["pytorch"])))


if __name__ == "__main__":
    main()
