/** Holds the structure that CONTRIBUTING.md describes, by the rules in structureRules.ts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as nodeModule from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { ZodMiniObject } from "zod/mini";
import { layerKinds } from "../src/layers/kinds.ts";
import { codeOnly, importsOf, root, type SourceFile, sourceFiles } from "./sourceFiles.ts";
import {
  companyProblems,
  findCycle,
  forbiddenText,
  importProblems,
  kindBranches,
  packageProblems,
  packageUsers,
} from "./structureRules.ts";

const source = sourceFiles("src").filter(({ path }) => !path.endsWith(".test.ts"));
const everything = sourceFiles("src", "scripts", "test", "bench", "bin");

function importsIn(path: string): readonly string[] {
  return source.filter((file) => file.path === path).flatMap((file) => importsOf(file).map(({ target }) => target));
}

test("each part imports lower levels only, as the table says", () => {
  assert.deepEqual(importProblems(source), []);
});

test("imports form no cycle", () => {
  assert.equal(findCycle(source)?.join(" → "), undefined);
});

test("packages are used where the list says, and the list is that of package.json", () => {
  assert.deepEqual(packageProblems(source), []);
  const stale = Object.entries(packageUsers).flatMap(([name, users]) =>
    users.filter((user) => user.endsWith(".ts") && !importsIn(user).includes(name)).map((user) => `${user}: ${name}`),
  );
  assert.deepEqual(
    stale,
    [],
    "these no longer import the package; take them off packageUsers in test/structureRules.ts",
  );
  const manifest: { dependencies: object; peerDependencies: object } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  assert.deepEqual(
    Object.keys(packageUsers).sort(),
    Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).sort(),
  );
});

test("no Math.random, any, default export, silenced type error or unfinished business", () => {
  assert.deepEqual(forbiddenText(everything), []);
});

/** The names of the options of all kinds of layers. */
const layerOptions = [
  ...new Set(
    Object.values(layerKinds).flatMap(({ options }) =>
      options instanceof ZodMiniObject ? Object.keys(options.shape) : [],
    ),
  ),
];

test("nothing branches on a kind: every kind declares what shared code must know of it", () => {
  assert.ok(layerOptions.includes("activeAtEvaluation"), layerOptions.join(", "));
  assert.deepEqual(kindBranches(source, layerOptions), []);
});

test("every test that measures says whether it runs alone", () => {
  assert.deepEqual(companyProblems(sourceFiles("src", "test")), []);
});

test("engine.ts holds types only", () => {
  const code = codeOnly(source.find(({ path }) => path === "src/engine/engine.ts")?.text ?? "");
  assert.doesNotMatch(code, /^export (?:const|let|function|async|class)\b/m);
  assert.match(code, /^export interface Engine\b/m);
});

test("the checks above see what they are for", () => {
  const file = (path: string, text: string): SourceFile => ({ path, text });
  const imports = (path: string, specifier: string) => [file(path, `import {\n  a,\n} from "${specifier}";`)];
  assert.equal(importProblems(imports("src/layers/relu.ts", "../network/network.ts")).length, 1);
  assert.equal(importProblems([file("src/image/a.ts", 'const b = await import("../dataset/b.ts");')]).length, 1);
  assert.equal(importProblems(imports("src/training/train.ts", "../engine/onednn/onednn.ts")).length, 1);
  assert.equal(importProblems(imports("src/engine/onednn/a.ts", "../reference/b.ts")).length, 1);
  assert.equal(importProblems(imports("src/dataset/a.ts", "../network/b.ts")).length, 1);
  assert.equal(importProblems(imports("src/novel/a.ts", "../errors.ts")).length, 1);
  assert.equal(importProblems(imports("src/cli/a.ts", "../../test/b.ts")).length, 1);
  assert.deepEqual(importProblems(imports("src/network/a.ts", "../layers/b.ts")), []);
  assert.deepEqual(importProblems([file("src/image/a.ts", '// import { a } from "../cli/a.ts";')]), []);
  assert.equal(packageProblems(imports("src/engine/onednn/program.ts", "koffi")).length, 1);
  assert.equal(packageProblems([file("src/cli/a.ts", 'import "lodash/fp";')]).length, 1);
  assert.equal(packageProblems([file("src/cli/a.ts", 'export * from "@scope/name/part";')]).length, 1);
  for (const text of [
    'layers.some((layer) => layer.kind === "dropout");',
    'if ("dropout" === layer?.kind) {}',
    "switch (layer.kind) {}",
    "if (activations.includes(next.kind)) {}",
    '"activeAtEvaluation" in layer;',
    "if (layer instanceof Dropout) {}",
    "const names: { readonly [K in OpKind]: string } = {};",
    "const sizes: Partial<Record<OpKind, number>> = {};",
  ]) {
    assert.equal(kindBranches([file("src/model/a.ts", text)], layerOptions).length, 1, text);
  }
  for (const text of [
    "const same = layer.kind === kind;",
    "layerKinds[layer.kind].reach(layer, shape);",
    "if (error instanceof DataError || values instanceof Float32Array) {}",
    '// layer.kind === "dropout"',
  ]) {
    assert.deepEqual(kindBranches([file("src/model/a.ts", text)], layerOptions), [], text);
  }
  const loop = [...imports("src/a.ts", "./b.ts"), ...imports("src/b.ts", "./c.ts"), ...imports("src/c.ts", "./b.ts")];
  assert.deepEqual(findCycle(loop), ["src/b.ts", "src/c.ts", "src/b.ts"]);
  const helper = file("test/a.ts", "export const now = () => performance.now();");
  const measured = (text: string) => companyProblems([helper, file("test/b.test.ts", text)]).length;
  assert.equal(measured('import { now } from "./a.ts";'), 1);
  assert.equal(measured("process.cpuUsage();"), 1);
  assert.equal(measured('import { now } from "./a.ts";\n// Runs alone: it holds limits of time.'), 0);
  assert.equal(measured("// Runs alone:\nprocess.cpuUsage();"), 1, "without a reason");
  assert.equal(measured("// performance.now()"), 0);
  const bad = [
    "let a: any;",
    "f<any>(b);",
    "c as any;",
    "let d: readonly any[];",
    "Math.random();",
    "export default e;",
  ];
  for (const text of [...bad, `// ${"TO"}${"DO"}: more`, `// @ts-${"ignore"}`]) {
    assert.equal(forbiddenText([file("src/a.ts", text)]).length, 1, text);
  }
  const good = [
    "// any number, of any kind: any",
    'say("is it, any more?");',
    "const company = anyLayer(b), any2 = c;",
  ];
  for (const text of good) assert.deepEqual(forbiddenText([file("src/a.ts", text)]), [], text);
});

test("where Node.js strips types, it can those of every file", () => {
  if (!("stripTypeScriptTypes" in nodeModule)) return; // Node.js 20
  const strip = nodeModule.stripTypeScriptTypes as (code: string) => string;
  const problems = sourceFiles("src", "test", "scripts", "bench", "examples")
    .filter(({ path }) => path.endsWith(".ts"))
    .flatMap(({ path, text }) => {
      try {
        strip(text);
        return [];
      } catch (error) {
        return [`${path}: ${(error as Error).message}`];
      }
    });
  assert.deepEqual(problems, []);
});
