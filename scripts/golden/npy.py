"""Prints test/golden/npy.json: headers of .npy files of f32, as written by numpy (1.24 or later).

Run from the repository with Debian's python3-numpy: python3 scripts/golden/npy.py > test/golden/npy.json
"""

import base64
import io
import json

import numpy

SHAPES = [[0, 5], [1, 1], [7], [3, 4096], [12, 256, 6, 6], [1234567, 10], [9, 1000000, 1000000, 1000000, 100000000]]


def header(shape):
    data = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
    out = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(out, data)
    return base64.b64encode(out.getvalue()).decode()


print(json.dumps({"numpy": numpy.__version__, "headers": [{"shape": s, "bytes": header(s)} for s in SHAPES]}, indent=1))
