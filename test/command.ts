/** The command as an installation has it, built from the source at hand: it starts in half the time that the source takes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./sourceFiles.ts";

export interface Outcome {
  /** The exit code; the signal if one ended it. */
  readonly exit: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Builds a package in a folder. Returns the path of its command. */
export async function buildPackage(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of ["bin", "package.json"]) await cp(join(root, name), join(folder, name), { recursive: true });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const options = ["-p", join(root, "tsconfig.build.json"), "--outDir", join(folder, "dist")];
  const { exit, stdout } = await run([compiler, ...options], { cwd: folder });
  if (exit !== 0) throw new Error(`build: ${stdout}`);
  return join(folder, "bin/alexnet.js");
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes that a file may have, rounded to 1024: a disk that is full for larger ones. */
  readonly fileLimit?: number;
}

export interface RunningCommand {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** What it has written to standard error so far. */
  stderr(): string;
}

/** Starts Node.js with arguments. */
export function start(args: readonly string[], { cwd, env, fileLimit }: StartOptions): RunningCommand {
  const [command, all] =
    fileLimit === undefined
      ? [process.execPath, args]
      : ["bash", ["-c", `ulimit -f ${Math.floor(fileLimit / 1024)}; exec "$@"`, "bash", process.execPath, ...args]];
  const child = spawn(command, all, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
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
