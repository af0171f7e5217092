/** Structure of a TIFF file: the first page, its samples, completeness. */
import { checkSize, damaged, type ImageFile, truncated, unread } from "./imageFile.ts";
import { isOrientation, xmpOrientation } from "./orientation.ts";
import { firstDirectory, type TiffDirectory, type TiffValues, withDirectory, withPlace } from "./tiffDirectory.ts";

/** Tags of fields. Source: TIFF 6.0, appendix A; its technical notes; XMP specification, part 3, 3.3. */
const tag = {
  newSubfileType: 254,
  subfileType: 255,
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  orientation: 274,
  samples: 277,
  rowsPerStrip: 278,
  stripBytes: 279,
  planar: 284,
  t4Options: 292,
  t6Options: 293,
  predictor: 317,
  colourMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileBytes: 325,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  subsampling: 530,
  xmp: 700,
} as const;

/** Values of `compression` that are read. */
const [UNCOMPRESSED, JPEG] = [1, 7];
const compressions: ReadonlyMap<number, string> = new Map([
  [UNCOMPRESSED, "none"],
  [2, "CCITT RLE"],
  [3, "CCITT T.4"],
  [4, "CCITT T.6"],
  [5, "LZW"],
  [JPEG, "JPEG"],
  [8, "deflate"],
  [32946, "deflate"],
  [32773, "PackBits"],
  [50001, "WebP"],
]);
/** Names of some others, for messages. */
const otherCompressions: ReadonlyMap<number, string> = new Map([
  [6, "JPEG of the kind before 1995"],
  [34712, "JPEG 2000"],
  [34887, "LERC"],
  [34925, "LZMA"],
  [50000, "Zstandard"],
  [50002, "JPEG XL"],
]);

const [WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, CMYK, YCC] = [0, 1, 2, 3, 5, 6];
/** Values of `photometric` that are read: the number of samples of a colour, and their bits. */
const photometrics: ReadonlyMap<number, readonly [samples: number, bits: readonly number[]]> = new Map([
  [WHITE_IS_0, [1, [1, 2, 4, 8, 16]]],
  [BLACK_IS_0, [1, [1, 2, 4, 8, 16]]],
  [RGB, [3, [8, 16]]],
  [PALETTE, [1, [1, 2, 4, 8]]],
  [CMYK, [4, [8]]],
  [YCC, [3, [8]]],
]);

/** Layout of the samples of a page. */
interface Page {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly compression: number;
  readonly photometric: number;
  readonly samples: number;
  /** Meaning of the samples after those of the colour. 0: unknown, 1: alpha that colours are multiplied by, 2: alpha. */
  readonly extra: readonly number[];
  /** True if each sample has strips or tiles of its own. */
  readonly isPlanar: boolean;
}

/** Strips or tiles. */
interface Pieces {
  readonly isTiled: boolean;
  /** Size of a piece in pixels; strips at the bottom can be shorter. */
  readonly width: number;
  readonly height: number;
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
}

/**
 * Parses the first page of a TIFF or BigTIFF file. Throws DataError if it is damaged, incomplete, too large or of a kind that is not read.
 *
 * The file to decode has a new directory with nothing but the fields that determine pixels, all checked. Decoders apply colour profiles, guess the
 * meaning of samples, and read pieces of any size.
 */
export function inspectTiff(bytes: Uint8Array): ImageFile {
  const directory = firstDirectory(bytes);
  const page = pageOf(directory);
  const { width, height, photometric, extra } = page;
  const pieces = piecesOf(bytes, directory, page);
  const fields = new Map<number, TiffValues>([
    ...pixelFields(directory, page),
    ...pieceFields(pieces),
    ...(photometric === PALETTE ? [[tag.colourMap, { shorts: colourMapOf(directory, page) }] as const] : []),
  ]);
  const channels = photometric === WHITE_IS_0 || photometric === BLACK_IS_0 ? 1 : 3;
  const isCmyk = photometric === CMYK;
  return {
    header: { format: "TIFF", width, height, channels, isProgressive: false, orientation: orientationIn(directory) },
    frame: {
      ...{ bytes: withDirectory(bytes, directory.isBigEndian, fields), left: 0, top: 0, width, height, isCmyk },
      isOpaque: extra.length > 0 && extra[0] === 0,
    },
  };
}

/** Throws DataError if a directory has no or too many pixels. `header` is the start of its file, and `late` begins with the directory. */
export function checkLateTiff(header: Uint8Array, late: Uint8Array): void {
  sizeOf(firstDirectory(withPlace(header, late)));
}

function sizeOf(directory: TiffDirectory) {
  const [width = 0, height = 0] = [tag.width, tag.height].map((name) => directory.numbers(name, 1)?.[0]);
  checkSize("TIFF", width, height, false);
  return { width, height };
}

function pageOf(directory: TiffDirectory): Page {
  const first = (name: keyof typeof tag, missing: number) => directory.numbers(tag[name], 1)?.[0] ?? missing;
  const { width, height } = sizeOf(directory);
  const [photometric, compression] = [first("photometric", WHITE_IS_0), first("compression", UNCOMPRESSED)];
  if ((first("newSubfileType", 0) & 1) === 1 || first("subfileType", 1) === 2) {
    throw unread("TIFF", "one whose first page is a preview, as in raw photos");
  }
  if (!compressions.has(compression)) {
    throw unread("TIFF", `one compressed by ${otherCompressions.get(compression) ?? `method ${compression}`}`);
  }
  const colour = photometrics.get(photometric);
  if (!colour) throw unread("TIFF", `one of photometric interpretation ${photometric}`);
  const samples = first("samples", 1);
  const bits = bitsOf(directory, samples, colour[1]);
  const extra = extraOf(directory, samples, colour[0], photometric);
  const isPlanar = first("planar", 1) === 2 && samples > 1;
  if (photometric === YCC && compression !== JPEG) throw unread("TIFF", "one of YCbCr without JPEG");
  if (compression === JPEG && bits !== 8) throw unread("TIFF", `one of JPEG of ${bits} bits`);
  return { width, height, bits, compression, photometric, samples, extra, isPlanar };
}

function bitsOf(directory: TiffDirectory, samples: number, known: readonly number[]): number {
  const all = directory.numbers(tag.bits) ?? [1];
  const bits = all[0] as number;
  const format = directory.numbers(tag.sampleFormat, 1)?.[0] ?? 1;
  if (format === 3) throw unread("TIFF", "one of floating-point samples, whose range it does not state");
  if (format === 2) throw unread("TIFF", "one of signed samples");
  if (!known.includes(bits)) throw unread("TIFF", `one of ${bits} bits per sample`);
  // Some programs write one number for all samples.
  if (all.slice(0, samples).some((other) => other !== bits)) throw unread("TIFF", "one whose samples differ in bits");
  return bits;
}

const MULTIPLIED_ALPHA = 1;
const ALPHA = 2;

/** Meaning of the samples after those of the colour. A fourth one after red, green and blue without a meaning is alpha, as in Pillow. */
function extraOf(directory: TiffDirectory, samples: number, colours: number, photometric: number): readonly number[] {
  const count = samples - colours;
  if (count === 0) return [];
  const given = directory.numbers(tag.extraSamples, 8)?.slice(0, count) ?? [];
  const extra = given.length === 0 && photometric === RGB && count === 1 ? [ALPHA] : given;
  const isAlpha = extra.length === 1 && (extra[0] === ALPHA || extra[0] === MULTIPLIED_ALPHA);
  const isUnknown = extra.length === count && extra.every((meaning) => meaning === 0);
  const hasNoAlpha = photometric === PALETTE || photometric === CMYK;
  if (count < 0 || count > 3 || !(isAlpha || isUnknown) || (isAlpha && (hasNoAlpha || count > 1))) {
    throw unread("TIFF", `one of ${samples} samples per pixel`);
  }
  return extra;
}

/** Bytes of a row of a piece before compression. */
function rowBytes({ samples, bits, isPlanar }: Page, width: number): number {
  return Math.ceil((width * bits * (isPlanar ? 1 : samples)) / 8);
}

/** Pixels of the largest tile that may exceed the image: tiles are as large as the smallest images need not be. */
const MAX_TILE_PIXELS = 2 ** 22;

/** Maximum number of strips and tiles: four times those of 64 megapixels in the smallest tiles. */
const MAX_PIECES = 2 ** 20;

/** Size, places and lengths of strips or tiles, all in the file. */
function piecesOf(bytes: Uint8Array, directory: TiffDirectory, page: Page): Pieces {
  const tileWidth = directory.numbers(tag.tileWidth, 1)?.[0];
  const isTiled = tileWidth !== undefined;
  const rows = directory.numbers(isTiled ? tag.tileHeight : tag.rowsPerStrip, 1)?.[0] ?? page.height;
  const [width, height] = isTiled ? [tileWidth, rows] : [page.width, Math.min(rows, page.height)];
  if (width === 0 || height === 0) throw damaged("TIFF", "strips or tiles without pixels");
  if (isTiled) checkTiles(page, width, height);
  const count = Math.ceil(page.width / width) * Math.ceil(page.height / height) * (page.isPlanar ? page.samples : 1);
  if (count > MAX_PIECES) throw unread("TIFF", `one of ${count} strips or tiles`);
  const offsets = directory.numbers(isTiled ? tag.tileOffsets : tag.stripOffsets, count);
  const kind = isTiled ? "tiles" : "strips";
  if (offsets?.length !== count) throw damaged("TIFF", `${offsets?.length ?? 0} of ${count} ${kind}`);
  const sizes = offsets.map((_, i) => {
    const isLast = !isTiled && (i + 1) % Math.ceil(page.height / height) === 0;
    return rowBytes(page, width) * (isLast ? page.height - height * (Math.ceil(page.height / height) - 1) : height);
  });
  const stored = directory.numbers(isTiled ? tag.tileBytes : tag.stripBytes, count);
  const lengths = stored ?? (page.compression === UNCOMPRESSED ? sizes : []);
  if (lengths.length !== count) throw damaged("TIFF", `lengths of ${lengths.length} of ${count} ${kind}`);
  let [allStored, all] = [0, 0];
  for (const [i, length] of lengths.entries()) {
    const [offset, size] = [offsets[i] as number, sizes[i] as number];
    if (length === 0 || offset < 8) throw damaged("TIFF", `${kind} without bytes`);
    if (offset + length > bytes.length) throw truncated("TIFF", bytes);
    if (page.compression === UNCOMPRESSED && length < size)
      throw damaged("TIFF", `${length} of ${size} bytes of a piece`);
    [allStored, all] = [allStored + length, all + size];
  }
  // Pieces may share bytes, but then each of a million could be the whole file.
  if (allStored > bytes.length + all) throw damaged("TIFF", `${kind} of more bytes than the file`);
  return { isTiled, width, height, offsets, lengths };
}

function checkTiles(page: Page, width: number, height: number): void {
  if (page.isPlanar) throw unread("TIFF", "one of tiles with separate planes");
  if (width % 16 !== 0 || height % 16 !== 0) throw damaged("TIFF", `tiles of ${width}×${height}, not multiples of 16`);
  const most = Math.max(MAX_TILE_PIXELS, 4 * page.width * page.height);
  if (width * height > most)
    throw damaged("TIFF", `tiles of ${width}×${height} in ${page.width}×${page.height} pixels`);
}

/** Fields that determine pixels, except places and colours. */
function* pixelFields(directory: TiffDirectory, page: Page): Generator<readonly [number, TiffValues]> {
  const { width, height, bits, compression, photometric, samples, extra, isPlanar } = page;
  yield [tag.width, { longs: [width] }];
  yield [tag.height, { longs: [height] }];
  yield [tag.bits, { shorts: Array.from({ length: samples }, () => bits) }];
  yield [tag.compression, { shorts: [compression] }];
  yield [tag.photometric, { shorts: [photometric] }];
  yield [tag.samples, { shorts: [samples] }];
  yield [tag.planar, { shorts: [isPlanar ? 2 : 1] }];
  if (extra.length > 0) yield [tag.extraSamples, { shorts: extra }];
  for (const name of [tag.fillOrder, tag.predictor, tag.subsampling]) {
    const values = directory.numbers(name, 2);
    if (values) yield [name, { shorts: values }];
  }
  for (const name of [tag.t4Options, tag.t6Options]) {
    const values = directory.numbers(name, 1);
    if (values) yield [name, { longs: values }];
  }
  const tables = compression === JPEG ? directory.bytesOf(tag.jpegTables) : undefined;
  if (tables) yield [tag.jpegTables, { bytes: tables }];
}

function* pieceFields({ isTiled, width, height, offsets, lengths }: Pieces): Generator<readonly [number, TiffValues]> {
  yield [isTiled ? tag.tileOffsets : tag.stripOffsets, { longs: offsets }];
  yield [isTiled ? tag.tileBytes : tag.stripBytes, { longs: lengths }];
  if (isTiled) yield [tag.tileWidth, { longs: [width] }];
  yield [isTiled ? tag.tileHeight : tag.rowsPerStrip, { longs: [height] }];
}

/** Red of all colours, then green, then blue, of 16 bits each. */
function colourMapOf(directory: TiffDirectory, { bits }: Page): readonly number[] {
  const colours = directory.numbers(tag.colourMap, 3 * 2 ** bits) ?? [];
  if (colours.length === 3 * 2 ** bits) return colours;
  throw damaged("TIFF", `a palette of ${colours.length} samples, not ${3 * 2 ** bits}`);
}

/** Orientation of the page, or else of its XMP. */
function orientationIn(directory: TiffDirectory): number {
  const value = directory.numbers(tag.orientation, 1)?.[0];
  if (value !== undefined) return isOrientation(value) ? value : 1;
  const xmp = directory.bytesOf(tag.xmp);
  return (xmp && xmpOrientation(xmp)) ?? 1;
}
