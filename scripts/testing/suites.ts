/** Lists of tests: all, those that run alone, and those of the arithmetic. */
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

/** Folders and files whose results depend on the instructions that the engine is compiled to. */
const numeric = [
  "test/conformance/",
  "test/exact.test.ts",
  "test/gradients.test.ts",
  "test/optimizerRuns.test.ts",
  "test/optimizers.test.ts",
  "test/pytorch.test.ts",
  "test/sgd.test.ts",
  "test/training.test.ts",
];

/** Tests of the arithmetic, to run with each instruction set and each version of the library. Throws Error if one is missing. */
export function numericTests(): readonly string[] {
  const all = allTests();
  return numeric.flatMap((path) => {
    const found = all.filter(
      (file) => file === join(root, path) || (path.endsWith("/") && file.startsWith(join(root, path))),
    );
    if (found.length === 0) throw new Error(`numeric tests: no ${path}; correct the list in scripts/testing/suites.ts`);
    return found;
  });
}

/**
 * True if no other test may run at the same time. The test declares it with a reason: `// Runs alone: it holds limits of time.` A test that measures
 * time but may run next to others declares `// Runs beside others: …`; test/structure.test.ts requires one of the two.
 */
export function runsAlone(text: string): boolean {
  return companyIn(text) === "alone";
}

/** Declaration of a test about other tests at the same time. */
export function companyIn(text: string): string | undefined {
  return /^\/\/ Runs (alone|beside others): \S/m.exec(text)?.[1];
}
