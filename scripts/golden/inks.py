"""Writes test/golden/inks.json: CMYK JPEG files, and their colours as decoded by Pillow.

Run from the repository with Debian's python3-pil and python3-numpy: python3 scripts/golden/inks.py
"""

import base64
import io
import json

import numpy
import PIL
from PIL import Image

y, x = numpy.mgrid[0:16, 0:24]
inks = numpy.stack([x * 11, y * 17, (x * y * 3) % 256, (x + 2 * y) * 3], 2).astype(numpy.uint8)


def encoded(**options):
    file = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(file, "JPEG", quality=95, **options)
    return file.getvalue()


def without_adobe(file):
    """The same without Adobe's APP14 marker."""
    at = file.index(b"\xff\xee")
    return file[:at] + file[at + 2 + int.from_bytes(file[at + 2 : at + 4], "big") :]


cases = {"full": encoded(subsampling=0), "subsampled": encoded(subsampling=2), "progressive": encoded(progressive=True)}
cases["without Adobe's mark"] = without_adobe(cases["full"])
golden = {
    "madeBy": f"scripts/golden/inks.py, Pillow {PIL.__version__}",
    "cases": [
        {
            "name": name,
            "file": base64.b64encode(file).decode(),
            "rgb": base64.b64encode(Image.open(io.BytesIO(file)).convert("RGB").tobytes()).decode(),
        }
        for name, file in cases.items()
    ],
}
with open("test/golden/inks.json", "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
