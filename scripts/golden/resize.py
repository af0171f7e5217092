"""Writes test/golden/resize.json: images resized by Pillow, as SHA-256 of the bytes and some of the pixels.

Run from the repository with Debian's python3-pil, python3-numpy and dataset-fashion-mnist: python3 scripts/golden/resize.py

test/golden/raccoon.jpg is the photo that SciPy ships as scipy.misc.face (public domain), at 320 x 240, JPEG quality 80:
Image.fromarray(scipy.misc.face()).resize((320, 240), Image.LANCZOS).save("raccoon.jpg", quality=80)
"""

import gzip
import hashlib
import json

import numpy
import PIL
from PIL import Image

FASHION = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
FASHION_COUNT = 20
PHOTO = "test/golden/raccoon.jpg"


def fashion(index):
    with gzip.open(FASHION) as file:
        pixels = numpy.frombuffer(file.read(16 + 784 * (index + 1))[-784:], numpy.uint8)
    return Image.fromarray(pixels.reshape(28, 28))


def pattern(width, height, channels):
    """Byte i is (37 i^2 + 11 i) mod 251."""
    i = numpy.arange(width * height * channels, dtype=numpy.int64)
    pixels = ((37 * i * i + 11 * i) % 251).astype(numpy.uint8)
    shape = (height, width) if channels == 1 else (height, width, channels)
    return Image.fromarray(pixels.reshape(shape))


def disc(width, height, channels, background):
    """The pattern on the largest ellipse, the background around it."""
    pixels = numpy.array(pattern(width, height, channels))
    y, x = numpy.indices((height, width))
    outside = ((2 * x + 1 - width) * height) ** 2 + ((2 * y + 1 - height) * width) ** 2 >= (width * height) ** 2
    pixels[outside] = background
    return Image.fromarray(pixels)


def digest(images):
    return hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest()


def resized(images, size, filter=Image.BILINEAR):
    results = [image.resize(size, filter) for image in images]
    pixels = results[0].tobytes()
    step = max(len(pixels) // 8, 1)
    return {"to": size, "sha256": digest(results), "everyEighth": list(pixels[::step][:8])}


clothes = [fashion(i) for i in range(FASHION_COUNT)]
photo = Image.open(PHOTO)
luma = photo.convert("L")
golden = {
    "madeBy": f"scripts/golden/resize.py, Pillow {PIL.__version__}",
    "fashion": {
        "count": FASHION_COUNT,
        "resized": [resized(clothes, s) for s in [(227, 227), (224, 224), (67, 67), (28, 28), (14, 14), (9, 50), (28, 31)]],
    },
    "photo": {
        "sha256": digest([photo]),
        "resized": [
            resized([photo], s)
            for s in [(227, 227), (224, 224), (500, 400), (320, 227), (227, 240), (400, 100), (100, 400), (33, 7), (1, 1)]
        ],
    },
    "bicubic": [
        resized([photo], s, Image.BICUBIC)
        for s in [(227, 227), (224, 224), (500, 400), (320, 227), (100, 400), (641, 481), (33, 7), (1, 1)]
    ],
    "luma": {"sha256": digest([luma]), "resized": [resized([luma], s) for s in [(227, 227), (500, 61)]]},
    "pattern": [
        {"from": f, "resized": resized([pattern(*f)], s)}
        for f, s in [
            ((1, 1, 1), (5, 3)),
            ((1, 7, 3), (4, 3)),
            ((9, 1, 1), (4, 4)),
            ((2, 2, 3), (227, 227)),
            ((227, 227, 1), (226, 228)),
            ((1000, 3, 1), (67, 3)),
            ((13, 601, 3), (13, 10)),
            ((640, 480, 3), (227, 227)),
        ]
    ],
    "disc": [
        {"from": f, "background": b, "resized": resized([disc(*f, b)], s)}
        for f, b, s in [
            ((28, 28, 1), 255, (227, 227)),
            ((28, 28, 1), 0, (224, 224)),
            ((17, 23, 3), 37, (67, 61)),
            ((200, 150, 1), 0, (227, 227)),
            ((40, 12, 1), 9, (13, 100)),
            ((12, 40, 3), 255, (100, 13)),
            ((9, 2, 1), 1, (9, 31)),
        ]
    ],
}
with open("test/golden/resize.json", "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
