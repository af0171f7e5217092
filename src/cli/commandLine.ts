/** The command line of an invocation, as it is recorded in a run. */
import type { Invocation } from "./spec.ts";

/** `alexnet` with its arguments, each quoted for a shell if necessary. */
export function commandLine({ argv }: Pick<Invocation, "argv">): string {
  return ["alexnet", ...argv].map(quoted).join(" ");
}

function quoted(argument: string): string {
  return /^[\w./=:,+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
