/** `alexnet summary`. */
import { networks } from "../../network/alexnet.ts";
import type { Division } from "../../network/exchanges.ts";
import type { Network } from "../../network/network.ts";
import { type DivisionFlags, divisionOf, divisionOptions } from "../divisionOptions.ts";
import { jsonOption, type NetworkSizeFlags, networkSizeOptions, positiveInteger } from "../options.ts";
import { print, printJson } from "../output.ts";
import type { CommandSpec, Invocation } from "../spec.ts";

export const summary: CommandSpec = {
  arguments: [
    {
      name: "[network]",
      help: "name, JSON file, or run; without it, the networks are listed",
      suggestions: networks.map(({ name }) => name),
    },
  ],
  options: [
    ...networkSizeOptions,
    {
      flags: "--batch-size <n>",
      help: "batch size for the figures of memory and exchanges (default: 128)",
      parse: positiveInteger,
    },
    ...divisionOptions,
    { flags: "--markdown", help: "print the tables as Markdown", conflicts: ["json", "svg"] },
    { flags: "--svg", help: "print the tables as an SVG image", conflicts: ["json"] },
    jsonOption,
  ],
  examples: [
    ["alexnet summary", "the networks"],
    ["alexnet summary alexnet", "every layer of the 2012 network"],
    ["alexnet summary alexnet-owt --input-size 128", "the same for smaller images"],
    ["alexnet summary alexnet --batch-size 32", "memory for smaller batches"],
    ["alexnet summary my-network.json --json", "your own, for a program"],
    ["alexnet summary runs/quick --markdown", "the network of a run, for a page"],
    ["alexnet summary alexnet --processes 2 --parallel towers", "its exchanges"],
    ["alexnet summary alexnet --svg > tables.svg", "the tables as an image"],
  ],
  notes: `
For a drawing of the network: alexnet draw.`,
  run: printSummary,
};

interface SummaryFlags extends NetworkSizeFlags, DivisionFlags {
  readonly batchSize?: number;
  readonly markdown?: boolean;
  readonly svg?: boolean;
  readonly json?: boolean;
}

async function printSummary(
  name: string | undefined,
  { batchSize, markdown, svg, json, processes, parallel, ...sizes }: SummaryFlags,
  invocation: Invocation,
): Promise<void> {
  const division = divisionOf({ processes, parallel, batchSize }, invocation);
  if (division && name === undefined) invocation.fail("--processes requires a network");
  const { findNetworkOrRun } = await import("../../model/networkOrRun.ts");
  const { summarize } = await import("../../network/summary.ts");
  const { formatNetworkList, summarySections } = await import("../../report/tables/networkTables.ts");
  const { drawSections, formatSections, markdownSections } = await import("../../report/tables/sections.ts");
  const options = batchSize === undefined ? {} : { batchSize };
  const chosen = name === undefined ? networks : [await findNetworkOrRun(name, sizes)];
  const results = chosen.map((network) => summarize(network, options));
  const exchanges = division && (await exchangesIn(chosen, division));
  const sections = () => [...results.flatMap(summarySections), ...(exchanges?.sections ?? [])];
  if (json) printJson(name === undefined ? results : { ...results[0], ...exchanges?.json });
  else if (markdown) print(markdownSections(sections()));
  else if (svg) print(drawSections(sections()));
  else print(name === undefined ? formatNetworkList(networks) : formatSections(sections()));
}

/** Exchanges of a network that several processes train, as a table and as a key of the JSON output. */
async function exchangesIn([network]: readonly Network[], division: Division) {
  if (!network) return undefined;
  const { stepExchanges } = await import("../../network/exchanges.ts");
  const { exchangeSection } = await import("../../report/tables/exchangeTable.ts");
  const exchanges = stepExchanges(network, division);
  return { sections: [exchangeSection(exchanges)], json: { exchanges } };
}
