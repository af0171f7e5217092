"""
Prints test/golden/principalComponents.json: principal components of points, by numpy's singular value decomposition.

Run from the repository with Debian's python3-numpy: python3 scripts/golden/principalComponents.py > test/golden/principalComponents.json
"""

import base64
import json

import numpy
from threefry import stream, uniform

# Points, dimensions and components: fewer points than dimensions, fewer dimensions than components, and many of both.
CASES = [(9, 20, 6), (40, 5, 5), (120, 90, 8)]


def encoded(values):
    return base64.b64encode(numpy.ascontiguousarray(values, dtype="<f8").tobytes()).decode()


def case(points, dimensions, wanted):
    name = f"points {points}x{dimensions}"
    values = uniform(stream(7, name), 0, points * dimensions, -1, 1).astype(numpy.float64).reshape(points, dimensions)
    # Variances decrease by a fifth from one dimension to the next; the mean is far from 0.
    values = (values * 0.9 ** numpy.arange(dimensions) + 3).astype(numpy.float32)
    centred = values.astype(numpy.float64) - values.astype(numpy.float64).mean(axis=0)
    u, s, v = numpy.linalg.svd(centred, full_matrices=False)
    signs = numpy.sign(v[numpy.arange(len(v)), numpy.abs(v).argmax(axis=1)])
    coordinates = (u * s * signs)[:, :wanted]
    return {
        "points": points,
        "dimensions": dimensions,
        "values": base64.b64encode(values.astype("<f4").tobytes()).decode(),
        "coordinates": encoded(coordinates),
        "explainedVariance": (s**2 / (s**2).sum())[:wanted].tolist(),
    }


print(json.dumps({"numpy": numpy.__version__, "cases": [case(*each) for each in CASES]}, indent=1))
