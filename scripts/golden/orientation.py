"""Writes test/golden/orientation.json: image files with the orientation in different metadata, and the transformation that Pillow applies.

Run from the repository with Pillow 12: python3 scripts/golden/orientation.py
"""

import base64
import io
import json
import struct
import warnings
import zlib

import PIL
from PIL import Image, ImageOps

warnings.simplefilter("ignore")

# Quarters of red, green, blue and white distinguish all eight orientations.
picture = Image.new("RGB", (24, 16), "white")
for box, colour in (((0, 0, 12, 8), "red"), ((12, 0, 24, 8), "blue"), ((0, 8, 12, 16), "lime")):
    picture.paste(colour, box)


def encoded(form, **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


jpeg, png, webp = encoded("JPEG", quality=90, subsampling=0), encoded("PNG"), encoded("WEBP", lossless=True)

formats = {1: "B", 2: "s", 3: "H", 4: "L", 5: "LL", 6: "b", 7: "B", 8: "h", 9: "l", 10: "ll", 11: "f", 12: "d", 13: "L", 16: "Q"}
names = "BYTE ASCII SHORT LONG RATIONAL SBYTE UNDEFINED SSHORT SLONG SRATIONAL FLOAT DOUBLE IFD".split()
types = dict(enumerate(names, 1)) | {16: "LONG8"}
ORIENTATION, MAKE = 0x112, 0x10F


def entry(tag, kind, values, count=None, order="<"):
    """Tag, type, count and the bytes of the values."""
    unit = formats[kind]
    data = b"".join(struct.pack(order + unit, *((v, 1) if len(unit) == 2 and not isinstance(v, tuple) else v if isinstance(v, tuple) else (v,))) for v in values)
    return struct.pack(order + "HHL", tag, kind, len(values) if count is None else count), data


def tiff(entries, order="<", at=8, magic=42, tail=b"\0", following=0):
    """A TIFF header and one directory; values of more than 4 bytes come after it."""
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HL", magic, at) + b"\xaa" * (at - 8)
    place, lines, rest = at + 2 + 12 * len(entries) + 4, b"", b""
    for head, data in entries:
        if len(data) > 4:
            lines += head + struct.pack(order + "L", place + len(rest))
            rest += data
        else:
            lines += head + data + tail * (4 - len(data))
    return start + struct.pack(order + "H", len(entries)) + lines + struct.pack(order + "L", following) + rest


def turned(value, kind=3, order="<", **options):
    return tiff([entry(ORIENTATION, kind, [value], order=order)], order, **options)


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def in_jpeg(*segments):
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def app1(exif):
    return segment(0xE1, b"Exif\0\0" + exif)


def chunk(kind, data):
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def in_png(*chunks, late=False):
    at = len(png) - 12 if late else 33
    return png[:at] + b"".join(chunks) + png[at:]


def in_webp(flags, *chunks):
    body = b"".join(kind + struct.pack("<L", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    size = struct.pack("<L", 23)[:3] + struct.pack("<L", 15)[:3]
    body = b"WEBPVP8X" + struct.pack("<LL", 10, flags) + size + webp[12:] + body
    return b"RIFF" + struct.pack("<L", len(body)) + body


def xmp(text):
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{text}</x:xmpmeta>'.encode()


def xmp_segment(text):
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(text))


def raw_profile(exif):
    """A raw profile as written by ImageMagick."""
    digits = exif.hex()
    lines = "\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return f"\nexif\n{len(exif):8}\n{lines}\n".encode()


six, three, make = turned(6), turned(3), entry(MAKE, 2, [b"a", b"\0"])
attribute, element = ' tiff:Orientation="6"/>', "><tiff:Orientation>6</tiff:Orientation></rdf:Description>"
key, itxt = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0\0\0\0\0"
cases = {"none": jpeg}
for order, which in (("<", "little-endian"), (">", "big-endian")):
    for kind, name in types.items():
        values = [(b"6",), (b"\0",)] if kind == 2 else [6, 3, 8]
        for count in range(len(values) + 1):
            cases[f"{name} × {count}, {which}"] = in_jpeg(app1(tiff([entry(ORIENTATION, kind, values[:count], order=order)], order)))
    for value in range(10):
        cases[f"LONG {value}, {which}"] = in_jpeg(app1(turned(value, 4, order)))
    cases[f"SHORT 65535, {which}"] = in_jpeg(app1(turned(65535, 3, order)))
    cases[f"SHORT before bytes of 255, {which}"] = in_jpeg(app1(turned(6, 3, order, tail=b"\xff")))
cases |= {f"directory at {at}": in_jpeg(app1(turned(6, at=at))) for at in (9, 10, 100, 1000)}
cases |= {f"TIFF version {magic}": in_jpeg(app1(turned(6, magic=magic))) for magic in (0, 43, 0x4F52)}
cases |= {f"RATIONAL {a}/{b}": in_jpeg(app1(turned((a, b), 5))) for a, b in ((12, 2), (13, 2), (0, 0))}
cases |= {
    "LONG 6 << 16, big-endian": in_jpeg(app1(turned(6 << 16, 4, ">"))),
    "entry without a type": in_jpeg(app1(six[:12] + b"\0\0" + six[14:])),
    "entry that is repeated, invalid first": in_jpeg(app1(tiff([entry(ORIENTATION, 3, [9]), entry(ORIENTATION, 3, [6])]))),
    "entry that is repeated, invalid last": in_jpeg(app1(tiff([entry(ORIENTATION, 3, [6]), entry(ORIENTATION, 3, [9])]))),
    "entry after one whose values lie beyond the end": in_jpeg(app1(tiff([entry(MAKE, 2, [b"a"] * 5, 5000), entry(ORIENTATION, 3, [6])]))),
    "entries out of order": in_jpeg(app1(tiff([entry(0x132, 2, [b"a"]), entry(ORIENTATION, 3, [6])]))),
    "more entries announced than there are": in_jpeg(app1(six[:8] + b"\x32" + six[9:])),
    "directory without its end": in_jpeg(app1(six[:22])),
    "directory cut in its entry": in_jpeg(app1(six[:20])),
    "second directory only": in_jpeg(app1(tiff([make], following=26) + six[8:])),
    "directory of EXIF only": in_jpeg(app1(tiff([entry(0x8769, 4, [26])]) + six[8:])),
    "prefix twice": in_jpeg(app1(b"Exif\0\0" + six)),
    "prefix of one zero": in_jpeg(segment(0xE1, b"Exif\0" + six)),
    "prefix in capitals": in_jpeg(segment(0xE1, b"EXIF\0\0" + six)),
    "two segments": in_jpeg(app1(six), app1(three)),
    "two segments, the first without": in_jpeg(app1(tiff([make])), app1(six)),
    "split in two segments": in_jpeg(app1(six[:14]), app1(six[14:])),
    "APP2": in_jpeg(segment(0xE2, b"Exif\0\0" + six)),
    "segment after the frame header": jpeg[: jpeg.index(b"\xff\xda")] + app1(six) + jpeg[jpeg.index(b"\xff\xda") :],
    "segment after the scan": jpeg[:-2] + app1(six) + jpeg[-2:],
    "JPEG, XMP attribute": in_jpeg(xmp_segment(attribute)),
    "JPEG, XMP element": in_jpeg(xmp_segment(element)),
    "JPEG, XMP of 9": in_jpeg(xmp_segment(' tiff:Orientation="9"/>')),
    "JPEG, XMP in the second segment": in_jpeg(xmp_segment("/>"), xmp_segment(attribute)),
    "JPEG, EXIF of 3, XMP": in_jpeg(app1(three), xmp_segment(attribute)),
    "JPEG, XMP, EXIF of 1": in_jpeg(xmp_segment(attribute), app1(turned(1))),
    "JPEG, EXIF of 9, XMP": in_jpeg(app1(turned(9)), xmp_segment(attribute)),
    "JPEG, EXIF without, XMP": in_jpeg(app1(tiff([make])), xmp_segment(attribute)),
    "PNG, eXIf": in_png(chunk(b"eXIf", six)),
    "PNG, eXIf of LONG": in_png(chunk(b"eXIf", turned(6, 4, ">"))),
    "PNG, eXIf after the pixels": in_png(chunk(b"eXIf", six), late=True),
    "PNG, eXIf with a prefix": in_png(chunk(b"eXIf", b"Exif\0\0" + six)),
    "PNG, tEXt": in_png(chunk(b"tEXt", key + raw_profile(b"Exif\0\0" + six))),
    "PNG, zTXt": in_png(chunk(b"zTXt", key + b"\0" + zlib.compress(raw_profile(six)))),
    "PNG, zTXt after the pixels": in_png(chunk(b"zTXt", key + b"\0" + zlib.compress(raw_profile(six))), late=True),
    "PNG, iTXt": in_png(chunk(b"iTXt", key + b"\0\0\0\0" + raw_profile(six))),
    "PNG, zTXt before eXIf of 3": in_png(chunk(b"zTXt", key + b"\0" + zlib.compress(raw_profile(six))), chunk(b"eXIf", three)),
    "PNG, text of another name": in_png(chunk(b"tEXt", b"Raw profile type APP1\0" + raw_profile(b"Exif\0\0" + six))),
    "PNG, XMP": in_png(chunk(b"iTXt", itxt + xmp(attribute))),
    "PNG, XMP, compressed": in_png(chunk(b"iTXt", itxt[:18] + b"\1\0\0\0" + zlib.compress(xmp(element)))),
    "PNG, XMP after the pixels": in_png(chunk(b"iTXt", itxt + xmp(attribute)), late=True),
    "PNG, XMP beside eXIf without": in_png(chunk(b"iTXt", itxt + xmp(attribute)), chunk(b"eXIf", tiff([make]))),
    "WebP, EXIF": in_webp(8, (b"EXIF", six)),
    "WebP, EXIF of LONG": in_webp(8, (b"EXIF", turned(6, 4))),
    "WebP, EXIF with a prefix": in_webp(8, (b"EXIF", b"Exif\0\0" + six)),
    "WebP, EXIF without the flag": in_webp(0, (b"EXIF", six)),
    "WebP, XMP": in_webp(4, (b"XMP ", xmp(attribute))),
    "WebP, XMP without the flag": in_webp(0, (b"XMP ", xmp(attribute))),
    "WebP, EXIF of 3, XMP": in_webp(12, (b"EXIF", three), (b"XMP ", xmp(attribute))),
}


def applied(file):
    """The orientation whose correction gives Pillow's result."""
    found = ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGB")
    width, height = found.size
    corners = [found.getpixel(at) for at in ((2, 2), (width - 3, 2), (2, height - 3), (width - 3, height - 3))]
    letters = "".join("W" if min(c) > 200 else "RGB"[c.index(max(c))] for c in corners)
    return ["RBGW", "BRWG", "WGBR", "GWRB", "RGBW", "GRWB", "WBGR", "BWRG"].index(letters) + 1


golden = {
    "madeBy": f"scripts/golden/orientation.py, Pillow {PIL.__version__}",
    "cases": [{"name": name, "pillow": applied(file), "file": base64.b64encode(file).decode()} for name, file in cases.items()],
}
with open("test/golden/orientation.json", "w") as file:
    json.dump(golden, file, indent=1, ensure_ascii=False)
    file.write("\n")
