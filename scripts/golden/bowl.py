"""The bowl that goldens of optimizers descend: a weight [2, 3] and a bias [2] in one vector, with noise in every batch."""

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from threefry import stream, uniform  # noqa: E402

SEED = 1
STEPS = 1000
EVERY = 50
SIZE = 8


def images_of(batch):
    return 1 + batch % 5


def numbers(purpose, length, low, high):
    return uniform(stream(SEED, purpose), 0, length, low, high).astype(np.float64)


def draw():
    """First weights, curvature, centre, and the noise of each batch."""
    first, centre = numbers("first", SIZE, -1, 1), numbers("centre", SIZE, -1, 1)
    curvature, noise = numbers("curvature", SIZE, 0.5, 2), numbers("noise", STEPS * SIZE, -0.5, 0.5).reshape(STEPS, SIZE)
    return first, curvature, centre, noise
