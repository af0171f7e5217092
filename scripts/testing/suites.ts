/** The tests, their named parts, and those that run alone. */
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Every `*.test.ts` under src/ and test/. */
export function allTests(): readonly string[] {
  return ["src", "test"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .sort()
      .map((file) => join(root, folder, file)),
  );
}

/** Folders and files of each named part of the tests. */
const suites = {
  /** Results that depend on the instructions that the engine is compiled to, and on the version of its library. */
  numeric: [
    "test/conformance/",
    "test/exact.test.ts",
    "test/gradients.test.ts",
    "test/optimizerRuns.test.ts",
    "test/optimizers.test.ts",
    "test/pytorch.test.ts",
    "test/sgd.test.ts",
    "test/training.test.ts",
  ],
  /** Native packages, threads, processes, files and streams: results that depend on the version of Node.js. */
  platform: [
    "src/checkpoint/",
    "src/cli/",
    "src/dataset/download/",
    "src/dataset/pack/imageWorkers.test.ts",
    "src/dataset/pack/pack.test.ts",
    "src/dataset/prepare/",
    "src/engine/",
    "src/formats/",
    "src/image/files/",
    "src/report/",
    "test/caffe.test.ts",
    "test/cli.test.ts",
    "test/completion.test.ts",
    "test/conformance/tensors.test.ts",
    "test/imageInputs.test.ts",
    "test/launcher.test.ts",
    "test/sgd.test.ts",
    "test/structure.test.ts",
  ],
} satisfies Readonly<Record<string, readonly string[]>>;

/** A named part of the tests. */
export type SuiteName = keyof typeof suites;

/** The names of the parts. */
export const suiteNames = Object.keys(suites) as readonly SuiteName[];

/** The tests of a named part. Throws Error if one is not there. */
export function suiteTests(name: SuiteName): readonly string[] {
  const all = allTests();
  return suites[name].flatMap((path) => {
    const found = all.filter(
      (file) => file === join(root, path) || (path.endsWith("/") && file.startsWith(join(root, path))),
    );
    if (found.length === 0) throw new Error(`${name} tests: no ${path}; correct the list in scripts/testing/suites.ts`);
    return found;
  });
}

/**
 * True for a test beside which no other may run. A line in the test says so, with the reason: `// Runs alone: it holds limits of time.` One that
 * measures and still runs beside others says that: `// Runs beside others: …`; test/structure.test.ts asks for one of the two.
 */
export function runsAlone(text: string): boolean {
  return companyIn(text) === "alone";
}

/** A test's own word on others beside it: `alone` or `beside others`. */
export function companyIn(text: string): string | undefined {
  return /^\/\/ Runs (alone|beside others): \S/m.exec(text)?.[1];
}
