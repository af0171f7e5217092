/** Suggestions for a mistyped name. */

/** ` (did you mean alexnet-owt?)` for the known name most similar to a mistyped one; empty if none is similar. Messages append it. */
export function didYouMean(given: string, known: readonly string[]): string {
  const text = given.toLowerCase();
  const limit = Math.max(1, Math.floor(text.length / 3));
  const near = known
    .map((name) => ({ name, distance: distanceOf(text, name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= limit || (text.length > 2 && name.toLowerCase().includes(text)))
    .toSorted((a, b) => a.distance - b.distance);
  return near[0] === undefined ? "" : ` (did you mean ${near[0].name}?)`;
}

/** Insertions, deletions, substitutions and swaps of neighbours. Source: Damerau 1964, as optimal string alignment. Long texts are far from all names. */
function distanceOf(a: string, b: string): number {
  if (Math.max(a.length, b.length) > 100) return Infinity;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (last[j - 1] as number) + Number(a[i - 1] !== b[j - 1]);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (before[j - 2] as number) + 1 : Infinity;
      row.push(Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, substituted, swapped));
    }
    [before, last] = [last, row];
  }
  return last[b.length] as number;
}
