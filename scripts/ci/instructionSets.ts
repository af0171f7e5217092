/**
 * Runs the tests of the arithmetic as on lesser processors: with the instructions that oneDNN may use limited, on one thread and on as many as there
 * are cores. `npm test` runs them without a limit, on all cores.
 */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createOneDnnEngine } from "../../src/engine/onednn/onednn.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const limits = ["AVX2", "AVX512_CORE", undefined];
/** OpenMP's own limit, which the engine's default follows. */
const threadLimits = ["1", undefined];

interface Setting {
  readonly limit: string | undefined;
  readonly threadLimit: string | undefined;
}

function environment({ limit, threadLimit }: Setting): NodeJS.ProcessEnv {
  const env = { ...process.env };
  if (limit !== undefined) env["ONEDNN_MAX_CPU_ISA"] = limit;
  if (threadLimit !== undefined) env["OMP_THREAD_LIMIT"] = threadLimit;
  return env;
}

/** What the engine says that it computes by. */
function describe(setting: Setting): string {
  const args = ["--import", "./scripts/typescript.mjs", fileURLToPath(import.meta.url), "--describe"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    env: environment(setting),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the engine cannot be made: ${stderr}`);
  return stdout.trim();
}

function runTests(setting: Setting): boolean {
  const args = ["--import", "./scripts/typescript.mjs", "scripts/test.ts", "--numeric"];
  return spawnSync(process.execPath, args, { cwd: root, env: environment(setting), stdio: "inherit" }).status === 0;
}

/** Each way to compute once: a limit that this processor does not reach changes nothing. */
function runEach(): void {
  const done = new Set([describe({ limit: undefined, threadLimit: undefined })]);
  const failed: string[] = [];
  for (const limit of limits) {
    for (const threadLimit of threadLimits) {
      const description = describe({ limit, threadLimit });
      if (done.has(description)) continue;
      done.add(description);
      const began = performance.now();
      console.log(`\n${description}`);
      if (!runTests({ limit, threadLimit })) failed.push(description);
      console.log(`${description}: ${Math.round((performance.now() - began) / 1000)} s`);
    }
  }
  if (failed.length === 0) return;
  console.error(`tests of the arithmetic failed on:\n${failed.join("\n")}`);
  process.exitCode = 1;
}

if (process.argv[2] === "--describe") {
  const engine = createOneDnnEngine();
  console.log(engine.description);
  engine.close();
} else runEach();
