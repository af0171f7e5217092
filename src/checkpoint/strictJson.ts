/**
 * JSON as headers of files want it, where JSON.parse is too kind: no key twice, `__proto__` a name like others, whole numbers exact or not numbers
 * at all, no deeper than a header is. One function is longer than others: its parts share the place in the text.
 */
export type StrictJson = string | number | boolean | null | readonly StrictJson[] | ReadonlyMap<string, StrictJson>;

/** No header nests deeper. */
const MAX_DEPTH = 8;
/** The longest f64 has fewer characters. */
const MAX_NUMBER_LENGTH = 32;

/** Numbers other than whole ones from 0 to 2^53 − 1 become NaN. Throws SyntaxError saying what is wrong, and at which character. */
export function parseStrictJson(text: string): StrictJson {
  let at = 0;
  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at character ${at}`);
  };
  const skipSpace = () => {
    while (isSpace(text.charCodeAt(at))) at++;
  };
  const next = (expected: string) => {
    skipSpace();
    if (text[at] !== expected) fail(`expected ${expected}, got ${text[at] ?? "the end"}`);
    at++;
  };
  const follows = (character: string): boolean => {
    skipSpace();
    if (text[at] !== character) return false;
    at++;
    return true;
  };

  function readString(): string {
    next('"');
    const begin = at - 1;
    for (; text[at] !== '"'; at++) {
      if (text[at] === "\\") at++;
      if (at >= text.length) fail("a string without an end");
    }
    at++;
    try {
      return JSON.parse(text.slice(begin, at)) as string;
    } catch {
      return fail("a string that is not JSON");
    }
  }

  function readObject(depth: number): ReadonlyMap<string, StrictJson> {
    const members = new Map<string, StrictJson>();
    next("{");
    if (follows("}")) return members;
    do {
      const key = readString();
      if (members.has(key)) fail(`"${key}" for the second time`);
      next(":");
      members.set(key, readValue(depth + 1));
    } while (follows(","));
    next("}");
    return members;
  }

  function readArray(depth: number): readonly StrictJson[] {
    const values: StrictJson[] = [];
    next("[");
    if (follows("]")) return values;
    do values.push(readValue(depth + 1));
    while (follows(","));
    next("]");
    return values;
  }

  function readLiteral(): StrictJson {
    const begin = at;
    while (at - begin <= MAX_NUMBER_LENGTH && isWordCharacter(text.charCodeAt(at))) at++;
    const word = text.slice(begin, at);
    if (words.has(word)) return words.get(word) as boolean | null;
    if (!numberPattern.test(word) || isWordCharacter(text.charCodeAt(at)))
      fail(`expected a value, got ${word || (text[at] ?? "the end")}`);
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }

  function readValue(depth: number): StrictJson {
    if (depth > MAX_DEPTH) fail(`more than ${MAX_DEPTH} levels`);
    skipSpace();
    if (text[at] === "{") return readObject(depth);
    if (text[at] === "[") return readArray(depth);
    return text[at] === '"' ? readString() : readLiteral();
  }

  const value = readValue(1);
  skipSpace();
  return at < text.length ? fail("more than one value") : value;
}

const words: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Of numbers, `true`, `false` and `null`: letters, digits, point and signs. */
function isWordCharacter(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x7a) || [0x2b, 0x2d, 0x2e, 0x45].includes(code);
}
