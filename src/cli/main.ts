/** Command line: parses arguments, calls commands, and turns errors into messages and exit codes. */
import { CommanderError } from "commander";
import { packageVersion } from "../engine/select/machine.ts";
import { AlexNetError } from "../errors.ts";
import { commands } from "./commands.ts";
import { printError } from "./output.ts";
import { createProgram } from "./program.ts";

/** Runs the command line. Returns the exit code: 0; 1 for an error; 2 for wrong usage; 3 if training diverged; 128 + n for signal n. */
export async function main(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  const words = first === "help" ? [...rest.slice(0, 1), "--help"] : argv;
  try {
    process.exitCode = 0;
    await createProgram(packageVersion(), commands, argv).parseAsync(words, { from: "user" });
    return Number(process.exitCode);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof AlexNetError)) throw error;
    printError(`alexnet: ${error.message}`);
    return error.exitCode;
  }
}
