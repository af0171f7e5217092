/** Processes that tests start: the command as an installation has it, and others that import TypeScript. */
import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { COMPILED_FOLDER, type Compiled, compileCheckout, compiledIn } from "../scripts/testing/compile.ts";
import { stripsTypes } from "../src/workerModule.ts";

/** Reason to skip a test that needs a program which set-up does not require; false where the program is, and in CI, where the test fails instead. */
export function skippedWithout(program: string): string | false {
  if (process.env["CI"] || spawnSync(program, ["--version"]).error === undefined) return false;
  return `${program} is not installed`;
}

export interface Outcome {
  /** The exit code; the signal if one ended it. */
  readonly exit: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const shared = process.env[COMPILED_FOLDER];
let own: Promise<Compiled> | undefined;

/** The path of the command, built from the source at hand: once for all files of a run of the tests, or by a file that is run without the others. */
export async function builtCommand(): Promise<string> {
  own ??= shared === undefined ? compileForThisProcess() : Promise.resolve(compiledIn(shared));
  return (await own).command;
}

async function compileForThisProcess(): Promise<Compiled> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-compiled-"));
  process.once("exit", () => rmSync(folder, { recursive: true }));
  return compileCheckout(folder);
}

/** Arguments under which another process imports TypeScript, as this one does. */
export const importTypeScript: readonly string[] = argumentsOfImport();

function argumentsOfImport(): readonly string[] {
  if (shared !== undefined) return compiledIn(shared).importArguments;
  return stripsTypes ? [] : ["--import", import.meta.resolve("tsx")];
}

/** Arguments under which another process runs a TypeScript file of the checkout. */
export function programArguments(file: string): readonly string[] {
  return [...importTypeScript, shared === undefined ? file : compiledIn(shared).moduleOf(file)];
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes that a file may have, rounded to 1024: a disk that is full for larger ones. */
  readonly fileLimit?: number;
  /** File for standard input; default none. */
  readonly stdin?: string;
}

export interface RunningCommand {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** What it has written to standard error so far. */
  stderr(): string;
}

/** Starts Node.js with arguments. */
export function start(args: readonly string[], { cwd, env, fileLimit, stdin }: StartOptions): RunningCommand {
  const input = stdin === undefined ? "ignore" : openSync(stdin, "r");
  const [command, all] =
    fileLimit === undefined
      ? [process.execPath, args]
      : ["bash", ["-c", `ulimit -f ${Math.floor(fileLimit / 1024)}; exec "$@"`, "bash", process.execPath, ...args]];
  const child = spawn(command, all, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [input, "pipe", "pipe"],
  }) as ChildProcessByStdio<null, Readable, Readable>;
  if (typeof input === "number") closeSync(input);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
    });
  }
  const outcome = once(child, "close").then(([code, signal]) => ({ exit: signal ?? code, ...texts }));
  return { process: child, outcome, stderr: () => texts.stderr };
}

/** Runs Node.js with arguments to its end. */
export function run(args: readonly string[], options: StartOptions): Promise<Outcome> {
  return start(args, options).outcome;
}
