/** What `summary` prints: one network layer by layer, or all of them. */
import type { Network } from "../network/network.ts";
import { type NetworkSummary, summarize } from "../network/summary.ts";
import { formatShape } from "../shape.ts";
import { formatBytes, formatCount, formatMillions } from "./numbers.ts";
import { type Column, formatTable } from "./terminal.ts";
import { wrap } from "./text.ts";

const bytesPerParameter = 4;

const numberColumns: readonly Column[] = [
  { heading: "Parameters", align: "right" },
  { heading: "Neurons", align: "right" },
  { heading: "MACs", align: "right" },
];

/** The table of layers, the totals, the source and the deviations from it. */
export function formatSummary(summary: NetworkSummary): string {
  const { network, source, deviations, input, layers, totals } = summary;
  const columns: readonly Column[] = [
    { heading: "Layer", align: "left", shrinks: true },
    { heading: "Kind", align: "left", shrinks: true },
    { heading: "Output", align: "right" },
    ...numberColumns,
  ];
  const rows = layers.map((layer) => [layer.name, layer.kind, formatShape(layer.outputShape), ...numbers(layer)]);
  const footer = [["total", "", "", ...numbers(totals)]];
  return [
    wrap(`${network}, input ${formatShape(input)}`),
    "",
    formatTable(columns, rows, { footer }),
    "",
    `Parameters: ${formatMillions(totals.parameters)}, ${formatBytes(bytesPerParameter * totals.parameters)} as 32-bit floats.`,
    `Operations: ${formatMillions(totals.macs)} MACs, ${formatMillions(totals.flops)} FLOPs.`,
    "Shapes are channels×height×width, for one image. Neurons: outputs of the layers",
    "with weights. MACs: multiply-accumulates of a forward pass.",
    "",
    ...(source === "" ? [] : [wrap(source, "Source: ")]),
    ...formatDeviations(deviations),
  ].join("\n");
}

function formatDeviations(deviations: readonly string[]): readonly string[] {
  if (deviations.length === 0) return ["Deviations: none."];
  return ["Deviations:", ...deviations.map((deviation) => wrap(deviation, "  - "))];
}

function numbers(of: { readonly parameters: number; readonly neurons: number; readonly macs: number }): string[] {
  return [of.parameters, of.neurons, of.macs].map((count) => (count === 0 ? "" : formatCount(count)));
}

/** A line of numbers for each network, then where each comes from. */
export function formatNetworkList(networks: readonly Network[]): string {
  const columns: readonly Column[] = [
    { heading: "Network", align: "left", shrinks: true },
    { heading: "Input", align: "right" },
    ...numberColumns,
  ];
  const rows = networks.map((network) => [
    network.name,
    formatShape(network.input),
    ...numbers(summarize(network).totals),
  ]);
  const sources = networks.map(({ name, source }) => `${wrap(name)}\n${wrap(source, "  ")}`);
  return [formatTable(columns, rows), "", ...sources].join("\n");
}
