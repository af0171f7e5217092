/**
 * Runs the tests of the arithmetic as on older processors: with oneDNN limited to fewer instructions, and on one thread. `npm test` runs them without
 * limit, on all cores.
 *
 *     node --import ./scripts/typescript.mjs scripts/ci/instructionSets.ts          AVX2 on one thread
 *     node --import ./scripts/typescript.mjs scripts/ci/instructionSets.ts --all    each limit on one thread and on all cores
 */
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createOneDnnEngine } from "../../src/engine/onednn/onednn.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const limits = ["AVX2", "AVX512_CORE", undefined];
/** OpenMP's own limit, which sets the engine's default number of threads. */
const threadLimits = ["1", undefined];
/** Settings of the short form. */
const short: readonly Setting[] = [{ limit: "AVX2", threadLimit: "1" }];

interface Setting {
  readonly limit: string | undefined;
  readonly threadLimit: string | undefined;
}

function environment({ limit, threadLimit }: Setting): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ALEXNET_TEST_ENGINES: "onednn" };
  if (limit !== undefined) env["ONEDNN_MAX_CPU_ISA"] = limit;
  if (threadLimit !== undefined) env["OMP_THREAD_LIMIT"] = threadLimit;
  return env;
}

/** Description that the engine gives of itself. */
function describe(setting: Setting): string {
  const args = ["--import", "./scripts/typescript.mjs", fileURLToPath(import.meta.url), "--describe"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    env: environment(setting),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the engine cannot be created: ${stderr}`);
  return stdout.trim();
}

function runTests(setting: Setting): boolean {
  const args = ["--import", "./scripts/typescript.mjs", "scripts/test.ts", "--numeric"];
  return spawnSync(process.execPath, args, { cwd: root, env: environment(setting), stdio: "inherit" }).status === 0;
}

function settings(): readonly Setting[] {
  if (!process.argv.includes("--all")) return short;
  return limits.flatMap((limit) => threadLimits.map((threadLimit) => ({ limit, threadLimit })));
}

/** Runs each distinct setting once: a limit above this processor's instructions changes nothing. */
function runEach(): void {
  const done = new Set([describe({ limit: undefined, threadLimit: undefined })]);
  const failed: string[] = [];
  for (const setting of settings()) {
    const description = describe(setting);
    if (done.has(description)) continue;
    done.add(description);
    const began = performance.now();
    console.log(`\n${description}`);
    if (!runTests(setting)) failed.push(description);
    console.log(`${description}: ${Math.round((performance.now() - began) / 1000)} s`);
  }
  if (failed.length === 0) return;
  console.error(`tests of the arithmetic failed with:\n${failed.join("\n")}`);
  process.exitCode = 1;
}

if (process.argv[2] === "--describe") {
  const engine = createOneDnnEngine();
  console.log(engine.description);
  engine.close();
} else runEach();
