/** Sums of the values of a tensor, a row each. */
import type { Desc, Memory, PrimitiveDesc, Session } from "./native/oneDnn.ts";

/** The library divides sums among its threads, not the terms of one sum. A power of 2. */
export const MAX_SUMS = 64;

/** A primitive's scratchpad, as an argument. */
export type Scratchpad = (
  session: Session,
  primitiveDesc: PrimitiveDesc,
) => readonly (readonly ["scratchpad", Memory])[];

/** The sums of equal numbers of consecutive values. */
export interface RowSums {
  /** Number of sums: a power of 2. */
  readonly rows: number;
  /** Layout of the values, [rows, values of a row]. */
  readonly src: Desc;
  /** Layout of the sums, [rows, 1]. */
  readonly dst: Desc;
  readonly primitiveDesc: PrimitiveDesc;
}

/** Layouts and primitive for sums of equal parts of `length` values: as many as divide them equally, at most `most`, which is a power of 2. */
export function rowSums(session: Session, length: number, most = MAX_SUMS): RowSums {
  let rows = most;
  while (length % rows !== 0) rows /= 2;
  const [src, dst] = [session.plain([rows, length / rows], "f32"), session.plain([rows, 1], "f32")];
  return { rows, src, dst, primitiveDesc: session.reduceSum(src, dst) };
}
