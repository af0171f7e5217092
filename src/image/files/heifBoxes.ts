/** Boxes and items of HEIF files. */
import type { ImageFormat } from "./format.ts";
import { bigEndian, damaged, latin1, truncated } from "./imageFile.ts";

/** A box: type and contents. */
export interface Box {
  readonly type: string;
  readonly data: Uint8Array;
}

/** Items of a HEIF file: images, tiles, metadata. */
export interface HeifItems {
  /** Number of the primary item. */
  readonly primary: number;
  /** Four letters; empty for an item that does not exist. */
  typeOf(id: number): string;
  /** The first bytes of an item, all of which are in the file, and the number of all. */
  dataOf(id: number): ItemData;
  /** Contents of the properties of a type. */
  properties(id: number, type: string): readonly Uint8Array[];
  /** Properties in the order in which they apply. */
  allProperties(id: number): readonly Box[];
  /** Items that an item refers to, in order. */
  references(type: string, from: number): readonly number[];
  /** Items that refer to an item. */
  referencesTo(type: string, to: number): readonly number[];
}

/** Maximum number of boxes side by side: above the 65,536 tiles that a grid can have. Also bounds memory and time of a file of empty boxes. */
const MAX_BOXES = 2 ** 17;
/** Maximum size of `meta`, which describes images and contains none. */
const MAX_META_BYTES = 2 ** 22;

/** Data of an item. */
export interface ItemData {
  /** Enough for any header; empty if there are no data. */
  readonly start: Uint8Array;
  readonly length: number;
}

/** Boxes of a whole file. */
export interface TopBoxes {
  /** Contents of `meta`. */
  readonly meta: Uint8Array | undefined;
  /** True if there is a film. */
  readonly hasFilm: boolean;
  /** Offset after the last box. */
  readonly end: number;
}

/**
 * Finds the boxes of a whole file. Bytes after `meta` and `mdat` that are no box are left out. Throws TruncatedImageError for a box that ends after
 * the file. Source: ISO/IEC 14496-12, 4.2.
 */
export function topBoxes(format: ImageFormat, bytes: Uint8Array): TopBoxes {
  const types = new Set<string>();
  let meta: Uint8Array | undefined;
  let at = 0;
  for (let count = 0; at < bytes.length; count++) {
    const box = boxAt(bytes, at);
    if (!box || box.end > bytes.length) {
      if (types.has("meta") && types.has("mdat")) break;
      throw truncated(format, bytes);
    }
    if (count === MAX_BOXES) throw damaged(format, `more than ${MAX_BOXES} boxes`);
    if (box.type === "meta") meta ??= bytes.subarray(box.start, box.end);
    if (/^(?:meta|mdat|moov)$/.test(box.type)) types.add(box.type);
    at = box.end;
  }
  if (meta && meta.length > MAX_META_BYTES) throw damaged(format, `metadata of ${Math.ceil(meta.length / 1e6)} MB`);
  return { meta, hasFilm: types.has("moov"), end: at };
}

/** Boxes in a box. Throws DataError for one that exceeds it. */
function childBoxes(format: ImageFormat, data: Uint8Array, from = 0): readonly Box[] {
  const boxes: Box[] = [];
  for (let at = from; at < data.length; ) {
    const box = boxAt(data, at);
    if (!box || box.end > data.length) throw damaged(format, "a box exceeds the one that contains it");
    if (boxes.length === MAX_BOXES) throw damaged(format, `more than ${MAX_BOXES} boxes in another one`);
    boxes.push({ type: box.type, data: data.subarray(box.start, box.end) });
    at = box.end;
  }
  return boxes;
}

/** Size, type, and a longer size if the first is 1; 0 is the rest. */
function boxAt(bytes: Uint8Array, at: number) {
  if (at + 8 > bytes.length) return undefined;
  const size = bigEndian(bytes, at, 4);
  const start = at + (size === 1 ? 16 : 8);
  const end = size === 0 ? bytes.length : at + (size === 1 ? bigEndian(bytes, at + 8, 8) : size);
  return end < start ? undefined : { type: latin1(bytes, at + 4, 4), start, end };
}

/** Version and flags, the first bytes of a full box. */
const FULL = 4;

/** Reads the items of `meta`. Source: ISO/IEC 14496-12, 8.11; ISO/IEC 23008-12, 9.3. */
export function itemsOf(format: ImageFormat, bytes: Uint8Array, meta: Uint8Array): HeifItems {
  const boxes = new Map<string, Uint8Array>();
  for (const { type, data } of childBoxes(format, meta, FULL)) if (!boxes.has(type)) boxes.set(type, data);
  const pitm = boxes.get("pitm");
  if (!pitm) throw damaged(format, "it has no primary image");
  const primary = bigEndian(pitm, FULL, pitm[0] === 0 ? 2 : 4);
  const types = itemTypes(format, boxes.get("iinf") ?? new Uint8Array());
  const extents = itemExtents(
    format,
    bytes,
    boxes.get("iloc") ?? new Uint8Array(),
    boxes.get("idat") ?? new Uint8Array(),
  );
  const properties = itemProperties(format, boxes.get("iprp") ?? new Uint8Array());
  const links = itemReferences(format, boxes.get("iref") ?? new Uint8Array());
  if (!types.has(primary)) throw damaged(format, "its primary image does not exist");
  return {
    primary,
    typeOf: (id) => types.get(id) ?? "",
    dataOf: (id) => extents.get(id)?.() ?? { start: new Uint8Array(), length: 0 },
    properties: (id, type) => (properties.get(id) ?? []).filter((box) => box.type === type).map(({ data }) => data),
    allProperties: (id) => properties.get(id) ?? [],
    references: (type, from) =>
      links.filter((link) => link.type === type && link.from === from).flatMap(({ to }) => to),
    referencesTo: (type, to) =>
      links.filter((link) => link.type === type && link.to.includes(to)).map(({ from }) => from),
  };
}

/** Types of the items of `iinf`. */
function itemTypes(format: ImageFormat, iinf: Uint8Array): ReadonlyMap<number, string> {
  const types = new Map<number, string>();
  if (iinf.length === 0) return types;
  for (const { type, data } of childBoxes(format, iinf, FULL + (iinf[0] === 0 ? 2 : 4))) {
    const version = data[0] ?? 0;
    if (type !== "infe" || version < 2) continue;
    const idBytes = version === 2 ? 2 : 4;
    types.set(bigEndian(data, FULL, idBytes), latin1(data, FULL + idBytes + 2, 4));
  }
  return types;
}

/** The bytes of each item by `iloc`: from places in the file, or in `idat`. Read when asked for. */
function itemExtents(
  format: ImageFormat,
  bytes: Uint8Array,
  iloc: Uint8Array,
  idat: Uint8Array,
): ReadonlyMap<number, () => ItemData> {
  const items = new Map<number, () => ItemData>();
  if (iloc.length === 0) return items;
  const version = iloc[0] as number;
  const sizes = bigEndian(iloc, FULL, 2);
  const [offsetBytes, lengthBytes, baseBytes] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexBytes = version === 0 ? 0 : sizes & 15;
  const idBytes = version < 2 ? 2 : 4;
  let at = FULL + 2;
  const next = (size: number) => {
    if (at + size > iloc.length) throw damaged(format, "its list of places is too short");
    at += size;
    return bigEndian(iloc, at - size, size);
  };
  for (let count = next(idBytes); count > 0; count--) {
    const id = next(idBytes);
    const method = version === 0 ? 0 : next(2) & 15;
    next(2);
    const base = next(baseBytes);
    const length = next(2);
    // Places without bytes of their own would be as many as 65,535 for each item.
    if (length > 1 && indexBytes + offsetBytes + lengthBytes === 0) throw damaged(format, "places without bytes");
    const places = Array.from({ length }, () => {
      next(indexBytes);
      const offset = base + next(offsetBytes);
      return [offset, next(lengthBytes)] as const;
    });
    items.set(id, () => dataAt(format, method === 1 ? idat : bytes, places, bytes));
  }
  return items;
}

/** Number of bytes that contain the header of any image. */
const START_BYTES = 4096;

/** Data at one or more places, which must be in the source. A length of 0 is the rest. */
function dataAt(
  format: ImageFormat,
  source: Uint8Array,
  places: readonly (readonly [offset: number, length: number])[],
  file: Uint8Array,
): ItemData {
  let all = 0;
  const parts: Uint8Array[] = [];
  for (const [offset, length] of places) {
    const end = length === 0 ? source.length : offset + length;
    if (offset > end || end > source.length) throw truncated(format, file);
    if (all < START_BYTES) parts.push(source.subarray(offset, Math.min(end, offset + START_BYTES)));
    all += end - offset;
  }
  return { start: Buffer.concat(parts), length: all };
}

/** Properties of each item: `ipco` lists all, `ipma` their numbers from 1. */
function itemProperties(format: ImageFormat, iprp: Uint8Array): ReadonlyMap<number, readonly Box[]> {
  const boxes = childBoxes(format, iprp);
  const all = childBoxes(format, boxes.find(({ type }) => type === "ipco")?.data ?? new Uint8Array());
  const found = new Map<number, readonly Box[]>();
  for (const { data } of boxes.filter(({ type }) => type === "ipma")) {
    const [idBytes, numberBytes] = [data[0] === 0 ? 2 : 4, ((data[3] ?? 0) & 1) === 0 ? 1 : 2];
    let at = FULL + 4;
    for (let count = bigEndian(data, FULL, 4); count > 0 && at < data.length; count--) {
      const id = bigEndian(data, at, idBytes);
      const length = data[at + idBytes] ?? 0;
      at += idBytes + 1;
      const numbers = Array.from({ length }, (_, i) => bigEndian(data, at + i * numberBytes, numberBytes));
      at += length * numberBytes;
      // The highest bit tells that readers must understand the property.
      const boxesOf = numbers.flatMap((number) => all[(number & (numberBytes === 1 ? 0x7f : 0x7fff)) - 1] ?? []);
      if (!found.has(id)) found.set(id, boxesOf);
    }
  }
  return found;
}

interface Reference {
  readonly type: string;
  readonly from: number;
  readonly to: readonly number[];
}

function itemReferences(format: ImageFormat, iref: Uint8Array): readonly Reference[] {
  if (iref.length === 0) return [];
  const idBytes = iref[0] === 0 ? 2 : 4;
  return childBoxes(format, iref, FULL).map(({ type, data }) => {
    const count = bigEndian(data, idBytes, 2);
    if (idBytes * (count + 1) + 2 > data.length) throw damaged(format, "a reference is too short");
    const to = Array.from({ length: count }, (_, i) => bigEndian(data, idBytes + 2 + i * idBytes, idBytes));
    return { type, from: bigEndian(data, 0, idBytes), to };
  });
}
