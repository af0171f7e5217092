/** Bytes in the pieces in which they arrived: joining them costs a copy, and memory for the garbage collector to find. */

/** Bytes, one piece after the other. */
export type Pieces = readonly Uint8Array[];

/** Number of bytes. */
export function lengthOf(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** The bytes before and after an index, without copying them. */
export function divide(pieces: Pieces, at: number): readonly [before: Pieces, after: Pieces] {
  const before: Uint8Array[] = [];
  const after: Uint8Array[] = [];
  let start = 0;
  for (const piece of pieces) {
    const cut = Math.min(Math.max(at - start, 0), piece.length);
    if (cut > 0) before.push(piece.subarray(0, cut));
    if (cut < piece.length) after.push(piece.subarray(cut));
    start += piece.length;
  }
  return [before, after];
}

/** A copy in memory of its own, which is aligned for any number. */
export function copyOf(pieces: Pieces): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(lengthOf(pieces));
  let start = 0;
  for (const piece of pieces) {
    copy.set(piece, start);
    start += piece.length;
  }
  return copy;
}

/** The bytes in one piece: the only one itself, or a copy. */
export function joined(pieces: Pieces): Uint8Array {
  const [first, ...more] = pieces;
  return first && more.length === 0 ? first : copyOf(pieces);
}

/** Memory of pieces that can be transferred to another thread: a piece may also be part of larger memory, which others use. */
export function transferable(pieces: Pieces): readonly ArrayBuffer[] {
  return pieces
    .filter(({ byteLength, buffer }) => byteLength === buffer.byteLength)
    .map(({ buffer }) => buffer as ArrayBuffer);
}
