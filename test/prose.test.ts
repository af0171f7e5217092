/** Holds the project's English: openings of comments, and words with a better term, in src and in help. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandsPage } from "../scripts/commandsPage.ts";
import { commands } from "../src/cli/commands.ts";
import { commentOpenings, helpOpenings, matchesOf, usesInSource, type WordRule, wordRules } from "./proseRules.ts";
import { type SourceFile, sourceFiles } from "./sourceFiles.ts";

/** Limits over all of src, and over all help. They only go down: lower a number with every use removed. The aim of comments is below 20. */
const MOST_OPENINGS = 67;
/** `what to do if`: such a phrase names the value. */
const MOST_HELP_OPENINGS = 6;
const limits: Readonly<Record<string, { readonly source: number; readonly help: number }>> = {
  picture: { source: 135, help: 0 },
  share: { source: 16, help: 0 },
  "go on": { source: 19, help: 0 },
  "so many": { source: 12, help: 0 },
  behind: { source: 19, help: 0 },
  anew: { source: 7, help: 0 },
  told: { source: 21, help: 0 },
};

const source = sourceFiles("src");

test("comments do not begin with a preposition or a relative pronoun", () => {
  assertFew(commentOpenings(source), MOST_OPENINGS, "begin with the noun or the verb");
});

test("help of flags and arguments does not begin with one", async () => {
  assertFew(helpOpenings(await helpTexts()), MOST_HELP_OPENINGS, "say what the value is");
});

for (const rule of wordRules) {
  const { source: inSource = 0, help = 0 } = limits[rule.word] ?? {};
  test(`"${rule.word}" in comments and texts: ${rule.instead}`, () => {
    assertFew(usesInSource(source, rule), inSource, `write ${rule.instead}`);
  });
  test(`"${rule.word}" in help: ${rule.instead}`, async () => {
    assertFew(matchesOf(await commandsPage(), rule), help, `write ${rule.instead}`);
  });
}

const planted: SourceFile = {
  path: "src/planted.ts",
  text: `/** What a picture becomes, as the program goes on. */
/**
 * Draws an image.
 *
 * Of each row, the share of pixels.
 */
// which of so many
// lines comes behind the other
const a = "// told anew", b = /[/*] picture/; // Whether it is
/** Whatever: an opening only looks like one. Shares a buffer. The mapPictures function, \`pictures\`. */
const c = \`a picture of \${picture} and "the share"\`;
`,
};

test("the checks find a planted violation, on its line, and nothing else", () => {
  assert.deepEqual(
    commentOpenings([planted]).map((found) => found.split(":")[1]),
    ["1", "2", "7", "9"],
  );
  const lines = (word: string) =>
    usesInSource([planted], wordRules.find((rule) => rule.word === word) as WordRule).map((use) => use.split(":")[1]);
  assert.deepEqual(lines("picture"), ["1", "11"]);
  assert.deepEqual(lines("share"), ["2", "11"]);
  assert.deepEqual(lines("go on"), ["1"]);
  assert.deepEqual(lines("so many"), ["7"]);
  assert.deepEqual(lines("behind"), ["7"]);
  assert.deepEqual(lines("anew"), ["9"]);
  assert.deepEqual(lines("told"), ["9"]);
  assert.deepEqual(helpOpenings(["of every choice", "offset in bytes", "What it is"]), [
    "of every choice",
    "What it is",
  ]);
});

test("a limit is of a word that has a rule", () => {
  const words = new Set(wordRules.map(({ word }) => word));
  assert.deepEqual(
    Object.keys(limits).filter((word) => !words.has(word)),
    [],
  );
});

async function helpTexts(): Promise<readonly string[]> {
  const specs = await Promise.all(commands.map(({ load }) => load()));
  return specs.flatMap(({ arguments: values = [], options = [] }) => [...values, ...options].map(({ help }) => help));
}

function assertFew(found: readonly string[], limit: number, remedy: string): void {
  assert.ok(found.length <= limit, `${found.length}, expected at most ${limit}; ${remedy}:\n${found.join("\n")}`);
}
