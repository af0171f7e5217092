"""
Writes test/golden/caffe.json: small networks in both forms of Caffe's files, with PyTorch's outputs for the same weights.

Run as `caffe.py CAFFE_PROTO` with Caffe's own caffe.proto (BVLC Caffe, src/caffe/proto/), which protoc compiles, so that the files are
Caffe's own messages. Requires protoc, python3-protobuf and PyTorch. Images are RGB; Caffe's networks expect BGR.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import OrderedDict

import torch
from torch import nn

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
SIDE = 35


def caffe_messages(proto):
    folder = tempfile.mkdtemp()
    subprocess.run(["protoc", f"--proto_path={proto.parent}", f"--python_out={folder}", proto.name], check=True)
    sys.path.insert(0, folder)
    import caffe_pb2

    return caffe_pb2


caffe = caffe_messages(pathlib.Path(sys.argv[1]).resolve())


def modules(pool_first):
    norm, pool = nn.LocalResponseNorm(5, alpha=0.02, beta=0.75, k=1.0), nn.MaxPool2d(3, 2, ceil_mode=True)
    between = [("pool1", pool), ("norm1", norm)] if pool_first else [("norm1", norm), ("pool1", pool)]
    return OrderedDict([
        ("conv1", nn.Conv2d(3, 8, 5, 2)), ("relu1", nn.ReLU()), *between,
        ("conv2", nn.Conv2d(8, 6, 3, padding=1, groups=2)), ("relu2", nn.ReLU()),
        ("pool2", nn.AvgPool2d(8)), ("flatten", nn.Flatten()), ("fc3", nn.Linear(6, 5)), ("relu3", nn.ReLU()),
        ("drop3", nn.Dropout(0.25)), ("fc4", nn.Linear(5, 4)),
    ])


def fill(layer, module, types, old_blobs):
    """Parameters of a layer, and its blobs, which have four dimensions each in the old form."""
    layer.type = types[type(module)]
    if isinstance(module, nn.Conv2d):
        p = layer.convolution_param
        p.num_output, p.group = module.out_channels, module.groups
        for name, value in [("kernel_size", module.kernel_size), ("stride", module.stride), ("pad", module.padding)]:
            getattr(p, name).append(value[0])
    if isinstance(module, nn.LocalResponseNorm):
        p = layer.lrn_param
        p.local_size, p.alpha, p.beta = module.size, module.alpha, module.beta
    if isinstance(module, (nn.MaxPool2d, nn.AvgPool2d)):
        p = layer.pooling_param
        p.pool = p.AVE if isinstance(module, nn.AvgPool2d) else p.MAX
        p.kernel_size, p.stride = module.kernel_size, module.stride
    if isinstance(module, nn.Linear):
        layer.inner_product_param.num_output = module.out_features
    if isinstance(module, nn.Dropout):
        layer.dropout_param.dropout_ratio = module.p
    for parameter in module.parameters():
        blob = layer.blobs.add()
        blob.data.extend(parameter.detach().flatten().tolist())
        if old_blobs:
            blob.num, blob.channels, blob.height, blob.width = [1] * (4 - parameter.dim()) + list(parameter.shape)
        else:
            blob.shape.dim.extend(parameter.shape)


NEW = {
    nn.Conv2d: "Convolution", nn.ReLU: "ReLU", nn.LocalResponseNorm: "LRN", nn.MaxPool2d: "Pooling",
    nn.AvgPool2d: "Pooling", nn.Linear: "InnerProduct", nn.Dropout: "Dropout",
}
V1 = caffe.V1LayerParameter
OLD = {
    nn.Conv2d: V1.CONVOLUTION, nn.ReLU: V1.RELU, nn.LocalResponseNorm: V1.LRN, nn.MaxPool2d: V1.POOLING,
    nn.AvgPool2d: V1.POOLING, nn.Linear: V1.INNER_PRODUCT, nn.Dropout: V1.DROPOUT,
}


def chain(layers, named, types, old):
    """ReLU and dropout work in place, as in the published files."""
    bottom = "data"
    for name, module in named.items():
        if isinstance(module, nn.Flatten):
            continue
        layer = layers.add(name=name, bottom=[bottom])
        if not isinstance(module, (nn.ReLU, nn.Dropout)):
            bottom = name
        layer.top.append(bottom)
        fill(layer, module, types, old)
    return bottom


def published(named):
    """A net as training saves it: data, a split inserted by Caffe, accuracy and loss; in the form used before 2014."""
    net = caffe.NetParameter(name="made-like-bvlc-alexnet")
    for phase in (caffe.TRAIN, caffe.TEST):
        data = net.layers.add(name="data", top=["data", "label"], type=V1.DATA)
        data.include.add(phase=phase)
        data.transform_param.crop_size = SIDE
        data.transform_param.mean_value.extend([104, 117, 123])
    last = chain(net.layers, named, OLD, True)
    net.layers.add(name="split", bottom=[last], top=["a", "b"], type=V1.SPLIT)
    accuracy = net.layers.add(name="accuracy", bottom=["a", "label"], top=["accuracy"], type=V1.ACCURACY)
    accuracy.include.add(phase=caffe.TEST)
    net.layers.add(name="loss", bottom=["b", "label"], type=V1.SOFTMAX_LOSS)
    return net


def deployed(named):
    net = caffe.NetParameter(name="made-like-caffenet", input=["data"])
    net.input_shape.add(dim=[10, 3, SIDE, SIDE])
    last = chain(net.layer, named, NEW, False)
    net.layer.add(name="prob", type="Softmax", bottom=[last], top=["prob"])
    return net


def base64_of(tensor):
    return base64.b64encode(tensor.detach().numpy().astype("<f4").tobytes()).decode()


def case(name, seed, make, pool_first):
    torch.manual_seed(seed)
    named = modules(pool_first)
    model = nn.Sequential(named).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.5, 0.5)
    images = torch.randn(2, 3, SIDE, SIDE)
    return {
        "name": name,
        "model": base64.b64encode(make(named).SerializeToString()).decode(),
        "images": base64_of(images),
        "output": base64_of(torch.softmax(model(images.flip(1)), 1)),
    }


cases = [case("published", 1, published, False), case("deployed", 2, deployed, True)]
(GOLDEN / "caffe.json").write_text(
    json.dumps({"madeBy": f"scripts/golden/caffe.py, torch {torch.__version__}", "cases": cases}, indent=1) + "\n"
)
