import type { Command } from "commander";
import { resolveNetwork } from "../classifier/settings.ts";
import { networks } from "../network/alexnet.ts";
import { withClasses, withInput } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import { formatNetworkList, formatSummary } from "../report/networkTables.ts";
import { jsonOption, positiveInteger } from "./options.ts";
import { print, printJson } from "./output.ts";

interface SummaryFlags {
  readonly inputSize?: number;
  readonly classes?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet summary                               the networks
  alexnet summary alexnet                       every layer of the 2012 network
  alexnet summary alexnet-owt --input-size 128  the same for smaller images
  alexnet summary my-network.json --json        your own, for a program
`;

export function addSummary(program: Command): void {
  program
    .command("summary")
    .description("show a network's layers: output sizes, parameters, neurons, multiply-accumulates")
    .argument("[network]", "a name, or a JSON file; without it, the networks are listed")
    .option("--input-size <n>", "height and width of the input, in pixels", positiveInteger)
    .option("--classes <n>", "number of classes", positiveInteger)
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(summary);
}

async function summary(name: string | undefined, { inputSize, classes, json }: SummaryFlags): Promise<void> {
  if (name === undefined) {
    if (json) printJson(networks.map((network) => summarize(network)));
    else print(formatNetworkList(networks));
    return;
  }
  const network = await resolveNetwork(name);
  const [channels] = network.input;
  const sized = inputSize === undefined ? network : withInput(network, [channels, inputSize, inputSize]);
  const result = summarize(classes === undefined ? sized : withClasses(sized, classes));
  if (json) printJson(result);
  else print(formatSummary(result));
}
