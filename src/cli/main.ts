/** Command line: parses arguments, calls commands, and turns errors into messages and exit codes. */
import { CommanderError } from "commander";
import { packageVersion } from "../engine/select/machine.ts";
import { AlexNetError, messageOf } from "../errors.ts";
import { commands } from "./commands.ts";
import { printProblem, watchOutput } from "./output.ts";
import { createProgram } from "./program.ts";

/** Runs the command line. Returns the exit code: 0; 1 for an error; 2 for wrong usage; 3 if training diverged; 4 if a process of a job has stopped; 128 + n for signal n. */
export async function main(argv: readonly string[]): Promise<number> {
  watchOutput();
  const [first, ...rest] = argv;
  const words = first === "help" ? [...rest.slice(0, 1), "--help"] : argv;
  try {
    process.exitCode = 0;
    await createProgram(packageVersion(), commands, argv).parseAsync(words, { from: "user" });
    return Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const system = systemMessage(error);
    if (!(error instanceof AlexNetError) && system === undefined) throw error;
    printProblem(system ?? messageOf(error));
    return error instanceof AlexNetError ? error.exitCode : 1;
  }
}

/** Message for an error of the operating system that no command explained; undefined for any other error. */
function systemMessage(error: unknown): string | undefined {
  if (error instanceof AlexNetError || !(error instanceof Error) || !("syscall" in error)) return undefined;
  const path = "path" in error && typeof error.path === "string" ? error.path : String(error.syscall);
  return `${path}: ${messageOf(error)}`;
}
