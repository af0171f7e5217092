"""Writes test/golden/jitter.json: colour changes by Pillow and torchvision, as SHA-256 of the bytes and some of the pixels.

Run from the repository with Debian's python3-pil and python3-torchvision: python3 scripts/golden/jitter.py
"""

import hashlib
import json

import numpy
import PIL
import torchvision
from PIL import Image
from torchvision.transforms import functional

FACTORS = [0, 0.1, 0.25, 0.6, 0.7368421, 0.999, 1, 1.0000001, 1.1, 1.4, 1.75, 2]
TURNS = [-0.5, -0.1, -0.0123, 0, 0.003, 0.004, 0.1, 0.33, 0.5]


def extremes():
    """Every triple of these levels, as one row."""
    levels = [0, 1, 2, 63, 64, 127, 128, 129, 191, 192, 253, 254, 255]
    return Image.fromarray(numpy.array([[(r, g, b) for r in levels for g in levels for b in levels]], numpy.uint8))


def all_colours():
    """Pixel i has the colour i: red is its highest byte."""
    i = numpy.arange(1 << 24, dtype=numpy.uint32)
    return Image.fromarray(numpy.stack([i >> 16, i >> 8 & 255, i & 255], axis=-1).astype(numpy.uint8).reshape(4096, 4096, 3))


def result(image):
    data = image.tobytes()
    step = max(len(data) // 16, 1)
    return {"sha256": hashlib.sha256(data).hexdigest(), "some": data[::step][:16].hex()}


def adjusted(image):
    adjust = {name: getattr(functional, f"adjust_{name}") for name in ["brightness", "contrast", "saturation", "hue"]}
    return [
        {"name": name, "amount": amount, **result(function(image, amount))}
        for name, function in adjust.items()
        for amount in (TURNS if name == "hue" else FACTORS)
    ]


def in_order(image, steps):
    for name, amount in steps:
        image = getattr(functional, f"adjust_{name}")(image, amount)
    return result(image)


photo = Image.open("test/golden/raccoon.jpg")
steps = [("hue", -0.07), ("contrast", 1.3), ("brightness", 0.8), ("saturation", 1.25)]
golden = {
    "madeBy": f"scripts/golden/jitter.py, Pillow {PIL.__version__}, torchvision {torchvision.__version__}",
    "photo": adjusted(photo),
    "luma": adjusted(photo.convert("L")),
    "extremes": adjusted(extremes()),
    "allColours": [
        {"name": name, "amount": amount, **in_order(all_colours(), [(name, amount)])}
        for name, amount in [("hue", 0), ("hue", 0.3), ("saturation", 1.37)]
    ],
    "chains": [
        {"steps": order, **in_order(photo, order)}
        for order in [steps, steps[::-1], [steps[i] for i in (2, 0, 3, 1)]]
    ],
}
with open("test/golden/jitter.json", "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
