"""
Writes test/golden/onnx-torch.json: a small network in each of PyTorch's historical styles of ONNX, with its outputs. Weights are PyTorch's
initial ones. Requires PyTorch; written by Debian's 1.13.1.
"""

import base64
import io
import json
import pathlib

import torch
from torch import nn

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
OPSETS = [7, 9, 11, 13, 16]


class View(nn.Module):
    """Flattening as written before PyTorch had a layer for it."""

    def forward(self, x):
        return x.view(-1, 72)


def network(flatten):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, groups=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4), nn.Tanh(), nn.BatchNorm2d(8),
        nn.MaxPool2d(2, 2, ceil_mode=True), nn.AdaptiveAvgPool2d((3, 3)), flatten, nn.Dropout(0.4),
        nn.Linear(72, 10), nn.Sigmoid(), nn.Linear(10, 4, bias=False), nn.Softmax(dim=1),
    )


def base64_of(values):
    return base64.b64encode(values).decode()


def case(opset, flatten, keep_initializers):
    torch.manual_seed(opset)
    model = network(flatten)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.5, 0.5)
    model.eval()
    images = torch.randn(2, 3, 26, 26)
    file = io.BytesIO()
    torch.onnx.export(
        model, images, file, opset_version=opset, input_names=["input"], output_names=["output"],
        keep_initializers_as_inputs=keep_initializers, do_constant_folding=opset > 7,
        dynamic_axes={"input": {0: "n"}, "output": {0: "n"}} if opset > 9 else None,
    )
    outputs = model(images).detach().numpy()
    return {
        "opset": opset,
        "model": base64_of(file.getvalue()),
        "images": base64_of(images.numpy().astype("<f4").tobytes()),
        "output": base64_of(outputs.astype("<f4").tobytes()),
    }


cases = [case(opset, View() if opset == 13 else nn.Flatten(), opset < 11) for opset in OPSETS]
(GOLDEN / "onnx-torch.json").write_text(
    json.dumps({"madeBy": f"scripts/golden/onnxTorch.py, torch {torch.__version__}", "cases": cases}, indent=1) + "\n"
)
