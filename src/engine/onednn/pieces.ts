/** Tensors cut into pieces that stay in cache. */
import type { Desc, Session } from "./native/oneDnn.ts";

/**
 * Bytes of all tensors that each thread processes at a time. They fit a core's own cache, so that several passes over them access memory once.
 */
const PIECE_BYTES = 768 * 1024;
/** Alignment of pieces, to cache lines and vectors. */
const PIECE_MULTIPLE = 1024;

/** Tensors of one length as pieces, one after the other; the last one may be shorter. */
export interface Pieces {
  /** Values of a piece. */
  readonly length: number;
  readonly count: number;
  readonly descs: readonly [piece: Desc, last: Desc];
  readonly lengths: readonly [piece: number, last: number];
}

/** Largest number of values of a piece of n tensors. */
export function mostInPiece(tensors: number, threads: number): number {
  return Math.floor(PIECE_BYTES / 4 / tensors / PIECE_MULTIPLE) * PIECE_MULTIPLE * threads;
}

/** Cuts `tensors` tensors of `length` values each into pieces for n threads. */
export function cutIntoPieces(session: Session, length: number, tensors: number, threads: number): Pieces {
  const piece = Math.min(length, mostInPiece(tensors, threads));
  const count = Math.ceil(length / piece);
  const lengths = [piece, length - (count - 1) * piece] as const;
  return {
    length: piece,
    count,
    lengths,
    descs: [session.plain([lengths[0]], "f32"), session.plain([lengths[1]], "f32")],
  };
}
