/** Holds the project's English: openings of comments, and words with a better term, in src and in help. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandsPage } from "../scripts/commandsPage.ts";
import { commands } from "../src/cli/commands.ts";
import { commentOpenings, helpOpenings, matchesOf, usesInSource, type WordRule, wordRules } from "./proseRules.ts";
import { type SourceFile, sourceFiles } from "./sourceFiles.ts";

/** Limit over all help: `what to do if` names the value. It only goes down. */
const MOST_HELP_OPENINGS = 2;

const source = sourceFiles("src");

test("comments do not begin with a preposition or a relative pronoun", () => {
  assertFew(commentOpenings(source), 0, "begin with the noun or the verb");
});

test("help of flags and arguments does not begin with one", async () => {
  assertFew(helpOpenings(await helpTexts()), MOST_HELP_OPENINGS, "say what the value is");
});

for (const rule of wordRules) {
  test(`"${rule.word}" in comments and texts: ${rule.instead}`, () => {
    assertFew(usesInSource(source, rule), 0, `write ${rule.instead}`);
  });
  test(`"${rule.word}" in help: ${rule.instead}`, async () => {
    assertFew(matchesOf(await commandsPage(), rule), 0, `write ${rule.instead}`);
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

async function helpTexts(): Promise<readonly string[]> {
  const specs = await Promise.all(commands.map(({ load }) => load()));
  return specs.flatMap(({ arguments: values = [], options = [] }) => [...values, ...options].map(({ help }) => help));
}

function assertFew(found: readonly string[], limit: number, remedy: string): void {
  assert.ok(found.length <= limit, `${found.length}, expected at most ${limit}; ${remedy}:\n${found.join("\n")}`);
}
