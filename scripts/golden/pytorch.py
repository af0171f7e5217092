"""Writes test/golden/pytorch-*.json: PyTorch's results for the same networks, weights and images, in float64.

    /usr/bin/python3 scripts/golden/pytorch.py

Made with Debian 12's python3-torch 1.13.1. Weights, biases, images and labels are functions of (seed, name) by the project's
generator, and test/pytorch.test.ts draws the same. For each gradient of a full network the file stores its L2 norm and 4,096
positions, themselves drawn by the generator.

Seeds: if a ReLU's input is closer to 0, or two values of a pooling window are closer to each other, than f32 resolves, the
gradient is arbitrary. The chosen seed stays farthest from such points: its `margin` in the files is in
units of the float32 rounding error of the layer's values (root mean square).
"""

import base64
import copy
import itertools
import json
import pathlib
import sys
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from threefry import dropout_mask, stream, uniform, words  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
POSITIONS = 4096
BATCH = 2
STEPS = 8
SGD = {"lr": 1e-5, "momentum": 0.9, "weight_decay": 5e-4}
SEEDS = range(1, 101)
FINALISTS = 3
DROPOUT_FIRST = 40


class FixedDropout(nn.Module):
    """Dropout with the project's masks: row r of the batch draws from the counter first + r."""

    def __init__(self, name, seed, probability):
        super().__init__()
        self.key = stream(seed, "dropout:" + name)
        self.probability = probability

    def forward(self, x):
        rows = [dropout_mask(self.key, DROPOUT_FIRST + r, self.probability, x[r].numel()) for r in range(len(x))]
        return x * torch.from_numpy(np.stack(rows)).to(x.dtype)


def norm():
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)


def alexnet(_seed):
    return (3, 227, 227), OrderedDict(
        conv1=nn.Conv2d(3, 96, 11, 4), relu1=nn.ReLU(), norm1=norm(), pool1=nn.MaxPool2d(3, 2),
        conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2), relu2=nn.ReLU(), norm2=norm(), pool2=nn.MaxPool2d(3, 2),
        conv3=nn.Conv2d(256, 384, 3, padding=1), relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2), relu4=nn.ReLU(),
        conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2), relu5=nn.ReLU(), pool5=nn.MaxPool2d(3, 2),
        flatten=nn.Flatten(), fc6=nn.Linear(9216, 4096), relu6=nn.ReLU(), fc7=nn.Linear(4096, 4096), relu7=nn.ReLU(),
        fc8=nn.Linear(4096, 1000),
    )


def alexnet_owt(_seed):
    return (3, 224, 224), OrderedDict(
        conv1=nn.Conv2d(3, 64, 11, 4, padding=2), relu1=nn.ReLU(), pool1=nn.MaxPool2d(3, 2),
        conv2=nn.Conv2d(64, 192, 5, padding=2), relu2=nn.ReLU(), pool2=nn.MaxPool2d(3, 2),
        conv3=nn.Conv2d(192, 384, 3, padding=1), relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 256, 3, padding=1), relu4=nn.ReLU(),
        conv5=nn.Conv2d(256, 256, 3, padding=1), relu5=nn.ReLU(), pool5=nn.MaxPool2d(3, 2),
        avgpool=nn.AdaptiveAvgPool2d((6, 6)), flatten=nn.Flatten(),
        fc6=nn.Linear(9216, 4096), relu6=nn.ReLU(), fc7=nn.Linear(4096, 4096), relu7=nn.ReLU(), fc8=nn.Linear(4096, 1000),
    )


def every_kind(seed):
    return (4, 11, 9), OrderedDict(
        conv1=nn.Conv2d(4, 6, 3, padding=1, groups=2), relu1=nn.ReLU(),
        norm1=nn.LocalResponseNorm(3, alpha=0.5, beta=0.75, k=1.0), pool1=nn.MaxPool2d(3, 2, padding=1),
        conv2=nn.Conv2d(6, 5, 3, stride=2, padding=1), tanh2=nn.Tanh(), avgpool=nn.AdaptiveAvgPool2d((2, 2)),
        flatten=nn.Flatten(), fc3=nn.Linear(20, 8), sigmoid3=nn.Sigmoid(), drop3=FixedDropout("drop3", seed, 0.3),
        fc4=nn.Linear(8, 5),
    )


def build(layers, seed, dtype):
    """Weights uniform within ±√(2 / fan-in), between PyTorch's default and He's: outputs still depend on the images, and rounding
    errors do not grow. Biases within ±1/8."""
    model = nn.Sequential(layers).to(dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            bound = np.sqrt(2 / parameter[0].numel()) if name.endswith("weight") else 0.125
            values = uniform(stream(seed, name), 0, parameter.numel(), -bound, bound)
            parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))
    return model


def batch_of(seed, shape, rows, classes, dtype):
    images = uniform(stream(seed, "images"), 0, rows * int(np.prod(shape)), -1.0, 1.0)
    labels = words(stream(seed, "labels"), 0, rows) % np.uint32(classes)
    return torch.from_numpy(images).reshape(rows, *shape).to(dtype), torch.from_numpy(labels.astype(np.int64))


def margin(layers, seed, shape):
    """Distance of the forward pass to the nearest discontinuity of the gradient, in units of the layer's float32 rounding error."""
    nearest = float("inf")
    x, y = (batch_of(seed, shape, BATCH, 1000, dtype)[0] for dtype in (torch.float64, torch.float32))
    for exact, single in zip(build(layers, seed, torch.float64), build(copy.deepcopy(layers), seed, torch.float32)):
        rounding = float((y - x).square().mean().sqrt())
        if isinstance(exact, nn.ReLU):
            nearest = min(nearest, float(x.abs().min()) / rounding)
        if isinstance(exact, nn.MaxPool2d):
            size, stride = exact.kernel_size, exact.stride
            two = x.unfold(2, size, stride).unfold(3, size, stride).flatten(4).topk(2).values
            gaps = (two[..., 0] - two[..., 1])[two[..., 0] > 0]
            nearest = min(nearest, float(gaps.min()) / rounding)
        x, y = exact(x), single(y)
    return nearest


def features(layers):
    return OrderedDict(itertools.takewhile(lambda entry: entry[0] != "flatten", layers.items()))


def best_seed(network):
    """Examines the convolutions for all seeds, then the whole network for the best few."""
    with torch.no_grad():
        shape = network(0)[0]
        ranked = sorted(((margin(features(network(seed)[1]), seed, shape), seed) for seed in SEEDS), reverse=True)
        return max((margin(network(seed)[1], seed, shape), seed) for _, seed in ranked[:FINALISTS])


def step(model, images, labels):
    model.zero_grad()
    logits = model(images)
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    return logits.detach(), loss.item()


def gradients(model):
    return {name: parameter.grad.detach().flatten().double().numpy().copy() for name, parameter in model.named_parameters()}


def base64_of(values, dtype):
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()


def positions(name, size):
    """At most 4,096 positions of a tensor; all of them if it is no larger."""
    if size <= POSITIONS:
        return np.arange(size)
    return np.floor(uniform(stream(0, "positions:" + name), 0, POSITIONS, 0.0, 1.0).astype(np.float64) * size).astype(np.int64)


def relative(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def full_network(name, network):
    """Logits, first loss and gradients, then the losses of 8 steps of SGD on the same batch."""
    nearest, seed = best_seed(network)
    shape, layers = network(seed)
    model = build(layers, seed, torch.float64)
    images, labels = batch_of(seed, shape, BATCH, 1000, torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), **SGD)
    losses, kept = [], {}
    for i in range(STEPS):
        logits, loss = step(model, images, labels)
        losses.append(loss)
        if i == 0:
            first, exact = logits.flatten().numpy(), gradients(model)
            kept = {
                key: {"norm": float(np.linalg.norm(g)), "values": base64_of(g[positions(key, len(g))], "<f4")}
                for key, g in exact.items()
            }
        optimizer.step()
    single = build(network(seed)[1], seed, torch.float32)
    logits32, _ = step(single, images.float(), labels)
    float32 = {
        "logits": float(np.abs(logits32.flatten().double().numpy() - first).max() / np.abs(first).max()),
        "gradients": max(relative(g, exact[key]) for key, g in gradients(single).items()),
    }
    print(name, "seed", seed, "margin", nearest, "float32 differs by", float32, "losses", losses)
    write(name, {
        "madeBy": f"scripts/golden/pytorch.py, torch {torch.__version__}, float64", "seed": seed, "batchSize": BATCH,
        "margin": nearest, "float32": float32, "sgd": SGD, "losses": losses, "logits": base64_of(first, "<f8"), "gradients": kept,
    })


def small_network(name, network):
    """Every kind of layer, including dropout: logits, loss, and all gradients in full, including that of the images."""
    seed, rows, classes = 1, 3, 5
    shape, layers = network(seed)
    model = build(layers, seed, torch.float64)
    images, labels = batch_of(seed, shape, rows, classes, torch.float64)
    images.requires_grad_(True)
    logits, loss = step(model, images, labels)
    kept = {key: base64_of(g, "<f8") for key, g in gradients(model).items()}
    kept["input"] = base64_of(images.grad.flatten().numpy(), "<f8")
    print(name, "loss", loss)
    write(name, {
        "madeBy": f"scripts/golden/pytorch.py, torch {torch.__version__}, float64", "seed": seed, "batchSize": rows,
        "first": DROPOUT_FIRST, "loss": loss, "logits": base64_of(logits.flatten().numpy(), "<f8"), "gradients": kept,
    })


def write(name, golden):
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / f"pytorch-{name}.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    small_network("every-kind", every_kind)
    full_network("alexnet", alexnet)
    full_network("alexnet-owt", alexnet_owt)
