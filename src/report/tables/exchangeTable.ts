/** Table of what processes exchange in a training step, printable in 80 columns or as Markdown. */
import { formatBytes } from "../../bytes.ts";
import type { LayerExchange, StepExchanges } from "../../network/exchanges.ts";
import { formatCount } from "../numbers.ts";
import type { Section } from "./sections.ts";

/** Links whose times the table states, in gigabits per second. */
const links = [1, 10, 100] as const;
/** Bytes per second of TCP on a link of 1 Gb/s, measured. */
const BYTES_PER_GIGABIT = 0.117e9;

/** Bytes that a process sends in a step, by layer. */
export function exchangeSection({
  processes,
  parallel,
  batchSize,
  layers,
  totalBytes,
  parameters,
}: StepExchanges): Section {
  const bytes = (count: number) => (count === 0 ? "" : formatBytes(count));
  const total = (key: "activationBytes" | "gradientBytes" | "parameterBytes") =>
    bytes(layers.reduce((sum, layer) => sum + layer[key], 0));
  const times = links.map((link) => `${link} Gb/s ${formatSeconds(totalBytes / (link * BYTES_PER_GIGABIT))}`);
  return {
    title: `Exchanges of a training step: ${processes} processes, ${parallel}, batch of ${formatCount(batchSize)}`,
    columns: [
      { heading: "Layer", align: "left", shrinks: true },
      { heading: "Each computes", align: "left" },
      { heading: "Activations", align: "right" },
      { heading: "Gradients", align: "right" },
      { heading: "Weights", align: "right" },
    ],
    rows: layers.map((layer) => [
      layer.name,
      partText(layer),
      bytes(layer.activationBytes),
      bytes(layer.gradientBytes),
      bytes(layer.parameterBytes),
    ]),
    footer: [["total", "", total("activationBytes"), total("gradientBytes"), total("parameterBytes")]],
    notes: [
      "Bytes that each process sends, and receives, in 32-bit floats. Activations: the input of the layer, gathered; output: the scores. Gradients: those of " +
        "the input. Weights: gradients of weights and biases, summed.",
      `Each process sends ${formatBytes(totalBytes)} in a step, and holds ${formatCount(parameters)} parameters. At full speed this takes ${times.join(", ")}.`,
    ],
  };
}

function partText({ name, part }: LayerExchange): string {
  if (part) return `${formatCount(part.count)} of ${formatCount(part.all)} ${part.of}`;
  return name === "output" ? "" : "all";
}

function formatSeconds(seconds: number): string {
  return seconds >= 0.1 ? `${seconds.toFixed(1)} s` : `${(1000 * seconds).toPrecision(2)} ms`;
}
