/**
 * The structure of the code as rules: who may import whom, where packages may be used, what is not written anywhere. Each
 * check returns its complaints, one a line: file, what is wrong, remedy.
 */
import { companyIn } from "../scripts/testing/suites.ts";
import { codeOnly, importsOf, type SourceFile, withoutComments } from "./sourceFiles.ts";

/**
 * Parts of src/, level by level. A part may import itself and every part of a lower level; the parts named with what they import may import
 * those alone.
 */
export const levels: readonly (readonly string[])[] = [
  ["base", "assembler"],
  ["image", "embedding", "engine"],
  ["layers"],
  ["dataset", "network", "engine/reference", "engine/onednn", "engine/wasm", "engine/webgpu", "communication"],
  ["training", "checkpoint"],
  ["formats", "report"],
  ["engine/select"],
  ["settings"],
  ["model"],
  ["explain"],
  ["runs"],
  ["trainer"],
  ["exchange", "tuning", "benchmark", "setup"],
  ["experiments", "server"],
  ["cli", "web", "entry"],
];

const narrower: Readonly<Record<string, readonly string[]>> = {
  layers: ["base", "engine"],
  dataset: ["base", "image"],
  network: ["base", "engine", "layers"],
  "engine/reference": ["base", "engine"],
  "engine/onednn": ["base", "engine"],
  "engine/wasm": ["base", "assembler", "engine"],
  "engine/webgpu": ["base", "engine"],
  communication: ["base", "engine"],
};

const concreteEngines = ["engine/reference", "engine/onednn", "engine/wasm", "engine/webgpu"];
/** Files outside its own folder that may name a concrete engine. */
const compositionRoots = /^src\/(engine\/select\/.*|cli\/.*|web\/.*|[^/]+\.ts)$/;

/** Files and folders that may use each package: everything else runs without it. */
export const packageUsers: Readonly<Record<string, readonly string[]>> = {
  zod: ["src/"],
  commander: ["src/cli/main.ts", "src/cli/program.ts"],
  "cli-progress": ["src/cli/progress.ts"],
  sharp: ["src/image/files/decode.ts"],
  "csv-parse": ["src/dataset/table/tableFile.ts"],
  yauzl: ["src/dataset/download/zip.ts"],
  vega: [
    "src/report/charts/chart.ts",
    "src/report/charts/curves.ts",
    "src/report/charts/curveMarks.ts",
    "src/report/charts/comparisonChart.ts",
    "src/report/charts/hover.ts",
    "src/report/charts/mapChart.ts",
    "src/report/charts/paceChart.ts",
    "src/report/charts/precisionRecallChart.ts",
    "src/report/charts/rateFigure.ts",
    "src/report/charts/sweepFigure.ts",
  ],
  "@resvg/resvg-js": ["src/report/figures/png.ts", "src/report/figures/fonts.ts"],
  "dejavu-fonts-ttf": [], // files for src/report/figures/fonts.ts, nothing to import
  "@fontsource/unifont": [], // likewise
  koffi: ["src/koffi.ts"], // loaded at the first native call
  webgpu: ["src/engine/select/dawn.ts"], // optional; loaded when the engine is asked for
};

const forbidden: readonly { readonly pattern: RegExp; readonly remedy: string }[] = [
  { pattern: /\bMath\.random\b/, remedy: "draw from src/random.ts: results are a function of the seed" },
  { pattern: /(?<![.\w])any\b(?!\s*[(:?])/, remedy: "name the type, or take unknown and check it" },
  { pattern: /^\s*export default\b/m, remedy: "export by name" },
];
const forbiddenInComments: readonly { readonly pattern: RegExp; readonly remedy: string }[] = [
  { pattern: /@ts-(?:ignore|nocheck|expect-error)\b/, remedy: "cure the type error" },
  { pattern: /\b(?:TO[D]O|FIX[M]E|XX[X])\b/, remedy: "do it, or open an issue" },
];

/** What is not the same beside another process. */
const measuring = /\b(?:performance\.now|Date\.now|process\.(?:hrtime|cpuUsage|resourceUsage|memoryUsage))\b/;

/** Each names a test that measures, by itself or by a file of test/ that it imports, and does not say whether it runs alone. */
export function companyProblems(files: readonly SourceFile[]): readonly string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const measures = (file: SourceFile, seen: readonly string[]): boolean =>
    measuring.test(codeOnly(file.text)) ||
    importsOf(file).some(({ target }) => {
      const imported = target.startsWith("test/") && !seen.includes(target) ? byPath.get(target) : undefined;
      return imported !== undefined && measures(imported, [...seen, target]);
    });
  return files
    .filter((file) => file.path.endsWith(".test.ts") && measures(file, []) && companyIn(file.text) === undefined)
    .map(({ path }) => `${path} measures; say "// Runs alone: …" or "// Runs beside others: …", with the reason`);
}

/** Files directly in src/ that re-export the public API: one per entry of `exports` in package.json. */
export const entryPoints: readonly string[] = [
  "index.ts",
  "core.ts",
  "browser.ts",
  "onednn.ts",
  "wasm.ts",
  "webgpu.ts",
  "formats.ts",
];

function partOf(path: string): string {
  const inside = path.replace(/^src\//, "");
  if (!inside.includes("/")) return entryPoints.includes(inside) ? "entry" : "base";
  if (/^engine\/[^/]+$/.test(inside)) return "engine";
  const [folder = "", sub = ""] = inside.split("/");
  return folder === "engine" ? `engine/${sub}` : folder;
}

function levelOf(part: string): number | undefined {
  const level = levels.findIndex((parts) => parts.includes(part));
  return level < 0 ? undefined : level;
}

function importProblem(from: string, to: string): string | undefined {
  const [part, target] = [partOf(from), partOf(to)];
  const [level, targetLevel] = [levelOf(part), levelOf(target)];
  if (!to.startsWith("src/")) return "is outside src/, which is what a package contains";
  if (level === undefined || targetLevel === undefined) {
    return `${level === undefined ? part : target} has no level; give it one in test/structureRules.ts`;
  }
  if (part === target) return undefined;
  if (concreteEngines.includes(target) && !compositionRoots.test(from))
    return "names a concrete engine; take an Engine";
  const allowed = narrower[part]?.includes(target) ?? targetLevel < level;
  return allowed ? undefined : `${part} (level ${level}) must not import ${target} (level ${targetLevel})`;
}

/** Each problem names the file that imports, what it imports, and the rule. */
export function importProblems(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter(({ own }) => own)
      .flatMap(({ target }) => {
        const problem = importProblem(file.path, target);
        return problem ? `${file.path} imports ${target}: ${problem}` : [];
      }),
  );
}

/** Each problem names the file that imports and the package. */
export function packageProblems(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap(({ target, own }) => {
      if (own || target.startsWith("node:")) return [];
      const users = packageUsers[target];
      if (!users)
        return `${file.path} imports ${target}: enter it in packageUsers and give its reason in docs/packages.md`;
      if (users.some((user) => file.path === user || (user.endsWith("/") && file.path.startsWith(user)))) return [];
      return `${file.path} imports ${target}: only ${users.join(", ")} may`;
    }),
  );
}

/** The first chain of imports that comes back to where it began. */
export function findCycle(files: readonly SourceFile[]): readonly string[] | undefined {
  const targets = new Map(files.map((f) => [f.path, importsOf(f).flatMap((i) => (i.own ? i.target : []))]));
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return undefined;
    for (const next of targets.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle) return cycle;
    }
    finished.add(path);
    return undefined;
  };
  for (const { path } of files) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}

/** The first place of each pattern in each file. */
export function forbiddenText(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) => {
    const found = (rules: typeof forbidden, searched: string) =>
      rules.flatMap(({ pattern, remedy }) => {
        const match = pattern.exec(searched);
        return match ? `${path}:${lineOf(searched, match.index)}: ${match[0].trim()}: ${remedy}` : [];
      });
    return [...(path.endsWith(".py") ? [] : found(forbidden, codeOnly(text))), ...found(forbiddenInComments, text)];
  });
}

/** The folders with lists of all kinds of layers: a table over the kinds elsewhere would be one more place to change for a new kind. */
const kindLists = /^src\/(layers|engine)\//;

/**
 * Branches on a kind of layer, optimizer, fit or the like, on `options`, the names of options that only some kinds of layers have, and on classes
 * other than errors and built-ins.
 */
export function kindBranches(files: readonly SourceFile[], options: readonly string[]): readonly string[] {
  const member = "make it a member that every kind declares";
  const rules = [
    { pattern: /\bkind\b["'\])]*\s*[!=]==?\s*["'`]/, remedy: member },
    { pattern: /["'`]\w+["'`]\s*[!=]==?\s*[\w.?]*\bkind\b/, remedy: member },
    { pattern: /\bswitch\s*\([^)]*\bkind\b/, remedy: member },
    { pattern: /\.(?:includes|has)\([\w.?]*\bkind\)/, remedy: member },
    { pattern: new RegExp(`["'](?:${options.join("|")})["'] in \\w`), remedy: member },
    { pattern: /\binstanceof\s+(?![\w.]*(?:Error|Array|Map|SharedArrayBuffer|URL|Blob)\b)\w+/, remedy: member },
  ];
  const lists = {
    pattern: /\bin OpKind\]|\bRecord<OpKind\b/,
    remedy: "add a member to LayerKind, and read it from layerKinds",
  };
  return files
    .filter(({ path }) => path.startsWith("src/") && !path.endsWith(".test.ts"))
    .flatMap(({ path, text }) =>
      [...rules, ...(kindLists.test(path) ? [] : [lists])].flatMap(({ pattern, remedy }) => {
        const code = withoutComments(text);
        const match = pattern.exec(code);
        return match ? `${path}:${lineOf(code, match.index)}: ${match[0].trim()}: ${remedy}` : [];
      }),
    );
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
