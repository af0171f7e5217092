"""Writes test/golden/pngsuite.json: the pixels of test/golden/pngsuite/*.png as Pillow reads them.

Run from the repository with Debian's python3-pil and python3-numpy: python3 scripts/golden/pngsuite.py

Pixels are truncated to 8 bits, palettes as RGB, grey as one channel, transparent parts on white: alpha v + (1 - alpha) 255, rounded.
"""

import base64
import glob
import json
import os
import zlib

import numpy
import PIL
from PIL import Image

GREY_TYPES = (0, 4)


def on_white(image):
    if image.mode.startswith("I"):  # 16 bits of grey
        return numpy.asarray(image) >> 8
    if image.mode not in ("LA", "RGBA") and "transparency" not in image.info:
        return numpy.asarray(image.convert("RGB"))
    rgba = numpy.asarray(image.convert("RGBA")).astype(float)
    alpha = rgba[..., 3:] / 255
    return numpy.rint(alpha * rgba[..., :3] + (1 - alpha) * 255)


def described(path):
    with open(path, "rb") as file:
        colour_type = file.read(26)[25]
    image = Image.open(path)
    pixels = on_white(image).astype(numpy.uint8)
    channels = 1 if colour_type in GREY_TYPES else 3
    if channels == 1 and pixels.ndim == 3:
        pixels = pixels[..., 0]
    return {
        "width": image.width,
        "height": image.height,
        "channels": channels,
        "deflated": base64.b64encode(zlib.compress(pixels.tobytes(), 9)).decode(),
    }


golden = {
    "madeBy": f"scripts/golden/pngsuite.py, Pillow {PIL.__version__}",
    "files": {os.path.basename(path): described(path) for path in sorted(glob.glob("test/golden/pngsuite/*.png"))},
}
with open("test/golden/pngsuite.json", "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
