/** README.zh-CN.md stays in step with README.md: the same parts, commands, program, links and numbers. Its sentences are its own. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./sourceFiles.ts";

const read = (name: string) => readFileSync(join(root, name), "utf8");
const [english, chinese] = [read("README.md"), read("README.zh-CN.md")];

/** Compares what `extract` finds in both; at least `least` items, so that a pattern that no longer matches fails. */
function assertSame(what: string, extract: (text: string) => readonly unknown[], least: number): void {
  const expected = extract(english);
  assert.ok(expected.length >= least, `README.md: ${expected.length} ${what}, at least ${least} expected`);
  assert.deepEqual(extract(chinese), expected, `README.zh-CN.md: other ${what} than README.md`);
}

/** Headings, paragraphs, code blocks, tables and images of a page. */
function parts(text: string): readonly string[] {
  return text.split(/\n{2,}/);
}

/** Numbers, in any context. */
function numbersOf(text: string): readonly string[] {
  return text.match(/\d[\d,.]*(?<=\d)/g) ?? [];
}

function sorted(found: readonly string[] | null): readonly string[] {
  return [...(found ?? [])].sort();
}

test("headings, paragraphs, blocks, lists, tables and images come in the same order", () => {
  const kinds = (text: string) => parts(text).map((part) => /^(#+ | {4}|```|\||!\[|\*\*|- )/.exec(part)?.[0] ?? "text");
  assertSame("parts", kinds, 30);
});

test("commands are the same up to their comments", () => {
  const commands = (text: string) =>
    [...text.matchAll(/^ {4}(\S.*)$/gm)].map(([, line = ""]) => {
      const [command = "", ...comment] = line.split(/ +# /);
      return { command, commented: comment.length > 0, numbers: numbersOf(comment.join(" ")) };
    });
  assertSame("commands", commands, 25);
});

test("the program is the same up to its comments", () => {
  const code = (text: string) =>
    [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block.replace(/(^| )\/\/ .*$/gm, ""));
  assertSame("programs", code, 1);
});

test("each row of each table has the same code and numbers, cell by cell", () => {
  const rows = (text: string) =>
    [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row = ""]) =>
      row.split(" | ").map((cell) => ({ code: cell.match(/`[^`]+`/g), numbers: numbersOf(cell) })),
    );
  assertSame("rows", rows, 11);
});

test("links and images come in the same order", () => {
  const links = (text: string) => text.match(/\]\([^)]+\)/g) ?? [];
  assert.match(english, /^# alexnet\n\nEnglish \| \[中文\]\(README\.zh-CN\.md\)\n/);
  assert.match(chinese, /^# alexnet\n\n\[English\]\(README\.md\) \| 中文\n/);
  // The two pages link to each other first.
  assertSame("links", (text) => links(text).slice(1), 30);
});

test("each paragraph has the same numbers and code, in any order within it", () => {
  const paragraphs = (text: string) => parts(text).filter((part) => !/^( {4}|```|\||#)/.test(part));
  assertSame("code", (text) => paragraphs(text).map((part) => sorted(part.match(/`[^`]+`/g))), 10);
  assertSame("numbers", (text) => paragraphs(text).map((part) => sorted(numbersOf(part))), 10);
});
