/**
 * The structure of the code as rules: who may import whom, where packages may be used, what is not written anywhere. Each
 * check returns its complaints, one a line: file, what is wrong, remedy.
 */
import { companyIn } from "../scripts/testing/suites.ts";
import { codeOnly, importsOf, type SourceFile } from "./sourceFiles.ts";

/** Parts of src/ by level. A part may import itself and the parts named; `below` is every part of a lower level. */
const parts: ReadonlyMap<string, { readonly level: number; readonly imports: readonly string[] | "below" }> = new Map([
  ["base", { level: 0, imports: [] }],
  ["image", { level: 1, imports: "below" }],
  ["embedding", { level: 1, imports: "below" }],
  ["engine", { level: 1, imports: "below" }],
  ["layers", { level: 2, imports: ["base", "engine"] }],
  ["dataset", { level: 3, imports: ["base", "image"] }],
  ["network", { level: 3, imports: ["base", "engine", "layers"] }],
  ["engine/reference", { level: 3, imports: ["base", "engine"] }],
  ["engine/onednn", { level: 3, imports: ["base", "engine"] }],
  ["communication", { level: 3, imports: ["base", "engine"] }],
  ["training", { level: 4, imports: "below" }],
  ["checkpoint", { level: 4, imports: "below" }],
  ["interop", { level: 5, imports: "below" }],
  ["report", { level: 5, imports: "below" }],
  ["classifier", { level: 6, imports: "below" }],
  ["cli", { level: 7, imports: "below" }],
  ["index", { level: 7, imports: "below" }],
]);

const concreteEngines = ["engine/reference", "engine/onednn"];
/** Where a concrete engine may be named from outside its own folder. */
const compositionRoots = /^src\/(classifier\/selectEngine\.ts|cli\/.*|index\.ts)$/;

/** Where each package may be used: everything else of the project runs without it. */
export const packageUsers: Readonly<Record<string, readonly string[]>> = {
  zod: ["src/"],
  commander: ["src/cli/"],
  "cli-progress": ["src/cli/"],
  sharp: ["src/image/decode.ts"],
  vega: [
    "src/report/chart.ts",
    "src/report/curves.ts",
    "src/report/curveMarks.ts",
    "src/report/comparisonChart.ts",
    "src/report/mapChart.ts",
    "src/report/mapLabels.ts",
    "src/report/rateFigure.ts",
    "src/report/sweepFigure.ts",
  ],
  "@resvg/resvg-js": ["src/report/png.ts"],
  "dejavu-fonts-ttf": [], // files for src/report/png.ts, nothing to import
  koffi: [
    "src/engine/onednn/native/library.ts", // oneDNN
    "src/engine/onednn/native/openMp.ts", // the OpenMP behind it
    "src/engine/onednn/native/libc.ts", // the C library
  ],
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

function partOf(path: string): string {
  const inside = path.replace(/^src\//, "");
  if (!inside.includes("/")) return inside === "index.ts" ? "index" : "base";
  if (inside === "engine/engine.ts") return "engine";
  const [folder = "", sub = ""] = inside.split("/");
  return folder === "engine" ? `engine/${sub}` : folder;
}

function importProblem(from: string, to: string): string | undefined {
  const [part, target] = [partOf(from), partOf(to)];
  const [rule, targetRule] = [parts.get(part), parts.get(target)];
  if (!to.startsWith("src/")) return "is outside src/, which is what a package contains";
  if (!rule || !targetRule) return `${rule ? target : part} has no level; give it one in test/structureRules.ts`;
  if (part === target) return undefined;
  if (concreteEngines.includes(target) && !compositionRoots.test(from))
    return "names a concrete engine; take an Engine";
  const allowed = rule.imports === "below" ? targetRule.level < rule.level : rule.imports.includes(target);
  return allowed ? undefined : `${part} (level ${rule.level}) must not know ${target} (level ${targetRule.level})`;
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
        return `${file.path} imports ${target}: enter it in packageUsers and give its reason in CONTRIBUTING.md`;
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

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
