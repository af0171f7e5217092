"""Writes src/exchange/imagenetClasses.ts: the names that torchvision has for the classes of its weights.

Run from the repository with Debian's python3-torchvision: python3 scripts/golden/imagenetClasses.py
"""

import textwrap

import torchvision
from torchvision.models import AlexNet_Weights

HEAD = """/**
 * Names of ImageNet's 1000 classes (ILSVRC 2012), in the order of their WNIDs.
 *
 * Source: torchvision {version}, models/_meta.py, which has them for its weights. The four names that are two classes' are here as the data set `imagenet`
 * has them, with the WNID. Made by scripts/golden/imagenetClasses.py.
 */
export const imagenetClasses: readonly string[] = `
"""
TAIL = """
`
  .trim()
  .split(/,\\s+/);
"""
SHARED = {
    134: ("crane bird", "crane (n02012849)"),
    517: ("crane", "crane (n03126707)"),
    638: ("maillot", "maillot (n03710637)"),
    639: ("maillot tank suit", "maillot (n03710721)"),
}

names = list(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])
for label, (theirs, ours) in SHARED.items():
    assert names[label] == theirs, names[label]
    names[label] = ours
assert len(set(names)) == 1000 and not any(c in name for name in names for c in ",`\\\\$")
# No name is to be broken over two lines.
whole = ", ".join(name.replace(" ", "_") for name in names)
lines = textwrap.fill(whole, 150, break_long_words=False, break_on_hyphens=False).replace("_", " ")
with open("src/exchange/imagenetClasses.ts", "w") as file:
    file.write(HEAD.format(version=torchvision.__version__) + lines + TAIL)
