/** The table of commands: help, the pages and the sections of options that are derived from it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandsPage } from "../scripts/commandsPage.ts";
import { commands } from "../src/cli/commands.ts";
import { flagOf } from "../src/cli/help.ts";
import { commandGroups } from "../src/cli/spec.ts";
import { runMain } from "./mainOutput.ts";
import { root } from "./sourceFiles.ts";

async function help(...args: string[]): Promise<string> {
  const { exit, stdout } = await runMain(...args);
  assert.equal(exit, 0);
  return stdout;
}

test("alexnet --help lists every command with its summary, in its group", async () => {
  const text = await help("--help");
  assert.match(text, /Start here:\n {2}alexnet /);
  for (const group of commandGroups) {
    const part = text.split(`\n${group}:\n`)[1]?.split("\n\n")[0] ?? "";
    const listed = [...part.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name);
    assert.deepEqual(
      listed,
      commands.filter((command) => command.group === group).map(({ name }) => name),
    );
  }
  for (const { summary } of commands) assert.ok(text.replace(/\s+/g, " ").includes(` ${summary} `), summary);
});

test("the help of a command names every option, has examples, and no line over 80 columns", async () => {
  for (const { name, load } of [...commands, undefined].map((command) => command ?? { name: "", load: undefined })) {
    const text = await help(...[name, "--help"].filter((word) => word !== ""));
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${name}: ${line.length} columns: ${line}`);
    if (load === undefined) continue;
    assert.match(text, /\n\nExamples:\n {2}(?:source <\()?alexnet /);
    assert.match(text, new RegExp(`^Usage: alexnet ${name} `));
    for (const { flags } of (await load()).options ?? []) {
      assert.match(text, new RegExp(`^  (?:--[a-z-]+,\\s+)*${flagOf(flags)}(?=[ ,\n])`, "m"), `${name} ${flags}`);
    }
    assert.equal(await help("help", name), text);
  }
});

test("an option that help leaves to another command is described there, word by word, as the same option", async () => {
  const specs = new Map(await Promise.all(commands.map(async ({ name, load }) => [name, await load()] as const)));
  let pointers = 0;
  for (const [name, { options = [] }] of specs) {
    assert.equal(new Set(options.map(({ flags }) => flagOf(flags))).size, options.length, `${name}: a flag twice`);
    for (const option of options) {
      if (option.section === undefined || option.section.command === name) continue;
      const described = specs.get(option.section.command)?.options?.find(({ flags }) => flags === option.flags);
      assert.deepEqual(option, described, `${name} ${option.flags}`);
      pointers++;
    }
  }
  assert.ok(pointers > 30);
});

test("docs/commands.md is what the table of commands gives", async () => {
  assert.equal(
    readFileSync(join(root, "docs/commands.md"), "utf8"),
    await commandsPage(),
    "write it again: node --import tsx scripts/commandsPage.ts",
  );
});
