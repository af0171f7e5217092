"""Writes test/golden/optimizers.json: 1,000 steps of every optimizer and schedule by PyTorch, in float64.

    /usr/bin/python3 scripts/golden/optimizers.py

A weight [2, 3] and a bias [2] descend a quadratic bowl, gradient = curvature * (w - centre) + noise, all drawn by the project's generator, so that
roundings to f32 do not add up. Stored are the eight numbers after every 50th step, and the learning rate of schedules at every tenth step.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bowl import EVERY, SEED, SIZE, STEPS, draw, images_of, numbers  # noqa: E402

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
# Options of the optimizer and of the recipe, by their names in this project.
OPTIMIZERS = [
    {"optimizer": {"kind": "sgd", "form": "pytorch", "momentum": 0, "weightDecay": 0.01}, "learningRate": 0.02},
    {"optimizer": {"kind": "sgd", "form": "pytorch", "momentum": 0.9, "weightDecay": 0}, "learningRate": 0.01},
    {"optimizer": {"kind": "sgd", "form": "pytorch", "momentum": 0.9, "weightDecay": 0.01}, "learningRate": 0.01},
    {"optimizer": {"kind": "sgd", "form": "nesterov", "momentum": 0.9, "weightDecay": 0}, "learningRate": 0.01},
    {"optimizer": {"kind": "sgd", "form": "nesterov", "momentum": 0.8, "weightDecay": 0.01}, "learningRate": 0.01},
    {"optimizer": {"kind": "adam", "weightDecay": 0}, "learningRate": 0.01},
    {"optimizer": {"kind": "adam", "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0.1}, "learningRate": 0.01},
    {"optimizer": {"kind": "adamw"}, "learningRate": 0.01},
    {"optimizer": {"kind": "adamw", "weightDecay": 0.5}, "learningRate": 0.01},
]
EXTRAS = [
    {**OPTIMIZERS[2], "clipNorm": 0.5},
    {**OPTIMIZERS[8], "clipNorm": 0.2},
    {**OPTIMIZERS[3], "accumulate": 3},
    {**OPTIMIZERS[5], "accumulate": 2, "clipNorm": 0.4},
    {**OPTIMIZERS[1], "average": 0.99},
    {**OPTIMIZERS[7], "average": 0.9},
]
PER_EPOCH, EPOCHS = 40, 25
SCHEDULES = [
    {"schedule": {"kind": "constant"}, "warmup": 0},
    {"schedule": {"kind": "constant"}, "warmup": 2},
    {"schedule": {"kind": "step", "everyEpochs": 7, "factor": 0.3}, "warmup": 0},
    {"schedule": {"kind": "plateau", "factor": 0.5, "patience": 2, "reductions": 3}, "warmup": 0},
    {"schedule": {"kind": "cosine", "floor": 0}, "warmup": 0},
    {"schedule": {"kind": "cosine", "floor": 0.05}, "warmup": 1.5},
]


def torch_optimizer(parameters, options, rate):
    kind, decay = options["kind"], options.get("weightDecay")
    if kind == "sgd":
        nesterov = options["form"] == "nesterov"
        return torch.optim.SGD(parameters, lr=rate, momentum=options["momentum"], weight_decay=decay, nesterov=nesterov)
    given = {} if decay is None else {"weight_decay": decay}
    if "beta1" in options:
        given |= {"betas": (options["beta1"], options["beta2"]), "eps": options["epsilon"]}
    return (torch.optim.Adam if kind == "adam" else torch.optim.AdamW)(parameters, lr=rate, **given)


def growing(decay):
    return lambda average, value, n: (d := min(decay, int(n) / (int(n) + 9))) * average + (1 - d) * value


def trajectory(case, first, curvature, centre, noise):
    model = torch.nn.Linear(3, 2).double()
    parameters = [model.weight, model.bias]
    with torch.no_grad():
        model.weight.copy_(first[:6].reshape(2, 3))
        model.bias.copy_(first[6:])
    optimizer = torch_optimizer(parameters, case["optimizer"], case["learningRate"])
    average = AveragedModel(model, avg_fn=growing(case["average"])) if "average" in case else None
    batches = case.get("accumulate", 1)
    kept, batch = [], 0
    for step in range(STEPS // batches):
        total = torch.zeros(SIZE, dtype=torch.float64)
        images = 0
        for _ in range(batches):
            now = torch.cat([p.detach().reshape(-1) for p in parameters])
            total += images_of(batch) * (curvature * (now - centre) + noise[batch])
            images += images_of(batch)
            batch += 1
        mean = total / images
        model.weight.grad, model.bias.grad = mean[:6].reshape(2, 3).clone(), mean[6:].clone()
        if "clipNorm" in case:
            torch.nn.utils.clip_grad_norm_(parameters, case["clipNorm"])
        optimizer.step()
        if average:
            average.update_parameters(model)
        if step % EVERY == EVERY - 1:
            seen = average.module if average else model
            kept.append([float(x) for p in (seen.weight, seen.bias) for x in p.detach().reshape(-1)])
    return kept


def rates(case, accuracies):
    """Learning rate at every tenth step; warm-up by LinearLR and SequentialLR."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    kind, options = case["schedule"]["kind"], case["schedule"]
    warm = round(case["warmup"] * PER_EPOCH)
    total = PER_EPOCH * EPOCHS
    if kind == "plateau":
        # PyTorch has no option `reductions`; at most 3 occur here. It reduces after more than `patience` epochs, this project at `patience`.
        given = {"mode": "max", "factor": options["factor"], "patience": options["patience"] - 1, "threshold": 0}
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, min_lr=0.1 * options["factor"] ** options["reductions"], **given)
    elif kind == "cosine":
        scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=total - warm, eta_min=0.1 * options["floor"])
    elif kind == "step":
        scheduler = lr_scheduler.StepLR(optimizer, step_size=options["everyEpochs"] * PER_EPOCH, gamma=options["factor"])
    else:
        scheduler = lr_scheduler.ConstantLR(optimizer, factor=1)
    if warm:
        rising = lr_scheduler.LinearLR(optimizer, start_factor=1 / warm, end_factor=1, total_iters=warm - 1)
        scheduler = lr_scheduler.SequentialLR(optimizer, [rising, scheduler], milestones=[warm])
    kept = []
    for step in range(total):
        if step % 10 == 0:
            kept.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if kind != "plateau":
            scheduler.step()
        elif step % PER_EPOCH == PER_EPOCH - 1:
            scheduler.step(accuracies[step // PER_EPOCH])
    return kept


def main():
    first, curvature, centre, noise = (torch.from_numpy(values) for values in draw())
    accuracies = [float(x) for x in numbers("accuracies", EPOCHS, 0, 1)]
    golden = {
        "madeBy": f"scripts/golden/optimizers.py, torch {torch.__version__}", "seed": SEED, "steps": STEPS, "every": EVERY,
        "optimizers": [{**case, "weights": trajectory(case, first, curvature, centre, noise)} for case in OPTIMIZERS + EXTRAS],
        "perEpoch": PER_EPOCH, "epochs": EPOCHS, "accuracies": accuracies,
        "schedules": [{**case, "rates": rates(case, accuracies)} for case in SCHEDULES],
    }
    (GOLDEN / "optimizers.json").write_text(json.dumps(golden) + "\n")
    for case in golden["optimizers"]:
        print({k: v for k, v in case.items() if k != "weights"}, np.round(case["weights"][-1], 3))
    for case in golden["schedules"]:
        print({k: v for k, v in case.items() if k != "rates"}, sorted(set(np.round(case["rates"], 5)))[:8])


if __name__ == "__main__":
    main()
