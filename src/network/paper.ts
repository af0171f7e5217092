/**
 * Figures published by Krizhevsky, Sutskever, Hinton 2012, compared with those of the network as described. Its one long function is a table.
 */
import type { AnyLayer } from "../layers/layer.ts";
import { findNetwork } from "./alexnet.ts";
import type { Network } from "./network.ts";

/** One published figure. */
export interface PaperFigure {
  /** Name of the figure, such as `parameters of conv2`. */
  readonly what: string;
  /** Place in the paper. */
  readonly where: string;
  /** Value in the paper, as printed there; `–` if it is not. */
  readonly published: string;
  /** Value of the network as described. */
  readonly here: string;
  /** Explanation of a difference; empty if there is none. */
  readonly note: string;
}

/** Compared figures of a layer, or of the whole network. */
interface Counts {
  readonly parameters: number;
  readonly neurons: number;
}

interface LayerCounts extends Counts {
  readonly name: string;
}

/** Numbers of neurons in the caption of figure 2, by layer with weights. */
const captionNeurons = [253_440, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000];

const count = (value: number) => value.toLocaleString("en-US");

/** Comparison for the paper's network with colour images of any size; empty for other networks. */
export function compareWithPaper(
  { input, layers }: Network,
  counts: readonly LayerCounts[],
  totals: Counts,
): readonly PaperFigure[] {
  const weighted = counts.filter(({ parameters }) => parameters > 0);
  if (input[0] !== 3 || !isSameChain(layers, findNetwork("alexnet").layers, weighted)) return [];
  const conv1 = weighted[0] as LayerCounts;
  const conv2 = weighted[1] as LayerCounts;
  const [channels, height, width] = input;
  return [
    {
      what: "input",
      where: "§3.5, figure 2",
      published: "224×224×3",
      here: `${height}×${width}×${channels}`,
      note:
        "224 is a trap: (224 − 11 + 2×0) ÷ 4 + 1 = 54.25 is no size. The 55×55 of figure 2 come of 227, or of 224 with padding 2: " +
        "⌊(224 − 11 + 2×2) ÷ 4⌋ + 1 = 55.",
    },
    {
      what: "numbers that come in",
      where: "figure 2, caption",
      published: "150,528",
      here: count(channels * height * width),
      note: "150,528 = 224×224×3; 227×227×3 = 154,587.",
    },
    ...weighted.map((layer, i) => neuronFigure(layer, captionNeurons[i] ?? 0)),
    {
      what: "neurons in all",
      where: "abstract, §1",
      published: "650,000",
      here: count(totals.neurons),
      note: `Rounded: the eight layers have 659,272. The caption's own numbers add up to ${count(captionNeurons.reduce((a, b) => a + b, 0))}.`,
    },
    {
      what: "parameters in all",
      where: "abstract, §1, §4",
      published: "60 million",
      here: count(totals.parameters),
      note: "Rounded: 60,965,224. Without groups it would be 62,378,344: 1.4 million more.",
    },
    {
      what: "parameters of conv1",
      where: "not printed",
      published: "–",
      here: count(conv1.parameters),
      note: "Often given as 34,848 = 11×11×3×96: that forgets the 96 biases. 34,848 + 96 = 34,944.",
    },
    {
      what: "parameters of conv2",
      where: "not printed",
      published: "–",
      here: count(conv2.parameters),
      note:
        "Two towers: figure 2 shows one tower's 48 and 128 maps, so its sizes count twice. Each kernel of conv2, conv4 and conv5 sees its own tower's " +
        "half of the maps: 5×5×48×128 + 128 = 153,728 in a tower, ×2 = 307,456. With all 96 maps it would be 5×5×96×256 + 256 = 614,656.",
    },
  ];
}

/**
 * True for the same layers with the same options, in whatever order their keys stand. Options are scalars. Groups count in layers with weights only: in
 * networks of earlier versions, normalisation has none.
 */
function isSameChain(a: readonly AnyLayer[], b: readonly AnyLayer[], weighted: readonly LayerCounts[]): boolean {
  const hasWeights = (name: string) => weighted.some((layer) => layer.name === name);
  const keyed = (layer: AnyLayer) => {
    const options = Object.entries(layer).filter(([key]) => key !== "groups" || hasWeights(layer.name));
    return JSON.stringify(options.sort(([x], [y]) => (x < y ? -1 : 1)));
  };
  return a.length === b.length && a.every((layer, i) => keyed(layer) === keyed(b[i] as AnyLayer));
}

function neuronFigure({ name, neurons }: LayerCounts, published: number): PaperFigure {
  const isFirst = published === captionNeurons[0];
  return {
    what: `neurons of ${name}`,
    where: "figure 2, caption",
    published: count(published),
    here: count(neurons),
    note: isFirst ? "55×55×96 = 290,400. The caption's 253,440 is 55×48×96, the size of no layer of this network." : "",
  };
}
