/** Small JPEG, GIF and WebP files, and EXIF data, from their parts. */

/** EXIF data with an orientation and nothing else, in either byte order. */
export function exif(orientation: number, order: "II" | "MM" = "MM"): Buffer {
  const data = Buffer.alloc(26);
  const write = (value: number, at: number) =>
    order === "II" ? data.writeUInt16LE(value, at) : data.writeUInt16BE(value, at);
  data.write(order);
  for (const [at, value] of [
    [2, 42],
    [order === "II" ? 4 : 6, 8], // where the directory is, the low half of 4 bytes
    [8, 1], // one entry: tag, type, count, value
    [10, 0x112],
    [12, 3],
    [order === "II" ? 14 : 16, 1],
    [18, orientation],
  ] as const) {
    write(value, at);
  }
  return data;
}

export function jpegSegment(marker: number, data: Uint8Array | readonly number[]): Buffer {
  return Buffer.from([0xff, marker, (data.length + 2) >> 8, (data.length + 2) & 255, ...data]);
}

/**
 * A baseline JPEG of 8×8 pixels of one colour, its components as stored. Quantised by 8, the first coefficient of a block is
 * its value less 128; the others are 0.
 */
export function flatJpeg(components: readonly number[], ...segments: readonly Uint8Array[]): Buffer {
  return baselineJpeg(8, components.length, segments, codedBlocks(components));
}

/** A grey baseline JPEG of such blocks side by side, with a restart mark between any two, so that each is coded alone. */
export function restartJpeg(values: readonly number[]): Buffer {
  const coded = values.flatMap((value, i) => [...(i > 0 ? [0xff, 0xd0 + ((i - 1) % 8)] : []), ...codedBlocks([value])]);
  return baselineJpeg(8 * values.length, 1, [jpegSegment(0xdd, [0, 1])], coded);
}

/** A block for each value; 0xFF is followed by 0. */
function codedBlocks(values: readonly number[]): readonly number[] {
  let bits = "";
  for (const value of values) {
    const coefficient = value - 128;
    const size = coefficient === 0 ? 0 : Math.floor(Math.log2(Math.abs(coefficient))) + 1;
    const magnitude = coefficient < 0 ? coefficient + 2 ** size - 1 : coefficient;
    const tail = size > 0 ? magnitude.toString(2).padStart(size, "0") : "";
    bits += `${size.toString(2).padStart(4, "0")}${tail}0`;
  }
  return (bits.match(/.{1,8}/g) ?? []).flatMap((byte) => {
    const value = Number.parseInt(byte.padEnd(8, "1"), 2);
    return value === 0xff ? [0xff, 0] : [value];
  });
}

function baselineJpeg(
  width: number,
  components: number,
  segments: readonly Uint8Array[],
  coded: readonly number[],
): Buffer {
  const ids = Array.from({ length: components }, (_, i) => i + 1);
  const counts = (...at: readonly (readonly [bits: number, codes: number])[]) =>
    Array.from({ length: 16 }, (_, i) => at.find(([length]) => length === i + 1)?.[1] ?? 0);
  return Buffer.concat([
    Buffer.of(0xff, 0xd8),
    ...segments,
    jpegSegment(0xdb, [0, ...new Array<number>(64).fill(8)]),
    jpegSegment(0xc0, [8, 0, 8, width >> 8, width & 255, components, ...ids.flatMap((id) => [id, 0x11, 0])]),
    jpegSegment(0xc4, [0, ...counts([4, 9]), 0, 1, 2, 3, 4, 5, 6, 7, 8]),
    jpegSegment(0xc4, [0x10, ...counts([1, 1]), 0]),
    jpegSegment(0xda, [components, ...ids.flatMap((id) => [id, 0]), 0, 63, 0]),
    Buffer.from([...coded, 0xff, 0xd9]),
  ]);
}

/** Adobe's segment: what colours the components stand for. 0: RGB or CMYK. 1: YCC. 2: YCCK. CMYK is stored inverted. */
export function adobe(transform: number): Buffer {
  return jpegSegment(0xee, [...Buffer.from("Adobe"), 0, 100, 0, 0, 0, 0, transform]);
}

const low = (value: number) => [value & 255, value >> 8];

export interface GifImage {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Colours by number, 0 to 3. */
  readonly pixels: readonly number[];
  readonly transparent?: number;
  readonly isInterlaced?: boolean;
}

/** Red, green, blue, grey. */
export const gifColours = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [9, 9, 9],
] as const;

/** A GIF whose images are coded without compression: a clear code before each two pixels keeps codes at 3 bits. */
export function gifFile(screen: readonly [width: number, height: number], ...images: readonly GifImage[]): Buffer {
  return Buffer.from([
    ...Buffer.from("GIF89a"),
    ...screen.flatMap(low),
    ...[0x81, 0, 0],
    ...gifColours.flat(),
    ...images.flatMap(gifImage),
    0x3b,
  ]);
}

function gifImage({ left, top, width, height, pixels, transparent, isInterlaced }: GifImage): readonly number[] {
  const codes = [...pixels.flatMap((pixel, i) => (i % 2 === 0 ? [4, pixel] : [pixel])), 5];
  const bits = codes.map((code) => [...code.toString(2).padStart(3, "0")].reverse().join("")).join("");
  const bytes = (bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt([...byte].reverse().join(""), 2));
  const control = transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0];
  const place = [left, top, width, height].flatMap(low);
  return [...control, 0x2c, ...place, isInterlaced ? 0x40 : 0, 2, bytes.length, ...bytes, 0];
}

/** A chunk of a RIFF file, with the byte that makes its length even. */
export function riffChunk(type: string, data: Uint8Array): Buffer {
  const start = Buffer.alloc(8);
  start.write(type, "latin1");
  start.writeUInt32LE(data.length, 4);
  return Buffer.concat([start, data, Buffer.alloc(data.length % 2)]);
}

export function webpFile(...chunks: readonly Uint8Array[]): Buffer {
  return riffChunk("RIFF", Buffer.concat([Buffer.from("WEBP"), ...chunks]));
}

/** Flags: 2 for a moving picture, 8 for EXIF, 16 for alpha. */
export function vp8x(flags: number, width: number, height: number): Buffer {
  const data = Buffer.alloc(10);
  data[0] = flags;
  data.writeUIntLE(width - 1, 4, 3);
  data.writeUIntLE(height - 1, 7, 3);
  return riffChunk("VP8X", data);
}

/** A frame of a moving WebP; `picture` holds the chunks of a still one. Left and top are even. */
export function anmf(left: number, top: number, width: number, height: number, picture: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  for (const [at, value] of [left / 2, top / 2, width - 1, height - 1].entries()) head.writeUIntLE(value, 3 * at, 3);
  return riffChunk("ANMF", Buffer.concat([head, picture]));
}
