"""Writes test/golden/colours.json: moments of a photo's colours and their principal components by numpy.

Run from the repository with Debian's python3-pil and python3-numpy: python3 scripts/golden/colours.py
"""

import json

import numpy
import PIL
from PIL import Image

photo = Image.open("test/golden/raccoon.jpg")


def moments(image):
    """In 80-bit floating point, so that sums of many pixels are right to the last bits of a double."""
    pixels = numpy.asarray(image, numpy.longdouble).reshape(image.width * image.height, -1) / 255
    centred = pixels - pixels.mean(0)
    found = {
        "mean": pixels.mean(0),
        "products": pixels.T @ pixels / len(pixels),
        "covariance": centred.T @ centred / len(pixels),
        "deviation": pixels.std(0),
    }
    return {name: values.astype(numpy.float64).ravel().tolist() for name, values in found.items()}


def components(matrix):
    """The largest eigenvalue first; each eigenvector with its largest entry positive."""
    values, vectors = numpy.linalg.eigh(numpy.array(matrix))
    rows = vectors.T[::-1]
    signs = numpy.sign(rows[numpy.arange(len(rows)), numpy.abs(rows).argmax(1)])
    return {"matrix": numpy.ravel(matrix).tolist(), "eigenvalues": values[::-1].tolist(), "eigenvectors": (rows * signs[:, None]).tolist()}


def noise(matrix, deviation, drawn):
    """[p1 p2 p3] [a1 l1, a2 l2, a3 l3]^T with a = deviation * drawn."""
    found = components(matrix)
    p, eigenvalues = numpy.array(found["eigenvectors"]).T, numpy.array(found["eigenvalues"])
    return {"deviation": deviation, "drawn": drawn, "noise": (p @ (deviation * numpy.array(drawn) * eigenvalues)).tolist()}


colour = moments(photo)
covariance = numpy.array(colour["covariance"]).reshape(3, 3)
random = numpy.random.default_rng(1).normal(size=(6, 6))
golden = {
    "madeBy": f"scripts/golden/colours.py, Pillow {PIL.__version__}, numpy {numpy.__version__}",
    "photo": colour,
    "luma": moments(photo.convert("L")),
    "components": [components(covariance), components(random @ random.T), components(random + random.T)],
    "noise": [noise(covariance, 0.1, [1, 0, 0]), noise(covariance, 0.1, [0.3, -1.2, 2.5])],
}
with open("test/golden/colours.json", "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
