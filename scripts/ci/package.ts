/**
 * Checks the package as users get it: packs it, has publint and attw read it, installs it in empty folders by each supported package manager with
 * scripts blocked, and runs the command there. `--only npm@12,pnpm@12` installs by these alone.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { encodePng } from "../../src/image/files/decode.ts";
import { tinyNetwork, writeTinyDataset } from "../../test/tinyRuns.ts";
import { npmTool } from "./npmTools.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Path of the current Node.js, and of one that the newest package managers run on. */
const current = process.execPath;
const newest = () => join(npmTool(`node-${process.platform}-${process.arch}`, "26"), "bin/node");

interface Manager {
  /** As `--only` and the summary name it. */
  readonly name: string;
  readonly node: () => string;
  readonly program: () => string;
  /** Arguments that install a tarball and run no script of a package. */
  readonly install: readonly string[];
  /** Arguments before a command of an installed package. */
  readonly run: readonly string[];
}

function npm(version: string, node: () => string): Manager {
  return {
    name: `npm@${version}`,
    node,
    program: () => join(npmTool("npm", version), "bin/npm-cli.js"),
    install: ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"],
    run: ["exec", "--no", "--"],
  };
}

const pnpm: Manager = {
  name: "pnpm@12",
  node: newest,
  program: () => join(npmTool("pnpm", "12"), "bin/pnpm.mjs"),
  install: ["add", "--ignore-scripts", "--prefer-offline", "--silent"],
  run: ["exec"],
};

const managers: readonly Manager[] = [npm("10", () => current), npm("11", () => current), npm("12", newest), pnpm];

/** Runs a program of a folder to its end. Throws Error with what it printed if it fails. */
function run(node: string, args: readonly string[], cwd: string): string {
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env["PATH"]}` };
  try {
    return execFileSync(node, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error([`failed: ${args.join(" ")}`, stdout, stderr].filter(Boolean).join("\n"), { cause: error });
  }
}

/** Packs the checkout, as `npm publish` would, and returns the tarball's path. */
function pack(folder: string): string {
  const stdout = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root, encoding: "utf8" });
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(stdout.slice(stdout.indexOf("[\n")));
  console.log(`${filename}: ${size} bytes, ${unpackedSize} unpacked, ${entryCount} files`);
  return join(folder, filename);
}

/** Throws Error with the complaints of a tool. The package is ESM only; CommonJS loads it by `import()`, or by `require` where Node.js allows that. */
function lint(tarball: string): void {
  const publint = join(npmTool("publint", "0.3.25"), "src/cli.js");
  console.log(run(current, [publint, "run", tarball, "--strict"], root).trim().split("\n").at(-1));
  const attw = join(npmTool("@arethetypeswrong/cli", "0.18.5"), "dist/index.js");
  run(current, [attw, tarball, "--profile", "esm-only"], root);
  console.log("attw: no problems (profile esm-only)");
}

/** A program that imports every entry point. */
function importAll(): string {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const entries = Object.keys(exports).filter((path) => !path.endsWith(".json"));
  return entries.map((path) => `await import(${JSON.stringify(name + path.slice(1))});`).join("\n");
}

/** Trains a tiny network on the reference engine, then predicts with it. */
async function writeInput(folder: string): Promise<void> {
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  writeFileSync(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  mkdirSync(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 40, test: 10 });
  const image = { width: 28, height: 28, channels: 1 as const, data: new Uint8Array(28 * 28) };
  writeFileSync(join(folder, "image.png"), await encodePng(image));
}

async function installAndRun(manager: Manager, tarball: string, folder: string): Promise<void> {
  const began = performance.now();
  const [node, program] = [manager.node(), manager.program()];
  mkdirSync(folder);
  await writeInput(folder);
  run(node, [program, ...manager.install, tarball], folder);
  const command = (...args: readonly string[]) => run(node, [program, ...manager.run, "alexnet", ...args], folder);
  const version = command("--version").trim();
  command("summary", "alexnet");
  const training = ["--engine", "reference", "--network", "tiny.json", "--data-dir", "data", "--epochs", "1"];
  command("train", ...training, "--run", "run");
  command("predict", "run", "image.png", "--engine", "reference");
  command("web", "--run", "run", "--output", "site");
  run(node, ["--input-type=module", "--eval", importAll()], folder);
  const nodeVersion = run(node, ["--version"], folder).trim();
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(
    `${manager.name} ${run(node, [program, "--version"], folder).trim()} on Node.js ${nodeVersion}: alexnet ${version} runs, ${seconds} s`,
  );
}

function chosen(): readonly Manager[] {
  const { only } = parseArgs({ options: { only: { type: "string" } } }).values;
  const names = only?.split(",") ?? managers.map(({ name }) => name);
  const known = managers.map(({ name }) => name).join(", ");
  return names.map((name) => {
    const found = managers.find((manager) => manager.name === name);
    if (!found) throw new Error(`--only: unknown package manager ${name} (expected ${known})`);
    return found;
  });
}

const folder = mkdtempSync(join(tmpdir(), "alexnet-package-"));
try {
  const wanted = chosen();
  const tarball = pack(folder);
  lint(tarball);
  for (const manager of wanted) await installAndRun(manager, tarball, join(folder, manager.name));
} catch (error) {
  console.error(`package: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
