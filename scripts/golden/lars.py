"""Writes test/golden/lars.json: 1,000 steps of LARS in float64, from the formulas of You, Gitman, Ginsburg 2017 (1708.03888), algorithm 1.

    /usr/bin/python3 scripts/golden/lars.py

The form of the file is that of optimizers.py. The weight [2, 3] and the bias [2] of the bowl (bowl.py) are tensors with norms of their own.
"""

import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bowl import EVERY, SEED, SIZE, STEPS, draw, images_of  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
TENSORS = (slice(0, 6), slice(6, 8))
# Options of the optimizer and of the recipe, by their names in this project.
OPTIMIZERS = [
    {"optimizer": {"kind": "lars"}, "learningRate": 1},
    {"optimizer": {"kind": "lars", "momentum": 0, "weightDecay": 0, "trustCoefficient": 0.02}, "learningRate": 0.4},
    {"optimizer": {"kind": "lars", "momentum": 0.8, "weightDecay": 0.1, "trustCoefficient": 0.01}, "learningRate": 0.3},
    {"optimizer": {"kind": "lars", "momentum": 0.9, "weightDecay": 0.5}, "learningRate": 1, "accumulate": 2, "clipNorm": 0.4},
]


def trajectory(case, first, curvature, centre, noise):
    options = case["optimizer"]
    momentum, decay = options.get("momentum", 0.9), options.get("weightDecay", 0.0005)
    trust, rate = options.get("trustCoefficient", 0.001), case["learningRate"]
    w, v = first.copy(), np.zeros(SIZE)
    batches = case.get("accumulate", 1)
    kept, batch = [], 0
    for step in range(STEPS // batches):
        total, images = np.zeros(SIZE), 0
        for _ in range(batches):
            total += images_of(batch) * (curvature * (w - centre) + noise[batch])
            images += images_of(batch)
            batch += 1
        g = total / images
        if "clipNorm" in case:
            g *= min(1, case["clipNorm"] / (np.linalg.norm(g) + 1e-6))
        for place in TENSORS:
            w_norm, g_norm = np.linalg.norm(w[place]), np.linalg.norm(g[place])
            local_rate = trust * w_norm / (g_norm + decay * w_norm)
            v[place] = momentum * v[place] + rate * local_rate * (g[place] + decay * w[place])
            w[place] = w[place] - v[place]
        if step % EVERY == EVERY - 1:
            kept.append([float(x) for x in w])
    return kept


def main():
    first, curvature, centre, noise = draw()
    optimizers = [{**case, "weights": trajectory(case, first, curvature, centre, noise)} for case in OPTIMIZERS]
    golden = {"madeBy": f"scripts/golden/lars.py, numpy {np.__version__}", "seed": SEED, "optimizers": optimizers}
    (GOLDEN / "lars.json").write_text(json.dumps(golden) + "\n")
    for case in optimizers:
        print({k: v for k, v in case.items() if k != "weights"}, np.round(case["weights"][-1], 3))


if __name__ == "__main__":
    main()
