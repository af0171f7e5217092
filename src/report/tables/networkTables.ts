/** Tables of `summary`, printable in 80 columns or as Markdown. */

import { formatBytes } from "../../bytes.ts";
import type { Network } from "../../network/network.ts";
import { type LayerSummary, type NetworkSummary, summarize } from "../../network/summary.ts";
import { formatShape } from "../../shape.ts";
import { formatCount, formatMillions, formatPercent } from "../numbers.ts";
import { wrap } from "../text.ts";
import type { Section } from "./sections.ts";
import { type Column, formatTable, type Row } from "./terminal.ts";

const left = (heading: string): Column => ({ heading, align: "left" });
const right = (heading: string): Column => ({ heading, align: "right" });
const layerColumn: Column = { heading: "Layer", align: "left", shrinks: true };
const numberColumns = [right("Parameters"), right("Neurons"), right("MACs")];

/** All tables of a network: layers, sizes, parameters, arithmetic, memory, the paper's figures, source and deviations. */
export function summarySections(summary: NetworkSummary): readonly Section[] {
  return [
    layerSection(summary),
    sizeSection(summary),
    distributionSection(summary),
    memorySection(summary),
    ...paperSection(summary),
    ...sourceSection(summary),
  ];
}

/** Table of a network's layers: output, kernel, parameters and MACs with their fractions, receptive field. */
export function layerOverview({ layers, totals, input }: NetworkSummary): Section {
  const percentOf = (count: number, fraction: number) => (count === 0 ? "" : formatPercent(fraction));
  return {
    title: "Layers",
    columns: [
      layerColumn,
      right("Output"),
      left("Kernel"),
      right("Parameters"),
      right("Share"),
      right("MACs"),
      right("Share"),
      right("Sees"),
    ],
    rows: layers.map((layer) => {
      const { name, outputShape, kernel, parameters, parameterShare, macs, macShare } = layer;
      const [parameterCount = "", , macCount = ""] = numbers(layer);
      const fractions = [percentOf(parameters, parameterShare), percentOf(macs, macShare)] as const;
      return [
        name,
        formatShape(outputShape),
        kernel,
        parameterCount,
        fractions[0],
        macCount,
        fractions[1],
        seen(layer),
      ];
    }),
    footer: [["total", "", "", formatCount(totals.parameters), "", formatCount(totals.macs), "", ""]],
    notes: [
      "Shapes are channels×height×width, for one image. 96 of 11×11×3: 96 kernels, each of height 11, width 11 and 3 channels. MACs: multiply-accumulates of " +
        `a forward pass. Sees: pixels of the ${formatShape(input.slice(1))} input that one output depends on, padding included.`,
    ],
  };
}

/** Receptive field of one output, in pixels. */
function seen({ receptiveField: { size, stride } }: LayerSummary): string {
  return stride ? formatShape(size) : "all";
}

function layerSection({ network, input, layers, totals }: NetworkSummary): Section {
  return {
    title: `${network}, input ${formatShape(input)}`,
    columns: [layerColumn, { heading: "Kind", align: "left", shrinks: true }, right("Output"), ...numberColumns],
    rows: layers.map((layer) => [layer.name, layer.kind, formatShape(layer.outputShape), ...numbers(layer)]),
    footer: [["total", "", "", ...numbers(totals)]],
    notes: [
      "Shapes are channels×height×width, for one image. Neurons: outputs of the layers with weights. MACs: multiply-accumulates of a forward pass.",
    ],
  };
}

function sizeSection({ layers }: NetworkSummary): Section {
  return {
    title: "Output sizes",
    columns: [
      layerColumn,
      { heading: "Kernel", align: "left", shrinks: true },
      right("Stride"),
      right("Pad"),
      right("Groups"),
      left("Output height and width"),
    ],
    rows: layers.flatMap(({ name, kernel, stride, padding, groups, sizeFormulas }): readonly Row[] => {
      const [first = "input", ...others] = sizeFormulas;
      const options = [stride, padding, groups].map((option) => String(option ?? ""));
      return [[name, kernel, ...options, first], ...others.map((formula) => ["", "", "", "", "", formula])];
    }),
    notes: [
      "Output = (input − kernel + 2×padding) ÷ stride + 1, rounded down (⌊ ⌋). 96 of 11×11×3: 96 kernels, each of " +
        "height 11, width 11 and 3 channels. 4096 of 9216: 4096 units, each with 9216 weights.",
    ],
  };
}

function distributionSection({ layers, totals }: NetworkSummary): Section {
  const weighted = layers.filter(({ parameters }) => parameters > 0);
  return {
    title: "Parameters and arithmetic by layer",
    columns: [
      layerColumn,
      left("Weights + biases"),
      right("Parameters"),
      right("Share"),
      right("FLOPs"),
      right("Share"),
    ],
    rows: weighted.map((layer) => [
      layer.name,
      layer.parameterFormula,
      formatCount(layer.parameters),
      formatPercent(layer.parameterShare),
      formatCount(layer.flops),
      formatPercent(layer.macShare),
    ]),
    footer: [["total", "", formatCount(totals.parameters), "", formatCount(totals.flops), ""]],
    notes: [
      fractionsByKind(weighted),
      `Operations: ${formatMillions(totals.macs)} MACs, ${formatMillions(totals.flops)} FLOPs. ` +
        "MACs = weights × output height × output width; FLOPs = 2 × MACs: a multiplication and an addition.",
    ],
  };
}

function fractionsByKind(weighted: readonly LayerSummary[]): string {
  const percentOf = (kind: string, key: "parameterShare" | "macShare") =>
    formatPercent(weighted.reduce((sum, layer) => (layer.kind === kind ? sum + layer[key] : sum), 0));
  const kinds = [...new Set(weighted.map(({ kind }) => kind))];
  const parts = kinds.map((kind) => `${kind} ${percentOf(kind, "parameterShare")} and ${percentOf(kind, "macShare")}`);
  return `Parameters and arithmetic by kind: ${parts.join("; ")}.`;
}

function memorySection({ layers, input, batchSize, trainingMemory, totals }: NetworkSummary): Section {
  const { parameters, activations, total } = trainingMemory;
  return {
    title: `Receptive fields, and memory for a batch of ${formatCount(batchSize)}`,
    columns: [layerColumn, right("Sees"), right("Every"), right("Activations"), right("Gradients")],
    rows: layers.map((layer) => {
      const { stride } = layer.receptiveField;
      const every = stride ? (stride[0] === stride[1] ? String(stride[0]) : formatShape(stride)) : "";
      return [layer.name, seen(layer), every, formatBytes(layer.activationBytes), formatBytes(layer.gradientBytes)];
    }),
    notes: [
      `Sees: pixels of the ${formatShape(input.slice(1))} input that one output depends on, padding included. Every: distance in pixels to the next output's.`,
      `Parameters: ${formatMillions(totals.parameters)}, ${formatBytes(parameters)} as 32-bit floats.`,
      `Training takes at least ${formatBytes(total)} in 32-bit floats: parameters, their gradients and their velocities ${formatBytes(parameters)} each, ` +
        `activations with their gradients ${formatBytes(activations)}, because memory is reused once its contents are no longer needed. The ` +
        "engine's own memory comes on top; `alexnet bench` reports the total.",
    ],
  };
}

function sourceSection({ source, deviations }: NetworkSummary): readonly Section[] {
  const none = source === "" ? [] : ["Deviations: none."];
  const notes = [
    ...(source === "" ? [] : [source]),
    ...(deviations.length === 0 ? none : ["Deviations:", ...deviations.map((deviation) => `- ${deviation}`)]),
  ];
  return notes.length === 0 ? [] : [{ title: "Source", columns: [], rows: [], notes }];
}

function numbers(of: { readonly parameters: number; readonly neurons: number; readonly macs: number }): string[] {
  return [of.parameters, of.neurons, of.macs].map((count) => (count === 0 ? "" : formatCount(count)));
}

/** One line of numbers per network, then the source of each. */
export function formatNetworkList(networks: readonly Network[]): string {
  const columns: readonly Column[] = [
    { heading: "Network", align: "left", shrinks: true },
    right("Input"),
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

/** The paper's figures beside the computed ones, with known discrepancies explained; undefined for networks not in the paper. */
function paperSection({ againstPaper }: NetworkSummary): readonly Section[] {
  if (againstPaper.length === 0) return [];
  return [
    {
      title: "Comparison with the paper",
      columns: [
        { heading: "Figure", align: "left" },
        { heading: "Source", align: "left" },
        { heading: "Printed", align: "right" },
        { heading: "Here", align: "right" },
      ],
      rows: againstPaper.map(({ what, where, published, here }) => [what, where, published, here]),
      notes: againstPaper.flatMap(({ what, note }) => (note === "" ? [] : [`- ${what}: ${note}`])),
    },
  ];
}
