/** The order of code points: the same on every machine, whatever its language. */

/** Compares two texts for sorting. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    // Halves of surrogate pairs stand for code points above all others.
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xe000;
}

/**
 * Sorts things by their paths. These are compared in Unicode's form NFC, since some systems give out decomposed names; those that are the
 * same in it, as they are.
 */
export function sortedByPath<T extends { readonly path: string }>(things: readonly T[]): readonly T[] {
  return things
    .map((thing) => ({ thing, key: thing.path.normalize("NFC") }))
    .sort((a, b) => byCodePoint(a.key, b.key) || byCodePoint(a.thing.path, b.thing.path))
    .map(({ thing }) => thing);
}
