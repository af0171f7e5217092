"""
Writes test/golden/onnx-nodes.json: the ONNX project's published models of one operator, each with an input and the recorded
output. Inputs after the first become constants of the model, as weights are. The tensors of the largest cases are
omitted, since these models are refused. Requires Debian's libonnx-testdata and python3-onnx. The files are the ONNX project's,
licence Expat (MIT).
"""

import base64
import json
import pathlib
import re

import onnx

DATA = pathlib.Path("/usr/share/libonnx-testdata/data")
GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
LARGEST = 200_000
NODES = r"(basic_conv_|conv_with|lrn|maxpool_2d|averagepool_2d|globalaveragepool|gemm|relu$|tanh|sigmoid|flatten|dropout|softmax|reshape|identity|batchnorm|add$|add_bcast$|matmul_2d)"
CONVERTED = r"(Conv2d|MaxPool2d|AvgPool2d|Linear|ReLU$|Softmax$|BatchNorm2d|Tanh$|Sigmoid$|LeakyReLU$|PReLU_1d$|LogSoftmax$)"


def cases(folder, pattern):
    for case in sorted((DATA / folder).iterdir()):
        if re.match("test_" + pattern, case.name):
            yield f"{folder}/{case.name.removeprefix('test_')}", case


def base64_of(message):
    return base64.b64encode(message.SerializeToString()).decode()


def tensors(case, kind):
    paths = sorted((case / "test_data_set_0").glob(f"{kind}_*.pb"), key=lambda path: int(path.stem.split("_")[1]))
    return [onnx.TensorProto.FromString(path.read_bytes()) for path in paths]


def golden_of(case):
    model = onnx.load(case / "model.onnx")
    if any(not value.type.HasField("tensor_type") for value in [*model.graph.input, *model.graph.output]):
        return {"model": base64_of(model)}
    inputs, outputs = tensors(case, "input"), tensors(case, "output")
    constant = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in constant]
    for name, tensor in list(zip(names, inputs))[1:]:
        tensor.name = name
        model.graph.initializer.append(tensor)
    parts = {"model": base64_of(model), "input": base64_of(inputs[0]), "output": base64_of(outputs[0])}
    return parts if sum(map(len, parts.values())) <= LARGEST else {"model": parts["model"]}


golden = {name: golden_of(case) for name, case in [*cases("node", NODES), *cases("pytorch-converted", CONVERTED)]}
(GOLDEN / "onnx-nodes.json").write_text(
    json.dumps({"madeBy": f"scripts/golden/onnxNodes.py, libonnx-testdata {onnx.__version__}", "cases": golden}, indent=1) + "\n"
)
