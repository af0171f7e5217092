/** Small TIFF, BMP and HEIF files, valid and not, from their parts. */

/** Fields of a TIFF directory by their tags: 16-bit numbers, or 32-bit ones if any is larger. */
export type TiffFields = Readonly<Record<number, number | readonly number[]>>;

export interface TiffOptions {
  /** Bytes between the pixels and the directory. Default: the directory comes first. */
  readonly directoryAfter?: boolean;
  /** Strips; their places and lengths become fields 273 and 279, unless given. */
  readonly strips?: readonly Uint8Array[];
}

/** The fields of a grey image of 8 bits. */
export const greyTiff = (width: number, height: number): TiffFields => ({
  ...{ 256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1, 278: height },
});

/** A little-endian TIFF file. Source: TIFF 6.0, section 2. */
export function tiffFile(given: TiffFields, { strips = [], directoryAfter = false }: TiffOptions = {}): Buffer {
  const pixels = Buffer.concat(strips);
  const fields = { ...given };
  const list = () => Object.entries(fields).map(([tag, values]) => [Number(tag), [values].flat() as number[]] as const);
  const sizeOf = (values: readonly number[]) => (values.some((value) => value > 0xffff) ? 4 : 2);
  const places = (from: number) =>
    strips.map((_, i) => from + strips.slice(0, i).reduce((sum, s) => sum + s.length, 0));
  // Places of strips are written as 32 bits, so that they do not change the length of the directory.
  const wide = (values: readonly number[]) => values.map((value) => value + 0x1_0000_0000);
  if (strips.length > 0) fields[279] ??= wide(strips.map(({ length }) => length));
  if (strips.length > 0) fields[273] ??= wide(strips.map(() => 0));
  const tail = list().reduce(
    (sum, [, values]) => sum + (values.length * sizeOf(values) > 4 ? values.length * sizeOf(values) : 0),
    0,
  );
  const directoryBytes = 2 + 12 * list().length + 4 + tail;
  const at = directoryAfter ? 8 + pixels.length : 8;
  if (strips.length > 0 && given[273] === undefined)
    fields[273] = wide(places(directoryAfter ? 8 : 8 + directoryBytes));
  const directory = Buffer.alloc(directoryBytes);
  directory.writeUInt16LE(list().length, 0);
  let extra = 2 + 12 * list().length + 4;
  for (const [i, [tag, values]] of list().entries()) {
    const [entry, size] = [2 + 12 * i, sizeOf(values)];
    directory.writeUInt16LE(tag, entry);
    directory.writeUInt16LE(size === 2 ? 3 : 4, entry + 2);
    directory.writeUInt32LE(values.length, entry + 4);
    const isInside = values.length * size <= 4;
    if (!isInside) directory.writeUInt32LE(at + extra, entry + 8);
    for (const [j, value] of values.entries()) {
      const place = (isInside ? entry + 8 : extra) + j * size;
      if (size === 2) directory.writeUInt16LE(value, place);
      else directory.writeUInt32LE(value % 0x1_0000_0000, place);
    }
    if (!isInside) extra += values.length * size;
  }
  const header = Buffer.from("II*\0\0\0\0\0", "latin1");
  header.writeUInt32LE(at, 4);
  return Buffer.concat(directoryAfter ? [header, pixels, directory] : [header, directory, pixels]);
}

export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly compression?: number;
  readonly colours?: number;
  /** Length of the header from its own field on. */
  readonly length?: number;
  readonly offset?: number;
}

/** A BMP file with a Windows header of 40 bytes or more, filled with zeros; `after` is everything after it. */
export function bmpFile(
  { length = 40, ...header }: BmpHeader,
  ...after: readonly (Uint8Array | readonly number[])[]
): Buffer {
  const start = Buffer.alloc(14 + length);
  start.write("BM");
  const palette = header.bits > 8 ? 0 : 4 * (header.colours || 2 ** header.bits);
  start.writeUInt32LE(header.offset ?? 14 + length + palette, 10);
  start.writeUInt32LE(length, 14);
  start.writeInt32LE(header.width, 18);
  start.writeInt32LE(header.height, 22);
  start.writeUInt16LE(1, 26);
  start.writeUInt16LE(header.bits, 28);
  start.writeUInt32LE(header.compression ?? 0, 30);
  start.writeUInt32LE(header.colours ?? 0, 46);
  return Buffer.concat([start, ...after.map((part) => Buffer.from(part))]);
}

/** An RGB image as a BMP file of 32 bits per pixel, from the top. */
export function bmpOf({
  width,
  height,
  data,
}: {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}): Buffer {
  const pixels = Buffer.alloc(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = data[3 * i + 2 - c] as number;
  }
  return bmpFile({ width, height: -height, bits: 32 }, pixels);
}

/** A box of a HEIF file. */
export function box(type: string, ...contents: readonly (Uint8Array | readonly number[])[]): Buffer {
  const data = Buffer.concat(contents.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + data.length);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, data]);
}

const u16 = (value: number) => [value >> 8, value & 255];
const u32 = (value: number) => [...u16(value >>> 16), ...u16(value & 0xffff)];

/** An item of a HEIF file, numbered from 1. */
export interface HeifItem {
  readonly type: string;
  readonly data: Uint8Array;
  /** Boxes of properties. */
  readonly properties: readonly Uint8Array[];
  /** Items of a derived image. */
  readonly tiles?: readonly number[];
  /** Items of alpha that the colours are multiplied by. */
  readonly multipliedBy?: readonly number[];
}

export const ispe = (width: number, height: number) => box("ispe", [0, 0, 0, 0], u32(width), u32(height));

/** A HEIF file of items, of which the first is the primary one. */
export function heifFile(brand: string, items: readonly HeifItem[]): Buffer {
  const properties = items.flatMap((item) => item.properties);
  let number = 0;
  const associations = items.map((item, i) => [
    ...u16(i + 1),
    item.properties.length,
    ...item.properties.map(() => ++number),
  ]);
  const metaOf = (start: number) => {
    let at = start;
    const places = items.map(({ data }, i) => {
      const place = [...u16(i + 1), 0, 0, 0, 1, ...u32(at), ...u32(data.length)];
      at += data.length;
      return place;
    });
    const links = items.flatMap(({ tiles, multipliedBy }, i) =>
      Object.entries({ dimg: tiles, prem: multipliedBy }).flatMap(([type, to]) =>
        to ? [box(type, u16(i + 1), u16(to.length), to.flatMap(u16))] : [],
      ),
    );
    return box(
      "meta",
      [0, 0, 0, 0],
      box("hdlr", [0, 0, 0, 0, 0, 0, 0, 0], Buffer.from("pict"), new Uint8Array(13)),
      box("pitm", [0, 0, 0, 0], u16(1)),
      box("iloc", [0, 0, 0, 0, 0x44, 0], u16(items.length), ...places),
      box(
        "iinf",
        [0, 0, 0, 0],
        u16(items.length),
        ...items.map(({ type }, i) => box("infe", [2, 0, 0, 0], u16(i + 1), [0, 0], Buffer.from(type), [0])),
      ),
      box("iprp", box("ipco", ...properties), box("ipma", [0, 0, 0, 0], u32(items.length), ...associations)),
      ...(links.length > 0 ? [box("iref", [0, 0, 0, 0], ...links)] : []),
    );
  };
  const ftyp = box("ftyp", Buffer.from(brand), [0, 0, 0, 0], Buffer.from(`${brand}mif1miaf`));
  const start = ftyp.length + metaOf(0).length + 8;
  return Buffer.concat([ftyp, metaOf(start), box("mdat", ...items.map(({ data }) => data))]);
}
