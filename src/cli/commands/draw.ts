/** `alexnet draw`. */
import { networks } from "../../network/alexnet.ts";
import { type Theme, themes } from "../../report/theme.ts";
import { type DivisionFlags, divisionOf, divisionOptions } from "../divisionOptions.ts";
import { type NetworkSizeFlags, networkSizeOptions, positiveInteger } from "../options.ts";
import { print, requireEnding, writeFigure } from "../output.ts";
import type { CommandSpec, Invocation } from "../spec.ts";

export const draw: CommandSpec = {
  arguments: [{ name: "<network>", help: "name, JSON file, or run", suggestions: networks.map(({ name }) => name) }],
  options: [
    ...networkSizeOptions,
    { flags: "--output <file>", help: "drawing to write; the name ends in .svg or .png", default: "network.svg" },
    { flags: "--theme <name>", help: "colours", choices: themes, default: "light" },
    ...divisionOptions,
    { flags: "--batch-size <n>", help: "with --processes: batch size (default: 128)", parse: positiveInteger },
  ],
  examples: [
    ["alexnet draw alexnet", "network.svg"],
    ["alexnet draw alexnet --output alexnet.png", "the same as pixels"],
    ["alexnet draw my-network.json --theme dark", "your own, light on dark"],
    ["alexnet draw alexnet --processes 2 --parallel towers", "and its exchanges"],
    ["alexnet draw runs/quick --output quick.svg", "the network of a run"],
  ],
  notes: `
Blocks are activation maps: height upwards, width into the page, channels to the
right, compressed so that small ones remain visible. For every number of a
network: alexnet summary.`,
  run: drawToFile,
};

interface DrawFlags extends NetworkSizeFlags, DivisionFlags {
  readonly batchSize?: number;
  readonly output: string;
  readonly theme: Theme;
}

async function drawToFile(
  name: string,
  { output, theme, processes, parallel, batchSize, ...sizes }: DrawFlags,
  invocation: Invocation,
): Promise<void> {
  const division = divisionOf({ processes, parallel, batchSize }, invocation);
  requireEnding(output, [".svg", ".png"]);
  const { findNetworkOrRun } = await import("../../model/networkOrRun.ts");
  const network = await findNetworkOrRun(name, sizes);
  const { drawNetwork } = await import("../../report/figures/drawing.ts");
  const { stepExchanges } = await import("../../network/exchanges.ts");
  await writeFigure(output, drawNetwork(network, theme, division && stepExchanges(network, division)));
  print(output);
}
