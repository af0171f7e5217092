"""Writes test/golden/multiLabel.json: metrics of multi-label predictions by scikit-learn.

    /usr/bin/python3 scripts/golden/multiLabel.py

Scores are logits drawn by the project's generator, some rounded to halves, so that there are ties; the last label has no images.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import sklearn
from sklearn import metrics

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from threefry import stream, uniform  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
IMAGES, LABELS = 200, 6
THRESHOLDS = [0.5, 0.3, 0.7, 0.2, 0.6, 0.5]

logits = uniform(stream(1, "scores"), 0, IMAGES * LABELS, -3, 3).reshape(IMAGES, LABELS)
logits[:, 1] = np.round(logits[:, 1] * 2) / 2
draws = uniform(stream(1, "labels"), 0, IMAGES * LABELS, 0, 1).reshape(IMAGES, LABELS)
rates = np.array([0.5, 0.3, 0.1, 0.9, 0.02, 0])
# More likely where the score is high.
truth = (draws < rates * (0.5 + 1 / (1 + np.exp(-logits.astype(np.float64))))).astype(int)
truth[:, 5] = 0
probabilities = 1 / (1 + np.exp(-logits.astype(np.float64)))


def figures(thresholds):
    predicted = (probabilities >= thresholds).astype(int)
    known = truth.any(axis=0)
    # Each figure, and where it is defined.
    scores = {
        "precision": (metrics.precision_score(truth, predicted, average=None, zero_division=0), predicted.any(axis=0)),
        "recall": (metrics.recall_score(truth, predicted, average=None, zero_division=0), known),
        "f1": (metrics.f1_score(truth, predicted, average=None, zero_division=0), known | predicted.any(axis=0)),
    }
    average = [metrics.average_precision_score(truth[:, c], probabilities[:, c]) if known[c] else None for c in range(LABELS)]
    listed = {
        name: [float(x) if is_known else None for x, is_known in zip(values, defined)]
        for name, (values, defined) in scores.items()
    }
    return {
        "thresholds": [float(x) for x in np.broadcast_to(thresholds, LABELS)],
        **listed,
        "averagePrecision": average,
        "meanAveragePrecision": float(np.mean([x for x in average if x is not None])),
        "exactMatch": float(metrics.accuracy_score(truth, predicted)),
        "hammingLoss": float(metrics.hamming_loss(truth, predicted)),
        "microF1": float(metrics.f1_score(truth, predicted, average="micro")),
        "macroF1": float(np.mean([x for x in listed["f1"] if x is not None])),
        "loss": float(np.mean([metrics.log_loss(truth[:, c], probabilities[:, c], labels=[0, 1]) for c in range(LABELS)])),
    }


def best_f1(c):
    """The best F1 score over all thresholds, from scikit-learn's curve."""
    precision, recall, _ = metrics.precision_recall_curve(truth[:, c], probabilities[:, c])
    total = precision + recall
    return float(np.max(np.where(total > 0, 2 * precision * recall / np.where(total > 0, total, 1), 0)))


golden = {
    "scikitLearn": sklearn.__version__,
    "images": IMAGES,
    "labels": LABELS,
    "logits": base64.b64encode(logits.astype("<f4").tobytes()).decode(),
    "truth": ["".join(map(str, row)) for row in truth],
    "cases": [figures(0.5), figures(np.array(THRESHOLDS))],
    "bestF1": [best_f1(c) if truth[:, c].any() else None for c in range(LABELS)],
}
(GOLDEN / "multiLabel.json").write_text(json.dumps(golden) + "\n")
