"""Worker that computes with PyTorch, with the workload and protocol of protocol.ts.

    python3 torch_worker.py '{"folder": …, "mode": "train", "precision": "f32", "batchSize": 128, "threads": 2,
                              "channelsLast": false, "fused": false, "form": "eager"}'

precision bf16 is autocast in training. For inference, `form` "eager" is autocast; the others store the weights in
bf16. "frozen" is a trace with its parameters folded in, "optimized" adds oneDNN's weight layouts, "compiled" is
torch.compile with weights folded in, which needs a C++ compiler.
"""

import contextlib
import json
import math
import os
import resource
import sys
import time

import numpy as np
import torch
from torch import nn

CHECKED_IMAGES = 2
SAMPLES = 64
LEARNING_RATE = 1e-3


def module(op):
    """The torch.nn module for an operation of the chain."""
    options, channels = op["options"], op["inputShape"][0]
    return {
        "conv2d": lambda: nn.Conv2d(
            channels, options["outChannels"], options["kernelSize"], options["stride"], options["padding"], groups=options["groups"]
        ),
        "relu": lambda: nn.ReLU(inplace=True),
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "localResponseNorm": lambda: nn.LocalResponseNorm(options["size"], options["alpha"], options["beta"], options["k"]),
        "maxPool2d": lambda: nn.MaxPool2d(options["kernelSize"], options["stride"], options["padding"]),
        "adaptiveAveragePool2d": lambda: nn.AdaptiveAvgPool2d(options["outputSize"]),
        "flatten": nn.Flatten,
        "linear": lambda: nn.Linear(math.prod(op["inputShape"]), options["outFeatures"]),
        "dropout": lambda: nn.Dropout(options["probability"]),
    }[op["kind"]]()


class Workload:
    def __init__(self, request):
        self.request = request
        self.folder = request["folder"]
        with open(os.path.join(self.folder, "network.json")) as file:
            self.chain = json.load(file)
        self.layout = torch.channels_last if request["channelsLast"] else torch.contiguous_format
        shape = [request["batchSize"], *self.chain["inputShape"]]
        self.images = self.read("images.f32", shape)
        self.fresh = self.read("fresh.f32", [CHECKED_IMAGES, *shape[1:]])
        self.labels = torch.arange(request["batchSize"]) % self.chain["classes"]
        self.bf16 = request["precision"] == "bf16"
        with torch.device("meta"):
            model = nn.Sequential(*map(module, self.chain["ops"]))
        self.model = model.to_empty(device="cpu").to(memory_format=self.layout)
        self.load()

    def read(self, name, shape):
        values = np.fromfile(os.path.join(self.folder, name), np.float32, math.prod(shape))
        return torch.from_numpy(values.reshape(shape)).contiguous(memory_format=self.layout)

    def load(self):
        with open(os.path.join(self.folder, "parameters.f32"), "rb") as file, torch.no_grad():
            for parameter in self.model.parameters():
                values = np.fromfile(file, np.float32, parameter.numel())
                parameter.copy_(torch.from_numpy(values).view(parameter.shape))

    def autocast(self):
        return torch.autocast("cpu", dtype=torch.bfloat16) if self.bf16 else contextlib.nullcontext()


class Training(Workload):
    def __init__(self, request):
        super().__init__(request)
        self.images.requires_grad_(self.chain["inputGradient"])
        options = {"fused": True} if request["fused"] else {}
        self.optimizer = torch.optim.SGD(self.model.parameters(), LEARNING_RATE, momentum=0.9, weight_decay=5e-4, **options)

    def step(self):
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        self.images.grad = None
        with self.autocast():
            loss = nn.functional.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        if not math.isfinite(loss.item()):
            raise ValueError(f"training: the loss is {loss.item()}")

    def check(self):
        """Without dropout: its masks here are not those of others. The batch is as large as the timed one."""
        self.load()
        self.model.eval()
        self.optimizer.zero_grad(set_to_none=True)
        images = self.images.detach().clone(memory_format=torch.preserve_format)
        images[:CHECKED_IMAGES] = self.fresh
        images.requires_grad_(self.chain["inputGradient"])
        with self.autocast():
            logits = self.model(images)[:CHECKED_IMAGES]
            loss = nn.functional.cross_entropy(logits, self.labels[:CHECKED_IMAGES])
        loss.backward()
        checked = {"logits": logits.detach().float().flatten().tolist()}
        parameters = (op for op in self.chain["ops"] for op in op["parameters"])
        for parameter, values in zip(parameters, self.model.parameters()):
            checked[parameter["name"]] = sample(values.grad.float().flatten())
        if self.chain["inputGradient"]:
            checked["images"] = sample(images.grad[:CHECKED_IMAGES].float().flatten())
        return checked


class Inference(Workload):
    def __init__(self, request):
        super().__init__(request)
        self.model.eval()
        form = request["form"]
        if form != "eager" and self.bf16:
            self.model.bfloat16()
            self.images = self.images.bfloat16()
        context = self.autocast if form == "eager" else contextlib.nullcontext
        compiled = self.build(form)

        def forward():
            with torch.inference_mode(), context():
                return compiled(self.images)

        if form != "eager" and self.bf16:
            self.fresh = self.fresh.bfloat16()
        self.step = forward

    def build(self, form):
        if form == "eager":
            return self.model
        with torch.no_grad():
            if form == "compiled":
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(self.folder, "inductor")
                from torch._inductor import config

                config.freezing = True
                return torch.compile(self.model)
            frozen = torch.jit.freeze(torch.jit.trace(self.model, self.images))
            return torch.jit.optimize_for_inference(frozen) if form == "optimized" else frozen

    def check(self):
        count = min(CHECKED_IMAGES, len(self.images))
        kept = self.images[:count].clone()
        self.images[:count] = self.fresh[:count]
        logits = self.step()[:count].float().flatten().tolist()
        self.images[:count] = kept
        return {"logits": logits}


def sample(gradient):
    """As `gradientSample` of protocol.ts."""
    step = max(1, len(gradient) // SAMPLES)
    return [*gradient[::step][:SAMPLES].tolist(), gradient.double().norm().item()]


def answer(line):
    print(json.dumps(line), flush=True)


def seconds(step, steps):
    for _ in range(steps):
        before = time.perf_counter()
        step()
        yield time.perf_counter() - before


def cpu_seconds():
    """Of all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    request = json.loads(sys.argv[-1])
    torch.set_num_threads(request["threads"])
    computation = (Training if request["mode"] == "train" else Inference)(request)
    computation.step()
    answer({"ready": f"PyTorch {torch.__version__}"})
    for line in sys.stdin:
        command = json.loads(line)
        if command["command"] == "check":
            answer({"checked": computation.check()})
        else:
            before = cpu_seconds()
            times = list(seconds(computation.step, command["steps"]))
            answer({"seconds": times, "cpuSeconds": cpu_seconds() - before})


if __name__ == "__main__":
    main()
