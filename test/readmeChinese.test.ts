/** README.zh-CN.md says what README.md says: the same parts, commands, program, links, and the same numbers in the same tables. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./sourceFiles.ts";

const read = (name: string) => readFileSync(join(root, name), "utf8");
const [english, chinese] = [read("README.md"), read("README.zh-CN.md")];

/** Applies the same to both. */
function assertSame(what: string, of: (text: string) => readonly unknown[], least: number): void {
  const expected = of(english);
  assert.ok(expected.length >= least, `README.md: ${expected.length} ${what}, at least ${least} expected`);
  assert.deepEqual(of(chinese), expected, `README.zh-CN.md: other ${what} than README.md`);
}

test("the parts are the same: headings, paragraphs, blocks and tables in the same order", () => {
  const kinds = (text: string) =>
    text.split(/\n{2,}/).map((part) => {
      if (part.startsWith("#")) return (/^#+/.exec(part) as RegExpExecArray)[0];
      return /^( {4}|```|\||!\[)/.exec(part)?.[0] ?? "text";
    });
  assertSame("parts", kinds, 30);
});

test("the commands are the same up to their comments, and comments stand beside the same commands", () => {
  const commands = (text: string) =>
    [...text.matchAll(/^ {4}(\S.*)$/gm)].map(([, line = ""]) => {
      const [command = "", ...comment] = line.split(/ +# /);
      return { command, commented: comment.length > 0 };
    });
  assertSame("commands", commands, 30);
});

test("the program is the same up to its comments", () => {
  const code = (text: string) =>
    [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block.replace(/ \/\/ .*$/gm, ""));
  assertSame("programs", code, 1);
});

test("each row of each table has the same numbers and the same names", () => {
  const rows = (text: string) =>
    [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row = ""]) =>
      row.split(" | ").map((cell) => ({ names: cell.match(/`[^`]+`/g), numbers: numbersOf(cell) })),
    );
  assertSame("rows", rows, 16);
});

test("the text has the same figures, names and links, whatever their order in a paragraph", () => {
  const paragraphs = (text: string) => text.split(/\n{2,}/).filter((part) => !/^( {4}|```|\||#)/.test(part));
  const sorted = (found: readonly string[] | null) => [...(found ?? [])].sort();
  const names = (text: string) => paragraphs(text).map((part) => sorted(part.match(/`[^`]+`/g)));
  const links = (text: string) => paragraphs(text).map((part) => sorted(part.match(/\]\([^)]+\)/g)));
  // The two pages link to each other in their first paragraph.
  assertSame("links", (text) => links(text).slice(1), 10);
  assert.match(english, /^# alexnet\n\nEnglish \| \[中文\]\(README\.zh-CN\.md\)\n/);
  assert.match(chinese, /^# alexnet\n\n\[English\]\(README\.md\) \| 中文\n/);
  assertSame("names", names, 10);
  assertSame("figures", (text) => paragraphs(text).map((part) => sorted(numbersOf(part))), 10);
});

/** Numbers, whatever stands around them. */
function numbersOf(text: string): readonly string[] {
  return text.match(/\d[\d,.]*(?<=\d)/g) ?? [];
}
