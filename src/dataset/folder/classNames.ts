/** Class names that are easily confused. */

/** A name without differences that are hard to see: case, white space, invisible characters, letters that Unicode calls compatible. */
function plainName(name: string): string {
  return name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s\p{Cf}\p{Cc}\u115f\u3164]+/gu, "");
}

/** Groups of two or more names that look alike, in the order of each group's first name. */
export function alikeNames(names: readonly string[]): readonly (readonly string[])[] {
  const groups = new Map<string, string[]>();
  for (const name of new Set(names)) {
    const group = groups.get(plainName(name));
    if (group) group.push(name);
    else groups.set(plainName(name), [name]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** Matches white space other than single spaces inside a name, and invisible characters except those that join letters and emoji. */
const odd = /^\s|\s$|\s\s|[^\S ]|[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u115f\u3164]/u;

/** True for a name with spaces at an end, repeated or unusual spaces, or invisible characters. */
export function isOddName(name: string): boolean {
  return odd.test(name);
}

/** A name for messages: unchanged, or in quotes with invisible characters as code points. */
export function visibleName(name: string): string {
  return isOddName(name) ? quotedName(name) : name;
}

/** A name in quotes, with invisible characters as code points. */
export function quotedName(name: string): string {
  const shown = name.replace(
    /[^\S ]|[\p{Cc}\p{Cf}\u115f\u3164]/gu,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
  return `"${shown}"`;
}
