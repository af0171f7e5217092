"""Writes test/golden/interop.json: small files of torch.save with their contents, and malicious files.

    /usr/bin/python3 scripts/golden/interop.py

Made with Debian 12's python3-torch 1.13.1. Files are deflated, in base64; tensors are stored with type, shape, and values in order as hex.
The attacks would do harm in Python's own unpickler: this script writes them and never reads them.
"""

import base64
import builtins
import collections
import io
import json
import os
import pathlib
import pickle
import pickletools
import posix
import struct
import zipfile
import zlib

import torch

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden" / "interop.json"
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def values(count, seed=0):
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def every_type():
    return collections.OrderedDict((name.lower(), (values(6, i) * 20).to(dtype)) for i, (dtype, name) in enumerate(NAMES.items()))


def views():
    base = values(24)
    half = values(12).half()
    return {
        "whole": base.view(2, 3, 4),
        "transposed": base.view(2, 3, 4).transpose(0, 2),
        "part": base[5:17],
        "every other": base.view(4, 6)[1::2, ::3],
        "half transposed": half.view(3, 4).t(),
        "double columns": values(6, 1).double().view(2, 3)[:, 1],
        "bytes flipped": torch.arange(8, dtype=torch.uint8).view(2, 2, 2).permute(2, 0, 1),
        "scalar": torch.tensor(2.5),
        "one of many": base[7],
        "expanded": values(2).view(2, 1).expand(2, 3),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(values(3)),
    }


def special():
    bits = torch.tensor([0x7FC00000, 0x7F800001, 0x7F800000, 1, -(2**31)], dtype=torch.int32)
    return {"bits": bits.view(torch.float32), "half bits": torch.tensor([0x7E01, 0x7C00, 1, -32768], dtype=torch.int16).view(torch.float16)}


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 3)
    )


def checkpoint(optimizer):
    net = network()
    optimizer = optimizer(net.parameters(), lr=0.1)
    net(values(32).view(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30)
    state = net.state_dict()
    content = {
        "epoch": 7, "arch": "tiny", "best_acc1": torch.tensor(56.5), "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(), "state_dict": state,
    }  # fmt: skip
    return content, state


def saved(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def describe(tensor):
    tensor = tensor.detach().contiguous()
    raw = tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor
    return {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "hex": raw.numpy().tobytes().hex()}


def good_files():
    sgd = lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9)
    contents = {
        "every type": (every_type(),) * 2,
        "views": (views(),) * 2,
        "special": (special(),) * 2,
        "module": (network().state_dict(),) * 2,
        "sgd": checkpoint(sgd),
        "adam": checkpoint(torch.optim.Adam),
        "nested": ({"model": {"state_dict": {"w": values(2)}}, "ema": None}, {"w": values(2)}),
    }
    for name, (content, state) in contents.items():
        tensors = {key: describe(tensor) for key, tensor in state.items()}
        yield {"name": name, "file": saved(content), "tensors": tensors}
        yield {"name": name + ", older", "file": saved(content, _use_new_zipfile_serialization=False), "tensors": tensors}
    small = {"w": values(4).view(2, 2), "b": values(2, 1).half()}
    yield from old_files()
    tensors = {key: describe(tensor) for key, tensor in small.items()}
    yield {"name": "zip64", "file": zip64(saved(small)), "tensors": tensors}
    for protocol in (3, 4, 5):
        yield {"name": f"protocol {protocol}", "file": saved(small, pickle_protocol=protocol), "tensors": tensors}


class As:
    """Pickles by a recipe of its own."""

    def __init__(self, *recipe):
        self.recipe = recipe

    def __reduce__(self):
        return self.recipe


def python2(data):
    """All text of pickles as Python 2 wrote it."""
    source, out = io.BytesIO(data), b""
    for _ in range(5):
        start = source.tell()
        ops = list(pickletools.genops(source))
        end = source.tell()
        for (op, text, at), after in zip(ops, [at for _, _, at in ops[1:]] + [end]):
            out += b"U" + bytes([len(text)]) + text.encode() if op.name == "BINUNICODE" else data[at:after]
        assert start < end
    return out + data[source.tell() :]


def old_files():
    """Parameters and dicts as PyTorch before 0.4 and Python 2 wrote them; verified to be readable by this PyTorch."""
    state = {"w": values(6).view(2, 3).t(), "b": values(2, 1).double()}

    def old(tensor):
        data = As(torch._utils._rebuild_tensor, (tensor.storage(), tensor.storage_offset(), tuple(tensor.size()), tensor.stride()))
        return As(torch.nn.parameter.Parameter, (data,), (True, False, collections.OrderedDict()))

    content = As(collections.OrderedDict, ([[name, old(tensor)] for name, tensor in state.items()],))
    tensors = {name: describe(tensor) for name, tensor in state.items()}
    older = saved(content, _use_new_zipfile_serialization=False)
    for name, data in (("before 0.4", saved(content)), ("before 0.4, older", older), ("of Python 2, older", python2(older))):
        assert {key: describe(tensor) for key, tensor in torch.load(io.BytesIO(data)).items()} == tensors
        yield {"name": name, "file": data, "tensors": tensors}


def zip64(data):
    """The same files with 64-bit sizes and offsets, as in files from 4 GiB."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        contents = [(name.encode(), source.read(name)) for name in source.namelist()]
    out, directory = bytearray(), bytearray()
    for name, content in contents:
        sizes, place = struct.pack("<QQ", len(content), len(content)), struct.pack("<Q", len(out))
        fields = struct.pack("<HHHHHIII", 45, 0, 0, 0, 0x21, zlib.crc32(content), 0xFFFFFFFF, 0xFFFFFFFF)
        out += b"PK\x03\x04" + fields + struct.pack("<HH", len(name), 20) + name + struct.pack("<HH", 1, 16) + sizes + content
        directory += b"PK\x01\x02" + struct.pack("<H", 45) + fields + struct.pack("<HHHHHII", len(name), 28, 0, 0, 0, 0, 0xFFFFFFFF)
        directory += name + struct.pack("<HH", 1, 24) + sizes + place
    start, count = len(out), len(contents)
    record = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, len(directory), start)
    out += directory
    end = len(out)
    out += b"PK\x06\x06" + record + b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    out += b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with zipfile.ZipFile(io.BytesIO(out)) as made:
        assert made.testzip() is None and len(made.namelist()) == count
    torch.load(io.BytesIO(out))
    return bytes(out)


class Calls:
    """Pickles as a call of a Python function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def zipped(pickled, extra=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in extra:
            archive.writestr(name, content)
    return buffer.getvalue()


def attacks():
    touch = "touch alexnet-was-here"
    calls = {
        "os.system": Calls(os.system, touch),
        "builtins.eval": Calls(eval, "open('alexnet-was-here', 'w')"),
        "builtins.exec": Calls(exec, "open('alexnet-was-here', 'w')"),
        "builtins.getattr": Calls(getattr, os, "system"),
        "builtins.__import__": Calls(builtins.__import__, "os"),
        "getattr chain": Calls(Calls(getattr, Calls(builtins.__import__, "os"), "system"), touch),
        "nested pickle": Calls(pickle.loads, pickle.dumps(Calls(os.system, touch), 2)),
        "torch.load": Calls(torch.load, "alexnet-was-here"),
        "class": torch.nn.Linear(1, 1),
        "in a tensor's place": {"w": Calls(os.system, touch)},
    }
    for name, value in calls.items():
        for protocol in (2, 4):
            try:
                yield f"{name}, protocol {protocol}", zipped(pickle.dumps(value, protocol))
            except (TypeError, pickle.PicklingError):  # getattr's module cannot be pickled: by hand, below
                pass
    yield "posix.system by hand", zipped(b"\x80\x02cposix\nsystem\nX\x16\x00\x00\x00" + touch.encode() + b"\x85R.")
    yield "getattr by hand", zipped(
        b"\x80\x02cbuiltins\ngetattr\n(cbuiltins\n__import__\nX\x02\x00\x00\x00os\x85RX\x06\x00\x00\x00systemtR"
        b"X\x16\x00\x00\x00" + touch.encode() + b"\x85R."
    )
    yield "dotted name", zipped(b"\x80\x04\x8c\x05torch\x8c\x0eos.path.system\x93.")
    yield "INST", zipped(b"(S'touch alexnet-was-here'\nios\nsystem\n.")
    yield "OBJ", zipped(b"(cos\nsystem\nX\x16\x00\x00\x00" + touch.encode() + b"o.")
    yield "NEWOBJ", zipped(b"\x80\x02ctorch\nFloatStorage\n)\x81.")
    yield "NEWOBJ_EX", zipped(b"\x80\x04ccollections\nOrderedDict\n)}\x92.")
    yield "EXT1", zipped(b"\x80\x02\x82\x01.")
    yield "persistent id", zipped(b"\x80\x02X\x01\x00\x00\x00xQ.")
    yield "calls a storage", zipped(b"\x80\x02ctorch\nFloatStorage\n)R.")
    yield "builds a call", zipped(b"\x80\x02ccollections\nOrderedDict\n}b.")
    yield "memo bomb", zipped(b"\x80\x02]" + b"q\x00" * 300_000 + b".")
    key, levels = b"X\x01\x00\x00\x00%c", 100
    chain = b"".join(b"}q%c" % i + key % b"a" for i in range(levels)) + b"}q%c" % levels + b"s" * levels
    again = b"".join(b"h%c" % i + key % b"b" + b"h%cs" % (i + 1) for i in range(levels))
    yield "laughs", zipped(b"\x80\x02}(K\x00" + chain + b"K\x01](" + again + b"eu.")
    wide = b"}q\x00"
    for level in range(1, 6):
        wide += b"0}(" + b"".join(b"M" + struct.pack("<H", i) + b"h%c" % (level - 1) for i in range(1000)) + b"uq%c" % level
    yield "POP", zipped(b"\x80\x02" + wide + b".")
    yield "wide", zipped(b"\x80\x02}(K\x01](" + wide.replace(b"0}(", b"}(") + b"eK\x00h\x05u.")
    yield "deep", zipped(b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b".")
    yield "long number", zipped(b"\x80\x02\x8a\xff" + b"\xff" * 255 + b".")
    yield "text beyond the end", zipped(b"\x80\x02X\xff\xff\xff\x7fa.")
    yield "no end", zipped(b"\x80\x02}")
    yield "itself", zipped(b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01h\x00s.")
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu%stQ%s%s%s\x89ccollections\nOrderedDict\n)RtR"
    one = [("archive/data/0", struct.pack("<f", 1))]

    def view(name, count, offset, size, stride):
        return name, zipped(b"\x80\x02}X\x01\x00\x00\x00w" + tensor % (count, offset, size, stride) + b"s.", one)

    yield view("beyond its storage", b"K\x01", b"K\x00", b"K\x02\x85", b"K\x01\x85")
    yield view("offset beyond", b"K\x01", b"K\x01", b"K\x01\x85", b"K\x01\x85")
    yield view("negative stride", b"K\x01", b"K\x00", b"K\x02\x85", b"J\xff\xff\xff\xff\x85")
    yield view("negative offset", b"K\x01", b"J\xff\xff\xff\xff", b"K\x01\x85", b"K\x01\x85")
    yield view("2^63 values", b"K\x01", b"K\x00", b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00\x85", b"K\x00\x85")
    yield view("2^52 of one value", b"K\x01", b"K\x00", b"\x8a\x08\x00\x00\x00\x00\x00\x00\x10\x00\x85", b"K\x00\x85")
    yield view("zero and infinite", b"K\x01", b"K\x00", b"(" + b"J\xff\xff\xff\x7f" * 40 + b"K\x00t", b"(" + b"K\x00" * 41 + b"t")
    yield view("a larger storage", b"K\x02", b"K\x00", b"K\x02\x85", b"K\x01\x85")
    yield view("a fraction", b"K\x01", b"G\x3f\xe0\x00\x00\x00\x00\x00\x00", b"K\x01\x85", b"K\x01\x85")
    good = saved({"w": values(4)})
    yield "bad checksum", good.replace(values(4).numpy().tobytes(), values(4, 1).numpy().tobytes())
    yield "encrypted", flagged(good, 1)
    yield "compressed", recompressed(good)
    yield "cut", good[:-30]
    yield "overlapping", overlapping()
    yield "two files of one name", doubled()
    for name in ("../data.pkl", "archive/../../x", "/etc/x", "archive\\..\\x", "c:x", "archive//x"):
        yield f"named {name}", zipped(pickle.dumps({}, 2), [(name, b"x")])
    yield "bomb", bomb()
    older = saved({"w": values(4)}, _use_new_zipfile_serialization=False)
    yield "older, cut", older[:-4]
    yield "older, longer", older + b"x"
    yield "older, other length", older[:-24] + struct.pack("<q", 2**62) + older[-16:]
    yield "not of torch", b"\x89PNG\r\n\x1a\n" + bytes(32)
    yield "another pickle", pickle.dumps({"a": 1}, 2)
    yield "empty", b""


def flagged(data, flag):
    """Sets a flag in every header and directory entry."""
    data = bytearray(data)
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + place] |= flag
            at = data.find(signature, at + 4)
    return bytes(data)


def recompressed(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    return buffer.getvalue()


def bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(30_000_000))
    return buffer.getvalue()


def overlapping():
    """One file inside another's bytes, with a header of its own there, as in zip bombs."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("archive/data/0", b"x" * 8)
        info, end = archive.filelist[0], archive.start_dir
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", inner.getvalue()[:end])
        info.header_offset = archive.start_dir - end
        archive.filelist.append(info)
        archive.NameToInfo[info.filename] = info
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as archive:
        assert archive.read("archive/data/0") == b"x" * 8
    return buffer.getvalue()


def doubled():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zipped(pickle.dumps({}, 2), [("archive/data.pkl", pickle.dumps({"a": 1}, 2))])


def packed(data):
    return base64.b64encode(zlib.compress(data, 9)).decode()


if __name__ == "__main__":
    files = [{**entry, "file": packed(entry["file"])} for entry in good_files()]
    refused = [{"name": name, "file": packed(data)} for name, data in attacks()]
    GOLDEN.write_text(json.dumps({"torch": torch.__version__, "files": files, "attacks": refused}, indent=1) + "\n")
    print(f"{GOLDEN}: {len(files)} files, {len(refused)} attacks, {GOLDEN.stat().st_size} bytes")
