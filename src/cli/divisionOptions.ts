/** Options of commands that describe a step of several processes. */
import type { Division } from "../network/exchanges.ts";
import { type Scheme, schemes } from "../network/schemes.ts";
import { positiveInteger } from "./options.ts";
import type { Invocation, OptionSpec } from "./spec.ts";

export const divisionOptions: readonly OptionSpec[] = [
  { flags: "--processes <n>", help: "show what n processes exchange in a training step", parse: positiveInteger },
  { flags: "--parallel <scheme>", help: "division of work among them (default: data)", choices: schemes },
];

/** Their values. */
export interface DivisionFlags {
  readonly processes?: number | undefined;
  readonly parallel?: Scheme | undefined;
}

/** Batch size of the paper, §5. */
const PAPER_BATCH = 128;

/** The division that the flags describe; undefined for one process. Ends the command for a scheme without processes. */
export function divisionOf(
  { processes = 1, parallel, batchSize = PAPER_BATCH }: DivisionFlags & { readonly batchSize?: number | undefined },
  { fail }: Invocation,
): Division | undefined {
  if (processes > 1) return { processes, parallel: parallel ?? "data", batchSize };
  if (parallel !== undefined) fail("--parallel requires --processes of at least 2");
  return undefined;
}
