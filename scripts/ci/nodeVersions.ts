/**
 * Runs the tests that depend on Node.js (`npm test -- --platform`) on each supported version, which npm installs in the user's cache.
 *
 *     node --import ./scripts/typescript.mjs scripts/ci/nodeVersions.ts                 every version
 *     node --import ./scripts/typescript.mjs scripts/ci/nodeVersions.ts --only 22,26    these alone
 */
import { execFileSync, spawnSync } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { npmTool } from "./npmTools.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const supported = ["20", "22", "24", "26"];

/** The versions to run. Throws Error for one that is not supported. */
function chosen(): readonly string[] {
  const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
  const versions = only?.split(",") ?? supported;
  const unknown = versions.filter((version) => !supported.includes(version));
  if (unknown.length > 0)
    throw new Error(`--only: unknown version ${unknown.join(", ")} (expected ${supported.join(", ")})`);
  return versions;
}

/** One line on the run, and its success. */
function runOn(version: string): { readonly line: string; readonly passed: boolean } {
  const bin = join(npmTool(`node-${process.platform}-${process.arch}`, version), "bin");
  const node = join(bin, "node");
  const full = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  console.log(`\nNode.js ${full}`);
  const began = performance.now();
  // Programs that tests start by name are of this version, too.
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"]}` };
  const args = ["--import", "./scripts/typescript.mjs", "scripts/test.ts", "--platform"];
  const { status } = spawnSync(node, args, { cwd: root, env, stdio: "inherit" });
  const seconds = Math.round((performance.now() - began) / 1000);
  return { line: `Node.js ${full}: ${status === 0 ? "passed" : "FAILED"} in ${seconds} s`, passed: status === 0 };
}

try {
  const results = chosen().map(runOn);
  console.log(`\n${results.map(({ line }) => line).join("\n")}`);
  if (!results.every(({ passed }) => passed)) process.exitCode = 1;
} catch (error) {
  console.error(`nodeVersions: ${(error as Error).message}`);
  process.exitCode = 1;
}
