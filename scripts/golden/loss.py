"""Writes test/golden/loss.json: softmax cross-entropy and its gradient with respect to the logits, by torch.nn.CrossEntropyLoss, in float64.

    /usr/bin/python3 scripts/golden/loss.py

Labels: with label smoothing, class weights, and mixed in pairs as in the program of Zhang et al. 2018, lambda * loss(a) + (1 - lambda) * loss(b).
Distributions over the classes: soft targets, with weights and label smoothing. Logits are multiples of 1/16 below 4, exact in bf16.
"""

import json
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from threefry import stream, uniform, words  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
SEED, BATCH, CLASSES, LAMBDA = 1, 6, 7, 0.3
PARTNERS = [3, 0, 2, 5, 1, 4]


def evaluate(logits, loss):
    leaf = torch.tensor(logits, requires_grad=True)
    value = loss(leaf)
    value.backward()
    return {"loss": value.item(), "gradient": leaf.grad.flatten().tolist()}


def main():
    logits = np.floor(uniform(stream(SEED, "logits"), 0, BATCH * CLASSES, -64, 64).astype(np.float64)) / 16
    logits = logits.reshape(BATCH, CLASSES)
    labels = torch.tensor([int(w) % CLASSES for w in words(stream(SEED, "labels"), 0, BATCH)])
    weights = torch.tensor(uniform(stream(SEED, "weights"), 0, CLASSES, 0.25, 4).astype(np.float64))
    raw = torch.tensor(uniform(stream(SEED, "soft"), 0, BATCH * CLASSES, 0, 1).astype(np.float64)).reshape(BATCH, CLASSES)
    soft = raw / raw.sum(1, keepdim=True)
    second = labels[PARTNERS]
    cases = []
    for smoothing in (0.0, 0.1):
        for weighted in (False, True):
            criterion = torch.nn.CrossEntropyLoss(weight=weights if weighted else None, label_smoothing=smoothing)
            options = {"labelSmoothing": smoothing, "weighted": weighted}
            of = {
                "labels": lambda z: criterion(z, labels),
                "mixed": lambda z: LAMBDA * criterion(z, labels) + (1 - LAMBDA) * criterion(z, second),
                "soft": lambda z: criterion(z, soft),
            }
            cases += [{"of": name, **options, **evaluate(logits, loss)} for name, loss in of.items()]
    golden = {
        "madeBy": f"scripts/golden/loss.py, torch {torch.__version__}", "classes": CLASSES, "lambda": LAMBDA,
        "partners": PARTNERS, "logits": logits.flatten().tolist(), "labels": labels.tolist(), "weights": weights.tolist(),
        "soft": soft.flatten().tolist(), "cases": cases,
    }
    (GOLDEN / "loss.json").write_text(json.dumps(golden) + "\n")
    print([(case["of"], case["labelSmoothing"], case["weighted"], case["loss"]) for case in cases])


if __name__ == "__main__":
    main()
