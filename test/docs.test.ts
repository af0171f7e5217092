/**
 * Tables, quotations and drawings of the pages are the current output of their commands; links, commands and flags exist. Over 200 lines: all tests
 * read the same pages.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, posix } from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { findNetwork, networks } from "../src/network/alexnet.ts";
import { type Network, parseNetwork } from "../src/network/network.ts";
import { summarize } from "../src/network/summary.ts";
import { sizeOf } from "../src/shape.ts";
import { readSweepPlan, trialsOf } from "../src/tuning/sweepPlan.ts";
import { builtCommand, run } from "./command.ts";
import { runMain } from "./mainOutput.ts";
import { root, sourceFiles } from "./sourceFiles.ts";

const paths = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const pages = new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));

let folder: string;
let bin: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-docs-"));
  bin = await builtCommand();
});

after(() => rm(folder, { recursive: true }));

/** Runs the command from the root, as the pages do. */
async function alexnet(args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await run([bin, ...args], { cwd: root });
  assert.equal(exit, 0, `alexnet ${args.join(" ")}: ${stderr}`);
  return stdout;
}

interface ShownCommand {
  readonly path: string;
  readonly args: readonly string[];
  /** What follows on the page, up to the next command of the same name. */
  readonly below: string;
}

/** The lines of the pages that call a command with a flag. */
function shown(name: string, flag: string): readonly ShownCommand[] {
  return [...pages].flatMap(([path, text]) => {
    const pieces = text.split(new RegExp(`^ {4}npx alexnet (?=${name} )`, "m")).slice(1);
    return pieces.flatMap((piece) => {
      const [line = "", ...below] = piece.split("\n");
      const args = (line.split(" #")[0] as string).trim().split(/\s+/);
      return args.includes(flag) ? [{ path, args, below: below.join("\n") }] : [];
    });
  });
}

/** Tables of a Markdown text, each as its lines. */
function tables(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => table.trimEnd().split("\n"));
}

/** Quotations of a Markdown text, each in one line. */
function quotations(text: string): readonly string[] {
  return [...text.matchAll(/(?:^>.*\n)+/gm)].flatMap(([quoted]) =>
    quoted
      .split(/^> (?=- )/m)
      .map((part) => part.replace(/^> ?/gm, "").replaceAll("\n", " ").trim())
      .filter((part) => part !== ""),
  );
}

test("tables and quotations below `summary --markdown` are what it prints; layers that learn nothing may be left out", async () => {
  const commands = shown("summary", "--markdown").filter(({ path }) => path !== "README.md");
  assert.ok(commands.length >= 3, "docs/alexnet.md shows summaries");
  for (const { path, args, below } of commands) {
    const printed = await alexnet(args);
    const lines = printed.split("\n");
    const where = `${path}, alexnet ${args.join(" ")}`;
    let compared = 0;
    for (const [heads = "", rule = "", ...rows] of tables(below)) {
      const made = tables(`${printed}\n`).find(([first, second]) => first === heads && second === rule);
      if (made === undefined) continue;
      assert.deepEqual(
        rows,
        made.slice(2).filter((row) => rows.includes(row)),
        `${where}: rows that are not printed`,
      );
      const learning = made.slice(2).filter((row) => /^\| (?:conv\d|fc\d|total) /.test(row));
      // Of another network than the page's, the layers that differ are enough.
      const needed = args.includes("alexnet") ? learning : learning.filter((row) => !row.startsWith("| fc"));
      for (const row of needed) assert.ok(rows.includes(row), `${where}: the page lacks ${row}`);
      compared++;
    }
    for (const quoted of quotations(below)) {
      assert.ok(lines.includes(quoted), `${where}: not printed: ${quoted}`);
      compared++;
    }
    assert.ok(compared > 0, `${where}: nothing of it stands below`);
  }
});

test("the drawings are those that `draw` makes", async () => {
  const commands = shown("draw", "--output").filter(({ args }) => args.at(-1)?.startsWith("docs/"));
  assert.ok(commands.length >= 2, "docs/alexnet.md shows drawings");
  for (const { path, args } of commands) {
    const target = args.at(-1) as string;
    const made = join(folder, basename(target));
    await alexnet([...args.slice(0, -1), made]);
    const remedy = `${path}: ${target} is not as drawn; run npx alexnet ${args.join(" ")}`;
    assert.equal(await readFile(join(root, target), "utf8"), await readFile(made, "utf8"), remedy);
  }
});

test("every relative link and image of the pages exists, with its heading", () => {
  for (const [path, text] of pages) {
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = "", heading] = target.split("#");
      const linked = file === "" ? path : posix.join(dirname(path), file);
      assert.ok(existsSync(join(root, linked)), `${path}: no ${linked}`);
      if (heading === undefined) continue;
      assert.ok(headings(pages.get(linked) ?? "").includes(heading), `${path}: ${linked} has no heading #${heading}`);
    }
  }
});

test("pages that the source names exist", () => {
  const named = sourceFiles("src", "scripts", "bench", "test").flatMap(({ path, text }) =>
    [...text.matchAll(/(?<![\w/])docs\/[\w-]+\.md/g)].map(([page]) => ({ path, page })),
  );
  assert.ok(named.length > 20);
  assert.deepEqual(
    named.filter(({ page }) => !pages.has(page)),
    [],
  );
});

test("the figures that docs/alexnet.md repeats of docs/results.md stand there", () => {
  const part = pages.get("docs/alexnet.md")?.split("\n## Ten crops")[1]?.split("\n## ")[0] ?? "";
  const rows = part
    .slice(part.indexOf("\n| network |"))
    .split("\n")
    .filter((line) => line.startsWith("|"));
  assert.equal(rows.length, 6);
  for (const row of rows) assert.ok(pages.get("docs/results.md")?.includes(`\n${row}\n`), row);
});

test("figures that docs/alexnet.md computes from summaries are current", async () => {
  const page = (pages.get("docs/alexnet.md") ?? "").replaceAll("\n", " ");
  const network = findNetwork("alexnet");
  const { layers, totals, input, trainingMemory } = summarize(network);
  const text = await readFile(join(root, "docs/alexnet-ungrouped.json"), "utf8");
  const ungrouped = summarize(parseNetwork(JSON.parse(text), "docs/alexnet-ungrouped.json"));
  const outputs = layers.reduce((sum, { activationBytes }) => sum + activationBytes, 0);
  const learned = 3 * trainingMemory.parameters;
  const batch = 4 * 128 * sizeOf(input);
  const gigabytes = [outputs, learned, batch, 2 * outputs + learned + batch].map((bytes) => (bytes / 1e9).toFixed(2));
  const [each, kept, read, all] = gigabytes;
  assert.ok(
    page.includes(
      `${each} GB each, ${kept} GB for parameters, gradients and velocities, ${read} GB for the batch, together ${all} GB`,
    ),
  );
  // Half of what a layer reads is the other device's.
  const half = (name: string) => sizeOf(layers.find((layer) => layer.name === name)?.inputShape ?? []) / 2;
  const exchanged = ["conv3", "fc6", "fc7", "fc8"].reduce((sum, name) => sum + half(name), 0);
  const spared = ["conv2", "conv4", "conv5"].reduce((sum, name) => sum + half(name), 0);
  const count = (value: number) => value.toLocaleString("en-US");
  assert.ok(page.includes(`${count(exchanged)} numbers with groups, ${count(exchanged + spared)} without`));
  for (const name of ["conv2", "conv4", "conv5"])
    assert.match(page, new RegExp(`\\| ${name} \\| nothing;[^|]*\\| 0; ${count(half(name))} \\|`));
  assert.ok(page.includes(`${count(totals.macs)} MACs instead of ${count(ungrouped.totals.macs)} (36 % fewer)`));
  assert.ok(
    page.includes(
      `${count(totals.parameters)} parameters instead of ${count(ungrouped.totals.parameters)} (2 % fewer)`,
    ),
  );
  const others = (of: Network) => of.layers.map((layer) => ({ ...layer, groups: 1 }));
  assert.deepEqual(others(parseNetwork(JSON.parse(text), "docs/alexnet-ungrouped.json")), others(network));
});

/** The names that a heading can be linked by, as GitHub makes them. */
function headings(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test("docs/networks.md lists every network with its numbers", () => {
  const rows = [...(pages.get("docs/networks.md") ?? "").matchAll(/^\| `([^`]+)` \|[^|]*\| (.*) \|$/gm)];
  const count = (value: number) => value.toLocaleString("en-US");
  assert.deepEqual(
    rows.map(([, name, numbers]) => `${name} ${numbers}`),
    networks.map((network) => {
      const { parameters, neurons, macs } = summarize(network).totals;
      return `${network.name} ${network.input.join("×")} | ${count(parameters)} | ${count(neurons)} | ${count(macs)}`;
    }),
  );
});

test("every command and flag that the pages name exists", async () => {
  const help = new Map<string, string>();
  const calls = [...pages].flatMap(([path, text]) =>
    [...text.matchAll(/npx alexnet ([a-z][a-z-]*)([^\n`]*)/g)].map((call) => ({ path, call })),
  );
  assert.ok(calls.length > 100);
  for (const { path, call } of calls) {
    const [line, name = "", rest = ""] = call;
    if (!help.has(name)) help.set(name, (await runMain(name, "--help")).stdout);
    const flags = (rest.split(" #")[0] as string).match(/(?<= \[?)--[a-z][a-z0-9-]*/g) ?? [];
    for (const flag of flags)
      assert.match(help.get(name) ?? "", new RegExp(`${flag}[ ,\\n]`), `${path}: no ${flag} in ${line}`);
  }
});

test("the networks of docs/relu differ in their units only, and its sweeps can be run", async () => {
  const read = async (name: string) =>
    parseNetwork(JSON.parse(await readFile(join(root, "docs/relu", name), "utf8")), name);
  const [relu, tanh] = [await read("relu.json"), await read("tanh.json")];
  const others = (layers: typeof relu.layers) => layers.filter(({ kind }) => kind !== "relu" && kind !== "tanh");
  assert.ok(isDeepStrictEqual(others(relu.layers), others(tanh.layers)));
  assert.deepEqual(
    relu.layers.map(({ kind }) => (kind === "relu" ? "tanh" : kind)),
    tanh.layers.map(({ kind }) => kind),
  );
  for (const [name, count] of [
    ["rates.json", 10],
    ["rates-as-2012.json", 12],
  ] as const) {
    assert.equal((await trialsOf(await readSweepPlan(join(root, "docs/relu", name)))).length, count, name);
  }
});
