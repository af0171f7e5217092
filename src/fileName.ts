/** A file name from any text: names in files never decide where something is written. */

/** At most 240 bytes in UTF-8. */
const MAX_CHARACTERS = 60;

/**
 * One component of a path, for a text of any origin: letters, digits, `.`, `_` and `-` stay, each run of other characters becomes `-`, and no
 * dot or dash begins it. `fallback` if nothing is left.
 */
export function fileNameOf(text: string, fallback: string): string {
  const safe = text.replace(/[^\p{L}\p{M}\p{N}._-]+/gu, "-").replace(/^[.-]+|-+$/g, "");
  return [...safe].slice(0, MAX_CHARACTERS).join("") || fallback;
}
