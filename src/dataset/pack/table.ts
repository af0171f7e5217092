/** The pictures of a pack in memory: a million of them as numbers in one array, not as objects. */
import type { ColourMoments } from "../../image/prepare/moments.ts";

/** A picture as it lies in a pack. */
export interface StoredPicture {
  /** Number of the part of the pack that has its pixels. */
  readonly part: number;
  /** In that part's pixels, in bytes. */
  readonly offset: number;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Of its pixels. */
  readonly moments: ColourMoments;
}

/** Each content once, by number in the order it was added. */
export interface PackTable {
  idOf(sha256: string): number | undefined;
  /** `fileBytes` is the size of a file with this content. */
  add(sha256: string, fileBytes: number, picture: StoredPicture): number;
  get(id: number): StoredPicture;
  /** The contents of files of these sizes: all that a file of such a size can be the same as. */
  contentsBySize(sizes: ReadonlySet<number>): ReadonlyMap<number, readonly string[]>;
}

/** Size of the file, part, offset, width, height, channels, three means, nine products. */
const ROW = 18;
const MOMENTS = 6;
/** More contents of one size than these are not worth comparing with. */
const MAX_SAME_SIZE = 32;

/** An empty table. */
export function createPackTable(): PackTable {
  const ids = new Map<string, number>();
  let rows = new Float64Array(ROW * 1024);
  return {
    idOf: (sha256) => ids.get(sha256),
    add(sha256, fileBytes, { part, offset, width, height, channels, moments }) {
      const id = ids.size;
      const at = id * ROW;
      if (at === rows.length) {
        const larger = new Float64Array(2 * rows.length);
        larger.set(rows);
        rows = larger;
      }
      rows.set([fileBytes, part, offset, width, height, channels], at);
      rows.set(moments.mean, at + MOMENTS);
      rows.set(moments.products, at + MOMENTS + channels);
      ids.set(sha256, id);
      return id;
    },
    get: (id) => pictureOf(rows.subarray(id * ROW, (id + 1) * ROW)),
    contentsBySize(sizes) {
      const found = new Map<number, string[]>();
      for (const [sha256, id] of ids) {
        const size = rows[id * ROW] as number;
        if (!sizes.has(size)) continue;
        const same = found.get(size) ?? [];
        if (same.length < MAX_SAME_SIZE) same.push(sha256);
        found.set(size, same);
      }
      return found;
    },
  };
}

function pictureOf(row: Float64Array): StoredPicture {
  const [, part = 0, offset = 0, width = 0, height = 0, ofThree] = row;
  const channels = ofThree === 3 ? 3 : 1;
  const products = MOMENTS + channels;
  const mean = Array.from(row.subarray(MOMENTS, products));
  return {
    part,
    offset,
    width,
    height,
    channels,
    moments: { mean, products: Array.from(row.subarray(products, products + channels ** 2)) },
  };
}
