"""Writes test/golden/imageKinds.json: TIFF, BMP and AVIF files, and their pixels.

Run from the repository with Pillow 12 or later, which reads TIFF and AVIF: python3 scripts/golden/imageKinds.py

Pixels are those of Pillow after exif_transpose: 16 bits truncated to 8, CMYK and palettes as RGB, grey as one channel, transparent parts on white.
Files that Pillow refuses or misreads have the pixels that were written into them; `by` tells which.
"""

import base64
import io
import itertools
import json
import struct
import warnings
import zlib

import numpy
import PIL
from PIL import Image, ImageOps

warnings.simplefilter("ignore")

WIDTH, HEIGHT = 21, 13
y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
RGB = numpy.stack([x * 12, y * 20, (x * y * 7 + 40) % 256], 2).astype(numpy.uint8)
GREY = ((x * 9 + y * 13) % 256).astype(numpy.uint8)
ALPHA = ((x * 25 + y * 3) % 256).astype(numpy.uint8)
INKS = numpy.stack([x * 12, y * 19, (x * y * 3) % 256, (x + 2 * y) * 3], 2).astype(numpy.uint8)
NOISE = ((x * x * 31 + y * 57 + 7 * x * y) % 256).astype(numpy.uint16)

cases = {}


def on_white(colours, alpha):
    alpha = alpha.astype(float)[..., None] / 255
    return numpy.rint(alpha * colours + (1 - alpha) * 255)


def seen(image):
    """The pixels of an image of any mode."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return numpy.asarray(image) >> 8
    if image.mode in ("1", "L"):
        return numpy.asarray(image.convert("L"))
    if image.mode in ("La", "LA"):
        grey, alpha = (numpy.asarray(band) for band in image.convert("LA").split())
        return on_white(grey[..., None], alpha)[..., 0]
    if image.mode in ("RGBA", "PA"):
        rgba = numpy.asarray(image.convert("RGBA"))
        return on_white(rgba[..., :3], rgba[..., 3])
    return numpy.asarray(image.convert("RGB"))


def add(name, file, written=None, tolerance=0):
    """A case with the pixels of Pillow, or those that were written."""
    assert name not in cases, name
    pixels = seen(Image.open(io.BytesIO(file))) if written is None else written
    pixels = numpy.asarray(pixels).astype(numpy.uint8)
    cases[name] = {
        "by": "Pillow" if written is None else "writer",
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "channels": 1 if pixels.ndim == 2 else 3,
        "tolerance": tolerance,
        "file": base64.b64encode(zlib.compress(file, 9)).decode(),
        "pixels": base64.b64encode(zlib.compress(pixels.tobytes(), 9)).decode(),
    }


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


# TIFF. Source: TIFF 6.0; BigTIFF design (libtiff.org); Adobe Photoshop TIFF technical notes.
SHORT, LONG, LONG8 = 3, 4, 16
WIDTH_TAG, HEIGHT_TAG, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 273, 274, 277, 278, 279, 284, 317
COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, EXTRA, FORMAT, SUBSAMPLING = 320, 322, 323, 324, 325, 338, 339, 530


def directories(pages, order="<", big=False, pieces_first=True):
    """A TIFF file of pages: tags and pieces (strips or tiles), whose offsets and lengths are added."""
    offset, count = ("Q", "Q") if big else ("L", "H")
    head = (b"II" if order == "<" else b"MM") + (struct.pack(order + "HHH", 43, 8, 0) if big else struct.pack(order + "H", 42))
    start = len(head) + (8 if big else 4)
    body = bytearray()
    link, first = None, 0
    for tags, pieces in pages:
        places = []
        for piece in pieces:
            body += b"\0" * (len(body) % 2)
            places.append(start + len(body))
            body += piece
        tags = dict(tags)
        tiled = TILE_WIDTH in tags
        tags[TILE_OFFSETS if tiled else STRIP_OFFSETS] = (LONG8 if big else LONG, places)
        tags[TILE_BYTES if tiled else STRIP_BYTES] = (LONG, [len(piece) for piece in pieces])
        entries = []
        for tag, value in sorted(tags.items()):
            kind, values = value if isinstance(value, tuple) else (SHORT, value if isinstance(value, list) else [value])
            data = struct.pack(f"{order}{len(values)}{ {SHORT: 'H', LONG: 'L', LONG8: 'Q', 1: 'B', 7: 'B'}[kind]}", *values)
            room = 8 if big else 4
            if len(data) > room:
                body += b"\0" * (len(body) % 2)
                place = start + len(body)
                body += data
                data = struct.pack(order + offset, place)
            entries.append(struct.pack(order + "HH" + offset, tag, kind, len(values)) + data.ljust(room, b"\0"))
        body += b"\0" * (len(body) % 2)
        place = start + len(body)
        if link is None:
            first = place
        else:
            body[link : link + (8 if big else 4)] = struct.pack(order + offset, place)
        body += struct.pack(order + count, len(entries)) + b"".join(entries)
        link = len(body)
        body += struct.pack(order + offset, 0)
    return head + struct.pack(order + offset, first) + bytes(body)


def packed(samples, bits):
    """Rows of samples of 1, 2, 4 or 8 bits as bytes, each row filled to a whole byte."""
    rows = samples.reshape(samples.shape[0], -1)
    pixels = numpy.unpackbits(rows[..., None].astype(numpy.uint8), axis=2)[..., 8 - bits :]
    return numpy.packbits(pixels.reshape(rows.shape[0], -1), axis=1).tobytes()


def tiff_page(samples, photometric, bits=8, order="<", rows=HEIGHT, planar=1, tile=None, coded=lambda piece: piece, **tags):
    """The tags and the pieces of an image; `coded` compresses a piece."""
    samples = samples if samples.ndim == 3 else samples[..., None]
    height, width, count = samples.shape
    planes = [samples] if planar == 1 else [samples[..., c : c + 1] for c in range(count)]
    raw = lambda block: block.astype(order + "u2").tobytes() if bits == 16 else packed(block, bits)
    pieces = []
    for plane in planes:
        if tile is None:
            pieces += [raw(plane[at : at + rows]) for at in range(0, height, rows)]
        else:
            across, down = tile
            full = numpy.zeros((-(-height // down) * down, -(-width // across) * across, plane.shape[2]), plane.dtype)
            full[:height, :width] = plane
            for top, left in itertools.product(range(0, full.shape[0], down), range(0, full.shape[1], across)):
                pieces.append(raw(full[top : top + down, left : left + across]))
    shape = {ROWS: rows} if tile is None else {TILE_WIDTH: tile[0], TILE_HEIGHT: tile[1]}
    base = {WIDTH_TAG: width, HEIGHT_TAG: height, BITS: [bits] * count, COMPRESSION: 1, PHOTOMETRIC: photometric, SAMPLES: count, PLANAR: planar}
    return base | shape | {int(tag[1:]): value for tag, value in tags.items()}, [coded(piece) for piece in pieces]


def tiff(samples, photometric, order="<", big=False, **options):
    return directories([tiff_page(samples, photometric, order=order, **options)], order, big)


deflate = {"coded": zlib.compress, f"_{COMPRESSION}": 8}
ORDERS = (("<", "little-endian"), (">", "big-endian"))
sixteen = lambda samples: samples.astype(numpy.uint16) * 256 + (NOISE if samples.ndim == 2 else NOISE[..., None])
scaled = lambda bits: GREY >> (8 - bits)
levels = lambda samples, bits: samples * (255 // (2**bits - 1))
palette = lambda bits, unit: numpy.concatenate([(numpy.arange(2**bits) * k + 3) % 256 * unit for k in (37, 91, 13)]).astype(int).tolist()
painted = lambda bits: numpy.stack([(scaled(bits).astype(int) * k + 3) % 256 for k in (37, 91, 13)], 2)
rgba = numpy.concatenate([RGB, ALPHA[..., None]], 2)
associated = numpy.concatenate([RGB.astype(int) * ALPHA[..., None] // 255, ALPHA[..., None]], 2).astype(numpy.uint8)
grey_alpha = numpy.stack([GREY, ALPHA], 2)

for order, name in ORDERS:
    add(f"TIFF, RGB, {name}", tiff(RGB, 2, order, rows=5))
    add(f"TIFF, grey, {name}", tiff(GREY, 1, order, rows=5))
    add(f"TIFF, 16-bit RGB, {name}", tiff(sixteen(RGB), 2, order, bits=16))
    add(f"TIFF, 16-bit grey, {name}", tiff(sixteen(GREY), 1, order, bits=16))
    add(f"TIFF, 16-bit RGBA, {name}", tiff(sixteen(rgba), 2, order, bits=16, _338=2), tolerance=1)
    add(f"BigTIFF, RGB, {name}", tiff(RGB, 2, order, big=True, rows=5), RGB)
    add(f"TIFF, deflate with 16-bit predictor, {name}", saved(Image.fromarray(sixteen(GREY)), "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2}, **({"big_tiff": True} if order == ">" else {})))
for bits in (1, 2, 4, 8):
    add(f"TIFF, {bits}-bit grey", tiff(scaled(bits), 1, bits=bits))
    add(f"TIFF, {bits}-bit grey, white is 0", tiff(scaled(bits), 0, bits=bits))
    add(f"TIFF, {bits}-bit grey, reversed bits", tiff(scaled(bits), 1, bits=bits, coded=lambda piece: bytes(int(f"{b:08b}"[::-1], 2) for b in piece), _266=2))
    add(f"TIFF, {bits}-bit palette", tiff(scaled(bits), 3, bits=bits, _320=palette(bits, 257)))
    add(f"TIFF, {bits}-bit palette, deflate", tiff(scaled(bits), 3, bits=bits, _320=palette(bits, 256), **deflate))
add("TIFF, 8-bit palette of 8-bit colours", tiff(scaled(8), 3, _320=palette(8, 1)), painted(8))
add("TIFF, 16-bit grey, white is 0", tiff(sixteen(GREY), 0, bits=16), 255 - GREY)
add("TIFF, tiles", tiff(RGB, 2, tile=(16, 16)))
add("TIFF, grey tiles of another shape", tiff(GREY, 1, tile=(32, 16), **deflate))
add("TIFF, tile larger than the image", tiff(RGB, 2, tile=(64, 48), **deflate))
add("TIFF, separate planes", tiff(RGB, 2, planar=2, rows=5))
add("TIFF, one number of bits for all samples", tiff(RGB, 2, _258=8))
add("TIFF, RGBA", tiff(rgba, 2, _338=2), tolerance=1)
add("TIFF, RGBA, alpha multiplied", tiff(associated, 2, _338=1), tolerance=1)
add("TIFF, RGB and an unspecified sample", tiff(rgba, 2, _338=0))
add("TIFF, four samples without a meaning", tiff(rgba, 2), tolerance=1)
add("TIFF, grey and alpha", tiff(grey_alpha, 1, _338=2), tolerance=1)
add("TIFF, grey and an unspecified sample", tiff(grey_alpha, 1, _338=0))
add("TIFF, CMYK", tiff(INKS, 5, rows=4))
add("TIFF, CMYK and an unspecified sample", tiff(numpy.concatenate([INKS, GREY[..., None]], 2), 5, _338=0))
add("TIFF, several pages", directories([tiff_page(RGB, 2), tiff_page(GREY, 1), tiff_page(RGB[::-1], 2)]))
for orientation in range(1, 9):
    add(f"TIFF, orientation {orientation}", tiff(RGB, 2, _274=orientation))
colour, grey, inks = Image.fromarray(RGB), Image.fromarray(GREY), Image.fromarray(INKS, "CMYK")
for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"):
    for mode, image in (("RGB", colour), ("grey", grey), ("CMYK", inks), ("1-bit", grey.convert("1")), ("palette", colour.quantize(60)), ("RGBA", Image.fromarray(rgba))):
        add(f"TIFF, {compression}, {mode}", saved(image, "TIFF", compression=compression), tolerance=int(mode == "RGBA"))
add("TIFF, LZW with a predictor", saved(colour, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}))
for compression in ("group3", "group4", "tiff_ccitt"):
    add(f"TIFF, {compression}", saved(grey.convert("1"), "TIFF", compression=compression))
# JPEG: the decoders' inverse transforms and colour conversions differ by a level or two.
add("TIFF, JPEG", saved(colour, "TIFF", compression="jpeg", quality=95), tolerance=3)
add("TIFF, JPEG, grey", saved(grey, "TIFF", compression="jpeg", quality=95), tolerance=2)
add("TIFF, JPEG, CMYK", saved(inks, "TIFF", compression="jpeg", quality=95), tolerance=3)
add("TIFF, WebP", saved(colour, "TIFF", compression="webp"), tolerance=24)

# Kinds that are not read, which would otherwise be misread, or that sharp's libtiff lacks. Pillow reads them, or makes them black.
refused = {
    "16 bits per sample": tiff(sixteen(INKS), 5, bits=16),
    "compressed by Zstandard": saved(colour, "TIFF", compression="zstd"),
    "compressed by LZMA": saved(colour, "TIFF", compression="lzma"),
    "compressed by JPEG of the kind before 1995": tiff(RGB, 6, _259=6),
    "compressed by method 777": tiff(RGB, 2, _259=777),
    "tiles with separate planes": tiff(RGB, 2, planar=2, tile=(16, 16), **deflate),
    "5 samples per pixel": tiff(numpy.concatenate([rgba, GREY[..., None]], 2), 2, _338=[2, 0]),
    "2 samples per pixel": tiff(grey_alpha, 2),
    "YCbCr without JPEG": tiff(numpy.asarray(colour.convert("YCbCr")), 6, _530=[1, 1], **deflate),
    "floating-point samples": saved(Image.fromarray(GREY.astype(numpy.float32) / 255), "TIFF"),
    "signed samples": saved(Image.fromarray(GREY.astype(numpy.int32)), "TIFF"),
    "32 bits per sample": tiff(GREY, 1, _258=32),
    "12 bits per sample": tiff(GREY, 1, _258=12),
    "samples differ in bits": tiff(RGB, 2, _258=[8, 8, 16]),
    "photometric interpretation 8": tiff(RGB, 8),
    "photometric interpretation 32803": tiff(GREY, 32803),
    "first page is a preview": directories([tiff_page(GREY, 1, _254=1), tiff_page(RGB, 2)]),
}

# BMP. Source: Microsoft, “Bitmap Storage”; OS/2 2.0 Presentation Manager reference, “Bitmap File Format”.


def bmp_rows(samples, bits):
    data = packed(samples, bits) if bits <= 8 else samples.tobytes()
    length = len(data) // samples.shape[0]
    return [data[at : at + length] + b"\0" * (-length % 4) for at in range(0, len(data), length)]


def bmp(pixels, bits, colours=b"", header=40, compression=0, masks=(), size=(WIDTH, HEIGHT), used=0, down=False, gap=0):
    """A file of rows from the bottom, or of coded data. `down`: the rows are stored from the top."""
    data = pixels if isinstance(pixels, bytes) else b"".join(pixels if down else pixels[::-1])
    if header == 12:
        info = struct.pack("<LHHHH", 12, *size, 1, bits)
    else:
        info = struct.pack("<LllHHLLllLL", header, size[0], -size[1] if down else size[1], 1, bits, compression, len(data), 2835, 2835, used, 0)
        inside = b"".join(struct.pack("<L", mask) for mask in masks) if header >= 52 else b""
        info = info[:header] if header < 40 else (info + inside).ljust(header, b"\0")
    after = b"".join(struct.pack("<L", mask) for mask in masks) if header == 40 else b""
    start = 14 + len(info) + len(after) + len(colours) + gap
    return b"BM" + struct.pack("<LHHL", start + len(data), 0, 0, start) + info + after + colours + b"\0" * gap + data


def colours_of(bits, padding=4, count=None):
    table = [[(i * k + 3) % 256 for k in (13, 91, 37)] + [0] * (padding - 3) for i in range(count or 2**bits)]
    return bytes(itertools.chain(*table))


greys = lambda bits: bytes(itertools.chain(*[[i * 255 // (2**bits - 1)] * 3 + [0] for i in range(2**bits)]))
bgr = RGB[..., ::-1]
for bits in (1, 4, 8):
    add(f"BMP, {bits} bits", bmp(bmp_rows(scaled(bits), bits), bits, colours_of(bits)))
    add(f"BMP, {bits} bits, from the top", bmp(bmp_rows(scaled(bits), bits), bits, colours_of(bits), down=True))
    add(f"BMP, {bits} bits, OS/2", bmp(bmp_rows(scaled(bits), bits), bits, colours_of(bits, 3), header=12))
    add(f"BMP, {bits} bits of grey", bmp(bmp_rows(scaled(bits), bits), bits, greys(bits)), levels(scaled(bits), bits))
    add(f"BMP, {bits} bits, a gap before the pixels", bmp(bmp_rows(scaled(bits), bits), bits, colours_of(bits), gap=10))
add("BMP, 2 bits", bmp(bmp_rows(scaled(2), 2), 2, colours_of(2)), painted(2))
add("BMP, 8 bits, 100 colours", bmp(bmp_rows(GREY % 100, 8), 8, colours_of(8, 4, 100), used=100))
for header in (40, 52, 56, 64, 108, 124):
    add(f"BMP, 24 bits, header of {header} bytes", bmp(bmp_rows(bgr, 24), 24, header=header))
add("BMP, 24 bits, OS/2", bmp(bmp_rows(bgr, 24), 24, header=12))
add("BMP, 24 bits, OS/2, header of 16 bytes", bmp(bmp_rows(bgr, 24), 24, header=16), RGB)
add("BMP, 24 bits, from the top", bmp(bmp_rows(bgr, 24), 24, down=True))
add("BMP, 24 bits with a palette", bmp(bmp_rows(bgr, 24), 24, colours_of(4), used=16))
fifteen = (RGB.astype(numpy.uint16) >> 3)
words = fifteen[..., 0] << 10 | fifteen[..., 1] << 5 | fifteen[..., 2]
five_six = RGB[..., 0].astype(numpy.uint16) >> 3 << 11 | RGB[..., 1].astype(numpy.uint16) >> 2 << 5 | RGB[..., 2] >> 3
add("BMP, 16 bits", bmp(bmp_rows(words.astype("<u2"), 16), 16))
add("BMP, 16 bits, 565", bmp(bmp_rows(five_six.astype("<u2"), 16), 16, compression=3, masks=(0xF800, 0x7E0, 0x1F)))
add("BMP, 16 bits, 555 by fields", bmp(bmp_rows(words.astype("<u2"), 16), 16, compression=3, masks=(0x7C00, 0x3E0, 0x1F)))
four = RGB.astype(numpy.uint16) >> 4
add("BMP, 16 bits, 444", bmp(bmp_rows((four[..., 0] << 8 | four[..., 1] << 4 | four[..., 2]).astype("<u2"), 16), 16, compression=3, masks=(0xF00, 0xF0, 0xF)), four * 17)
bgrx = numpy.concatenate([bgr, ALPHA[..., None]], 2)
add("BMP, 32 bits", bmp(bmp_rows(bgrx, 32), 32))
add("BMP, 32 bits, header of 124 bytes", bmp(bmp_rows(bgrx, 32), 32, header=124))
add("BMP, 32 bits by fields", bmp(bmp_rows(bgrx, 32), 32, compression=3, masks=(0xFF0000, 0xFF00, 0xFF)))
add("BMP, 32 bits by fields, other order", bmp(bmp_rows(bgrx[..., [3, 0, 1, 2]].copy(), 32), 32, compression=3, masks=(0xFF000000, 0xFF0000, 0xFF00)))
add("BMP, 32 bits with alpha", bmp(bmp_rows(bgrx, 32), 32, header=124, compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000)), tolerance=1)
add("BMP, 32 bits with alpha, header of 56 bytes", bmp(bmp_rows(bgrx, 32), 32, header=56, compression=3, masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000)), tolerance=1)
ten = RGB.astype(numpy.uint32) << 2 | RGB >> 6
add("BMP, 32 bits, 10 of each", bmp(bmp_rows((ten[..., 0] << 20 | ten[..., 1] << 10 | ten[..., 2]).astype("<u4"), 32), 32, compression=3, masks=(0x3FF00000, 0xFFC00, 0x3FF)), ten * 255 // 1023)


def runs(row):
    return b"".join(bytes([len(list(same)), value]) for value, same in itertools.groupby(row))


def absolute8(row):
    return bytes([0, len(row)]) + bytes(row) + b"\0" * (len(row) % 2)


def absolute4(row):
    data = packed(numpy.array(row)[None], 4)
    return bytes([0, len(row)]) + data + b"\0" * (len(data) % 2)


flat = (GREY // 60 * 3).astype(int)
nibbles = (flat % 16).tolist()
end_of_line, end = b"\0\0", b"\0\1"
lines = lambda rows, coded: b"".join(coded(row) + end_of_line for row in rows[::-1]) + end
paired = lambda row: b"".join(bytes([2 if i + 1 < len(row) else 1, row[i] << 4 | (row[i + 1] if i + 1 < len(row) else 0)]) for i in range(0, len(row), 2))
add("BMP, RLE8, runs", bmp(lines(flat.tolist(), runs), 8, colours_of(8), compression=1))
add("BMP, RLE8, absolute", bmp(lines(flat.tolist(), absolute8), 8, colours_of(8), compression=1))
jumping = numpy.zeros_like(flat)
jumping[-1], jumping[-5, 5:9] = flat[-1], 7
jumping_painted = numpy.stack([(jumping * k + 3) % 256 for k in (37, 91, 13)], 2)
jump = runs(flat.tolist()[-1]) + end_of_line + b"\0\2\5\3" + bytes([4, 7]) + end_of_line
add("BMP, RLE8, a jump, and an early end", bmp(jump + end, 8, colours_of(8), compression=1), jumping_painted)
add("BMP, RLE8, a run that exceeds its row", bmp(lines(flat.tolist(), lambda row: runs(row)[:-2] + bytes([200, row[-1]])), 8, colours_of(8), compression=1))
add("BMP, RLE8 of grey", bmp(lines(flat.tolist(), runs), 8, greys(8), compression=1))
add("BMP, RLE4, runs", bmp(lines(nibbles, paired), 4, colours_of(4), compression=2))
add("BMP, RLE4, absolute", bmp(lines(nibbles, absolute4), 4, colours_of(4), compression=2))

# AVIF. Decoders differ by a level or two where they interpolate and convert chrominances.
smooth = Image.fromarray(numpy.stack([x * 8, y * 15, 200 - x * 3 - y * 4], 2).astype(numpy.uint8))
add("AVIF", saved(smooth, "AVIF", quality=90), tolerance=12)
add("AVIF, 4:4:4", saved(colour, "AVIF", quality=100, subsampling="4:4:4"), tolerance=2)
add("AVIF, grey", saved(grey, "AVIF", quality=100), tolerance=2)
add("AVIF, alpha", saved(Image.fromarray(rgba), "AVIF", quality=100, subsampling="4:4:4"), tolerance=3)
add("AVIF, several images", saved(colour, "AVIF", quality=100, subsampling="4:4:4", save_all=True, append_images=[grey.convert("RGB")] * 2), tolerance=2)
# The photo at 64×48 by libheif: heif-enc -A photo16.png -q 90 -b 12 -p chroma=444. Pillow writes 8 bits only.
with open("test/golden/raccoon12.avif", "rb") as file:
    add("AVIF, 12 bits", file.read(), tolerance=3)
for orientation in range(2, 9):
    exif = Image.Exif()
    exif[0x112] = orientation
    add(f"AVIF, orientation {orientation}", saved(colour, "AVIF", quality=100, subsampling="4:4:4", exif=exif), tolerance=2)

golden = {
    "madeBy": f"scripts/golden/imageKinds.py, Pillow {PIL.__version__}",
    "cases": cases,
    "refused": {name: base64.b64encode(zlib.compress(file, 9)).decode() for name, file in refused.items()},
}
with open("test/golden/imageKinds.json", "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
