"""Writes test/golden/evaluation.json: figures of a classifier with one class per image, by scikit-learn and SciPy.

    /usr/bin/python3 scripts/golden/evaluation.py

Scores are logits drawn by the project's generator, higher for the image's class, those of one class rounded to halves, so that there are ties. Class 5 has
no images, and no image is predicted as class 4.
"""

import base64
import json
import pathlib
import sys

import numpy as np
import scipy
import sklearn
from scipy import optimize, special, stats
from sklearn import metrics

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from threefry import stream, uniform  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
IMAGES, CLASSES = 300, 6

draws = uniform(stream(2, "labels"), 0, IMAGES, 0, 1)
labels = np.searchsorted([0.4, 0.6, 0.75, 0.95], draws)
logits = uniform(stream(2, "scores"), 0, IMAGES * CLASSES, -3, 3).reshape(IMAGES, CLASSES)
logits[np.arange(IMAGES), labels] += 1.5
logits[:, 4] -= 8
logits[:, 1] = np.round(logits[:, 1] * 2) / 2
logits = logits.astype(np.float32)
probabilities = special.softmax(logits.astype(np.float64), axis=1)
predicted = np.argmax(logits, axis=1)


def per_class(score):
    """Scores of each class, or None where they are not defined."""
    values = []
    for c in range(CLASSES):
        own = labels == c
        values.append(float(score(own, c)) if own.any() and not own.all() else None)
    return values


def wilson(part, whole):
    interval = stats.binomtest(int(part), int(whole)).proportion_ci(0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def nll(beta):
    scores = beta * logits.astype(np.float64)
    return float(np.mean(special.logsumexp(scores, axis=1) - scores[np.arange(IMAGES), labels]))


def slope(beta):
    """Derivative of the loss by the inverse temperature."""
    scores = logits.astype(np.float64)
    shares = special.softmax(beta * scores, axis=1)
    return float(np.mean((shares * scores).sum(axis=1) - scores[np.arange(IMAGES), labels]))


def confident_learning():
    """Confident joint and suspects in the order of their margins, by the definitions of Northcutt et al. 2021, §3."""
    thresholds = [probabilities[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(CLASSES)]
    joint = np.zeros((CLASSES, CLASSES), int)
    suspects = []
    for image, (own, label) in enumerate(zip(probabilities, labels)):
        confident = np.where(own >= thresholds, own, -1)
        if confident.max() < 0:
            continue
        joint[label, confident.argmax()] += 1
        if confident.argmax() != label:
            suspects.append((float(own[label] - np.delete(own, label).max()), image, int(confident.argmax())))
    rows, counts = joint.sum(axis=1), np.bincount(labels, minlength=CLASSES)
    scaled = np.where(rows[:, None] > 0, joint / np.maximum(rows, 1)[:, None], np.eye(CLASSES)) * counts[:, None]
    return {
        "thresholds": [float(t) if np.isfinite(t) else None for t in thresholds],
        "confidentJoint": joint.tolist(),
        "estimatedErrors": float(1 - np.trace(scaled) / scaled.sum()),
        "suspects": [[image, suggested, margin] for margin, image, suggested in sorted(suspects)],
    }


average = per_class(lambda own, c: metrics.average_precision_score(own, probabilities[:, c]))
auc = per_class(lambda own, c: metrics.roc_auc_score(own, probabilities[:, c]))
confusion = metrics.confusion_matrix(labels, predicted, labels=range(CLASSES))
precision, recall, f1, _ = metrics.precision_recall_fscore_support(
    labels, predicted, labels=range(CLASSES), zero_division=0
)
known = [c for c in range(CLASSES) if (labels == c).any()]
listed = [c for c in range(CLASSES) if (labels == c).any() or (predicted == c).any()]
fit = optimize.brentq(slope, 1e-3, 10, xtol=1e-15, rtol=1e-14)
golden = {
    "scikitLearn": sklearn.__version__,
    "scipy": scipy.__version__,
    "images": IMAGES,
    "classes": CLASSES,
    "logits": base64.b64encode(logits.astype("<f4").tobytes()).decode(),
    "truth": [int(label) for label in labels],
    "confusion": confusion.tolist(),
    "precision": [float(x) for x in precision],
    "recall": [float(x) for x in recall],
    "f1": [float(x) for x in f1],
    "averagePrecision": average,
    "rocAuc": auc,
    # False-positive rates and recalls of the class with ties.
    "rocPoints": [
        [float(x) for x in points]
        for points in metrics.roc_curve(labels == 1, probabilities[:, 1], drop_intermediate=False)[:2]
    ],
    "meanAveragePrecision": float(np.mean([x for x in average if x is not None])),
    "meanRocAuc": float(np.mean([x for x in auc if x is not None])),
    "accuracy": float(metrics.accuracy_score(labels, predicted)),
    "balancedAccuracy": float(metrics.recall_score(labels, predicted, labels=known, average="macro")),
    "macroF1": float(metrics.f1_score(labels, predicted, labels=listed, average="macro", zero_division=0)),
    "microF1": float(metrics.f1_score(labels, predicted, average="micro")),
    "weightedF1": float(metrics.f1_score(labels, predicted, average="weighted", zero_division=0)),
    "loss": nll(1.0),
    "accuracyInterval": wilson((labels == predicted).sum(), IMAGES),
    "recallInterval": [
        wilson(confusion[c, c], confusion[c].sum()) if confusion[c].sum() else None for c in range(CLASSES)
    ],
    "precisionInterval": [
        wilson(confusion[c, c], confusion[:, c].sum()) if confusion[:, c].sum() else None for c in range(CLASSES)
    ],
    "wilson": [[part, whole, *wilson(part, whole)] for part, whole in [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (9000, 10000)]],
    "temperature": 1 / fit,
    "temperatureLoss": nll(fit),
    "labelErrors": confident_learning(),
    "mcnemar": [
        [b, c, float(stats.binomtest(b, b + c, 0.5).pvalue)]
        for b, c in [(0, 1), (1, 0), (0, 6), (5, 5), (3, 12), (40, 61), (500, 600), (30000, 30700)]
    ],
}
(GOLDEN / "evaluation.json").write_text(json.dumps(golden) + "\n")
