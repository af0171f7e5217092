/** `alexnet summary`. */
import { type Command, Option } from "commander";
import { findNetworkOrRun } from "../model/networkOrRun.ts";
import { networks } from "../network/alexnet.ts";
import { summarize } from "../network/summary.ts";
import { formatNetworkList, summarySections } from "../report/tables/networkTables.ts";
import { drawSections, formatSections, markdownSections } from "../report/tables/sections.ts";
import { addNetworkOptions, type NetworkFlags } from "./networkOptions.ts";
import { jsonOption, positiveInteger } from "./options.ts";
import { print, printJson } from "./output.ts";

interface SummaryFlags extends NetworkFlags {
  readonly batchSize?: number;
  readonly markdown?: boolean;
  readonly svg?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet summary                               the networks
  alexnet summary alexnet                       every layer of the 2012 network
  alexnet summary alexnet-owt --input-size 128  the same for smaller images
  alexnet summary alexnet --batch-size 32       memory for smaller batches
  alexnet summary my-network.json --json        your own, for a program
  alexnet summary runs/quick --markdown         the network of a run, for a page
  alexnet summary alexnet --svg > tables.svg    the tables as a picture

The network in perspective: alexnet draw.
`;

export function addSummary(program: Command): void {
  const command = program
    .command("summary")
    .description("show every number about a network: sizes, parameters, arithmetic, memory")
    .argument("[network]", "a name, a JSON file, or a run; without it, the networks are listed");
  addNetworkOptions(command)
    .option("--batch-size <n>", "images in a batch, for memory (default: 128)", positiveInteger)
    .addOption(new Option("--markdown", "print the tables as Markdown").conflicts(["json", "svg"]))
    .addOption(new Option("--svg", "print the tables as an SVG picture").conflicts("json"))
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(summary);
}

async function summary(
  name: string | undefined,
  { batchSize, markdown, svg, json, ...sizes }: SummaryFlags,
): Promise<void> {
  const options = batchSize === undefined ? {} : { batchSize };
  const chosen = name === undefined ? networks : [await findNetworkOrRun(name, sizes)];
  const results = chosen.map((network) => summarize(network, options));
  const sections = () => results.flatMap(summarySections);
  if (json) printJson(name === undefined ? results : results[0]);
  else if (markdown) print(markdownSections(sections()));
  else if (svg) print(drawSections(sections()));
  else print(name === undefined ? formatNetworkList(networks) : formatSections(sections()));
}
