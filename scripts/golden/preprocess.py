"""Writes test/golden/preprocess.json: network inputs by torchvision, as SHA-256 of the 8-bit pixels and some of the values.

Run from the repository with Debian's python3-pil and python3-torchvision: python3 scripts/golden/preprocess.py
"""

import hashlib
import json

import numpy
import PIL
import torchvision
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode, functional

MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PHOTO = Image.open("test/golden/raccoon.jpg")
FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
FITS = ["resize", "crop", "random-resized-crop"]
SIZES = [(320, 240), (240, 320), (200, 200), (256, 256), (256, 301), (311, 257), (13, 9), (9, 13), (1, 1), (227, 224), (97, 600), (640, 41)]


def pattern(width, height):
    """Byte i is (37 i^2 + 11 i) mod 251."""
    i = numpy.arange(width * height * 3, dtype=numpy.int64)
    return Image.fromarray(((37 * i * i + 11 * i) % 251).astype(numpy.uint8).reshape(height, width, 3))


def source(size):
    return PHOTO if size == PHOTO.size else pattern(*size)


def result(image):
    """The SHA-256 of an 8-bit image's planes, and every 20011th of its values."""
    planes = numpy.ascontiguousarray(numpy.asarray(image).transpose(2, 0, 1))
    values = functional.normalize(functional.to_tensor(image), MEAN, DEVIATION).numpy().ravel()[::20011]
    return {"sha256": hashlib.sha256(planes.tobytes()).hexdigest(), "values": [float(value) for value in values]}


def chain(name, filter, side, size):
    mode = FILTERS[filter]
    steps = {
        "resize": [transforms.Resize((side, side), mode)],
        "crop": [transforms.Resize(256, mode), transforms.CenterCrop(256), transforms.CenterCrop(side)],
        "random-resized-crop": [transforms.Resize(256, mode), transforms.CenterCrop(side)],
    }
    return {"fit": name, "filter": filter, "side": side, "from": size, **result(transforms.Compose(steps[name])(source(size)))}


def resized_crop(filter, window):
    left, top, width, height = window
    image = functional.resized_crop(PHOTO, top, left, height, width, (224, 224), FILTERS[filter])
    return {"filter": filter, "window": window, **result(image)}


def letterbox(filter, size, target):
    """The whole image, as large as fits, centred; -1 around it, so that pixels are 16-bit integers."""
    image = source(size)
    scale = min(target[0] / size[0], target[1] / size[1])
    scaled = tuple(min(max(round(extent * scale), 1), limit) for extent, limit in zip(size, target))
    resample = Image.BILINEAR if filter == "bilinear" else Image.BICUBIC
    left, top = (round((limit - extent) / 2) for limit, extent in zip(target, scaled))
    pixels = numpy.full((3, target[1], target[0]), -1, "<i2")
    inside = numpy.asarray(image.resize(scaled, resample)).transpose(2, 0, 1)
    pixels[:, top : top + scaled[1], left : left + scaled[0]] = inside
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return {"filter": filter, "from": size, "to": target, "scaled": scaled, "at": [left, top], "sha256": digest}


WINDOWS = [(0, 0, 320, 240), (17, 5, 101, 77), (200, 100, 120, 140), (3, 200, 317, 40), (160, 120, 1, 1), (31, 9, 224, 224), (0, 239, 320, 1)]
golden = {
    "madeBy": f"scripts/golden/preprocess.py, Pillow {PIL.__version__}, torchvision {torchvision.__version__}",
    "chains": [chain(name, filter, side, size) for name in FITS for filter in FILTERS for side in [224, 227] for size in SIZES],
    "resizedCrops": [resized_crop(filter, window) for filter in FILTERS for window in WINDOWS],
    "letterboxes": [
        letterbox(filter, size, target)
        for filter in FILTERS
        for target in [(224, 224), (227, 227), (60, 31)]
        for size in SIZES
    ],
}
with open("test/golden/preprocess.json", "w") as file:
    file.write(json.dumps(golden).replace(', {"f', ',\n {"f').replace('"chains"', '\n"chains"'))
    file.write("\n")
