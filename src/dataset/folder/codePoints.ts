/** Order of code points, independent of the machine's language. */

/** Compares two texts for sorting. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    // Surrogates encode code points above all others.
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xe000;
}

/**
 * Sorts items by path in Unicode's form NFC, since some systems return decomposed names. Paths that are equal in NFC are compared unchanged.
 */
export function sortedByPath<T extends { readonly path: string }>(things: readonly T[]): readonly T[] {
  return things
    .map((thing) => ({ thing, key: thing.path.normalize("NFC") }))
    .sort((a, b) => byCodePoint(a.key, b.key) || byCodePoint(a.thing.path, b.thing.path))
    .map(({ thing }) => thing);
}
