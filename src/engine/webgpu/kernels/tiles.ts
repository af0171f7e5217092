/** Choice of a product's tiles, by a rule of its extents and the adapter's limits, so that it is the same in every run on one adapter. */
import { DEPTH, type Tile } from "./product.ts";
import { THREADS } from "./wgsl.ts";

/** Properties of the adapter that the choice depends on. */
export interface TileLimits {
  /** No workgroup memory: software adapters. */
  readonly isPlain: boolean;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
}

/** Extents of a product for a whole batch. */
export interface ProductExtents {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly groups: number;
  /** A thread computes exactly four rows. */
  readonly needsFourRows: boolean;
}

/** Workgroups that a product is split into at least, so that a large adapter has work for all its cores. */
const WORKGROUPS = 512;
/** Workgroups above which a product is not split. */
const ENOUGH = 256;
/** Least depth of a part. */
const LEAST_DEPTH = 128;

/** Padded arithmetic, times 1 + loads per multiply-accumulate: larger tiles load less. */
function costOf({ rows, columns }: ProductExtents, shape: NonNullable<Tile["shape"]>): number {
  const padded = (extent: number, tile: number) => Math.ceil(extent / tile) * tile;
  const loads = 8 / shape.rows + 8 / shape.columns;
  return padded(rows, shape.rows) * padded(columns, shape.columns) * (1 + loads);
}

/** The cheapest of tiles of 64, 32 and 16 columns, with 4, 2 or 1 rows for a thread. */
export function chooseTile(extents: ProductExtents, { isPlain, workgroupBytes }: TileLimits): Tile {
  const { rows, columns, depth, groups, needsFourRows } = extents;
  const whole = { splits: 1, splitDepth: Math.ceil(depth / DEPTH) * DEPTH };
  if (isPlain) return { shape: undefined, ...whole };
  const shapes = [64, 32, 16].flatMap((across) =>
    (needsFourRows ? [4] : [4, 2, 1]).map((each) => ({ rows: (each * THREADS * 4) / across, columns: across })),
  );
  const possible = shapes.filter((shape) => 4 * DEPTH * (shape.rows + shape.columns) <= workgroupBytes);
  const shape = possible.reduce((best, next) => (costOf(extents, next) < costOf(extents, best) ? next : best));
  const workgroups = Math.ceil(rows / shape.rows) * Math.ceil(columns / shape.columns) * groups;
  if (workgroups >= ENOUGH) return { shape, ...whole };
  const wanted = Math.max(1, Math.min(Math.ceil(WORKGROUPS / workgroups), Math.floor(depth / LEAST_DEPTH)));
  const splitDepth = Math.ceil(depth / wanted / DEPTH) * DEPTH;
  return { shape, splits: Math.ceil(depth / splitDepth), splitDepth };
}

/** Multiply-accumulates that are computed, tiles being whole. */
export function computedMacs(
  { rows, columns, depth, groups }: ProductExtents,
  { shape, splits, splitDepth }: Tile,
): number {
  const [height, width] = shape ? [shape.rows, shape.columns] : [1, 4];
  const padded = (extent: number, tile: number) => Math.ceil(extent / tile) * tile;
  const last = padded(depth - (splits - 1) * splitDepth, DEPTH);
  return groups * padded(rows, height) * padded(columns, width) * ((splits - 1) * splitDepth + last);
}
