/** Options of `summary` and `draw`. */
import type { Command } from "commander";
import { positiveInteger } from "./options.ts";

/** How a network is changed before it is looked at. */
export interface NetworkFlags {
  readonly inputSize?: number;
  readonly classes?: number;
}

/** For `summary` and `draw` alike. */
export function addNetworkOptions(command: Command): Command {
  return command
    .option("--input-size <n>", "height and width of the input, in pixels", positiveInteger)
    .option("--classes <n>", "number of classes", positiveInteger);
}
