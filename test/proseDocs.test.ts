/** The prose of docs/, README and CONTRIBUTING: the field's words, short sentences, and pages that begin with a task and its command. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./sourceFiles.ts";

/** docs/commands.md is generated from the commands' help. */
const docs = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md") && name !== "commands.md");
const pages = [...docs.map((name) => `docs/${name}`), "README.md", "CONTRIBUTING.md"].map((path) => ({
  path,
  text: readFileSync(join(root, path), "utf8"),
}));

/** Words to avoid, and the ones to use. */
const words: readonly { readonly avoid: RegExp; readonly use: string }[] = [
  { avoid: /\b(?:go|goes|going|went) on\b/gi, use: "continue, resume" },
  { avoid: /\bbehind\b/gi, use: "after" },
  { avoid: /\bso many\b/gi, use: "n" },
  { avoid: /\btold\b/gi, use: "passed, given" },
  { avoid: /\banew\b/gi, use: "again, from scratch" },
  { avoid: /\bpictures?\b/gi, use: "image; photo for a user's file" },
  { avoid: /\bshares?\b/gi, use: "fraction" },
  { avoid: /\bdamaged\b/gi, use: "unreadable, corrupt" },
  { avoid: /\bbeside\b/gi, use: "next to, compared with" },
  { avoid: /\bnot finite\b/gi, use: "NaN or infinite" },
  { avoid: /\bto the bit\b/gi, use: "bit for bit" },
  { avoid: /\bby heart\b/gi, use: "memorise" },
  { avoid: /\b(?:who|whom|whoever|somebody|nobody)\b/gi, use: "the thing that acts" },
  { avoid: /(?<!\blearning[ -])\brates?\b/gi, use: "learning rate, speed, fraction" },
  { avoid: /^(?:#+ |- |\d+\. |\| )?(?:Of|What|Whether|Where|Which|Whose|As) /gm, use: "a noun phrase" },
];

/** Places where a word of the list is the right one. */
const allowed: readonly { readonly path: string; readonly words: string; readonly reason: string }[] = [
  { path: "docs/alexnet.md", words: "| Share |", reason: "a heading that `alexnet summary` prints" },
  { path: "docs/layers.md", words: "share a file", reason: "the verb" },
  { path: "docs/onednn.md", words: "both share", reason: "the verb" },
  { path: "docs/onednn.md", words: "share a layout", reason: "the verb" },
];

/** The text without code, quoted output of commands and link targets. Inline code becomes one letter. */
function prose(text: string): string {
  return text
    .replace(/^```.*?^```$/gms, "")
    .replace(/^ {4}.*$/gm, "")
    .replace(/^>.*$/gm, "")
    .replace(/\]\([^)]*\)/g, "]")
    .replace(/`[^`\n]*`|`[^`]*`/g, "X");
}

/** Paragraphs and list items, without headings, tables and images. */
function paragraphs(text: string): readonly string[] {
  return prose(text)
    .replace(/^(?:#|\||!\[).*$/gm, "")
    .split(/\n\s*\n|\n(?=\s*(?:-|\d+\.) )/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim());
}

/** Sentences end at a full stop, question or exclamation mark before something that can begin one. */
function sentences(text: string): readonly string[] {
  return paragraphs(text).flatMap((paragraph) => paragraph.split(/(?<=[.?!])["”)*]*\s+(?=[A-Z*“X[\d(])/));
}

test("words that have a better one in the field do not occur", () => {
  const found = pages.flatMap(({ path, text }) => {
    const exceptions = allowed.filter((each) => each.path === path).map((each) => each.words);
    const plain = exceptions.reduce((rest, words) => rest.replaceAll(words, "|"), prose(text));
    return words.flatMap(({ avoid, use }) =>
      [...plain.matchAll(avoid)].map(({ 0: word, index }) => {
        const context = plain.slice(Math.max(0, index - 40), index + 40).replaceAll("\n", " ");
        return `${path}: "${word.trim()}" (use ${use}) in "…${context}…"`;
      }),
    );
  });
  assert.deepEqual(found, []);
});

test("every exception is still needed", () => {
  for (const { path, words: phrase } of allowed) {
    const page = pages.find((each) => each.path === path);
    assert.ok(page?.text.includes(phrase), `${path} no longer contains "${phrase}"; remove the exception`);
  }
});

test("a sentence has at most 25 words", () => {
  let count = 0;
  const long = pages.flatMap(({ path, text }) =>
    sentences(text).flatMap((sentence) => {
      count++;
      const length = sentence.match(/[A-Za-z][\w'’-]*/g)?.length ?? 0;
      return length > 25 ? [`${path}: ${length} words: ${sentence}`] : [];
    }),
  );
  assert.ok(count > 700, `only ${count} sentences found`);
  assert.deepEqual(long, []);
});

test("a page of docs/ begins with a task and the command that does it", () => {
  const others = pages
    .filter(({ path }) => path.startsWith("docs/"))
    .filter(({ text }) => !/^# .+\n\n[^\n#|].{20,}\n(?:.+\n)*\n(?: {4}\S|```)/.test(text))
    .map(({ path }) => path);
  assert.deepEqual(others, [], "after the title, one paragraph, then a block of commands or code");
});
