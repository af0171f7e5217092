"""Writes test/golden/matFile.json: a miniature of ImageNet's data/meta.mat, written by SciPy, compressed and uncompressed.

    python3 scripts/golden/matFile.py

The structs have the fields of the real file. Those with children are not classes of images.
"""

import base64
import io
import json
import pathlib

import numpy as np
import scipy.io

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
FIELDS = ["ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height", "num_train_images"]
# IDs are in a different order from WNIDs, as in the real file.
SYNSETS = [
    (1, "n03710721", "maillot, tank suit", []),
    (2, "n01440764", "tench, Tinca tinca", []),
    (3, "n03126707", "crane", []),
    (4, "n02012849", "crane", []),
    (5, "n03710637", "maillot", []),
    (300, "n00001740", "entité", [1, 2, 3]),
]


def main():
    synsets = np.empty((len(SYNSETS), 1), dtype=[(field, object) for field in FIELDS])
    for row, (number, wnid, words, children) in enumerate(SYNSETS):
        synsets[row, 0] = (
            float(number), wnid, words, "", np.uint8(len(children)), np.array(children, dtype=np.uint16), 0.0, np.uint16(1300),
        )
    golden = {"synsets": [[number, wnid, words] for number, wnid, words, _ in SYNSETS]}
    for name, compressed in (("plain", False), ("compressed", True)):
        file = io.BytesIO()
        scipy.io.savemat(file, {"other": np.arange(3.0), "synsets": synsets}, do_compression=compressed)
        golden[name] = base64.b64encode(file.getvalue()).decode()
    (GOLDEN / "matFile.json").write_text(json.dumps(golden) + "\n")


main()
