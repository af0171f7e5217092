/** Names of classes that people take for one another. */

/** Without what the eye passes over: case, white space, invisible characters, and forms of letters that Unicode calls compatible. */
function plainName(name: string): string {
  return name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[\s\p{Cf}\p{Cc}\u115f\u3164]+/gu, "");
}

/** Groups of two or more names that look alike, in the order of the first of each. */
export function alikeNames(names: readonly string[]): readonly (readonly string[])[] {
  const groups = new Map<string, string[]>();
  for (const name of new Set(names)) {
    const group = groups.get(plainName(name));
    if (group) group.push(name);
    else groups.set(plainName(name), [name]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** Matches white space other than single spaces inside, and invisible characters but those that join letters and emoji. */
const odd = /^\s|\s$|\s\s|[^\S ]|[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u115f\u3164]/u;

/** True for a name with spaces at an end, several in a row or of another kind, or with invisible characters. */
export function isOddName(name: string): boolean {
  return odd.test(name);
}

/** A name for messages: as it is, or, if it is odd, in quotes and with what cannot be seen as code points. */
export function visibleName(name: string): string {
  return isOddName(name) ? quotedName(name) : name;
}

/** A name in quotes, with what cannot be seen as code points. */
export function quotedName(name: string): string {
  const shown = name.replace(
    /[^\S ]|[\p{Cc}\p{Cf}\u115f\u3164]/gu,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
  return `"${shown}"`;
}
