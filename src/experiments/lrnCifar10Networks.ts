/** Networks for CIFAR-10 of the authors' published program, with and without normalization. */
import {
  averagePool2d,
  batchNorm2d,
  conv2d,
  flatten,
  linear,
  localConv2d,
  localResponseNorm,
  maxPool2d,
  relu,
} from "../layers/kinds.ts";
import type { Network } from "../network/network.ts";

type Layers = Network["layers"];

const input: Network["input"] = [3, 24, 24];
/** The program rounds the number of windows up: the last one may end a pixel after the map. */
const pool = { kernelSize: 3, stride: 2, padding: 0, endPadding: 1 } as const;
const classes = linear("fc10", { outFeatures: 10 });

/** Kinds of normalization. */
export type Normalization = "none" | "local response" | "batch";

/** Layers before and after a convolution's activation. */
const normalizations: Readonly<Record<Normalization, Readonly<Record<"before" | "after", (index: number) => Layers>>>> =
  {
    none: { before: () => [], after: () => [] },
    "local response": {
      before: () => [],
      after: (i) => [localResponseNorm(`norm${i}`, { size: 5, alpha: 0.001, beta: 0.75, k: 1 })],
    },
    batch: { before: (i) => [batchNorm2d(`norm${i}`)], after: () => [] },
  };

/** Two convolutions and two locally connected layers. */
export function convLocal(normalization: Normalization): Network {
  const { before, after } = normalizations[normalization];
  const convolution = (i: number) => [
    conv2d(`conv${i}`, { outChannels: 64, kernelSize: 5, padding: 2 }),
    ...before(i),
    relu(`relu${i}`),
    ...after(i),
    maxPool2d(`pool${i}`, pool),
  ];
  const local = (i: number) => [
    localConv2d(`local${i}`, { outChannels: 32, kernelSize: 3, padding: 1 }),
    relu(`relu${i}`),
  ];
  return {
    name: `conv-local-${normalization.replace(" ", "-")}`,
    source:
      "Krizhevsky's cuda-convnet, layers-conv-local-13pct.cfg, and layers-conv-local-11pct.cfg with normalization",
    deviations: normalization === "batch" ? ["batch normalization, which the program lacks"] : [],
    input,
    layers: [...convolution(1), ...convolution(2), ...local(3), ...local(4), flatten("flatten"), classes],
  };
}

/** Three convolutions. Local response normalization sums over 3×3 positions within each channel. */
export function threeConvolutions(normalization: Exclude<Normalization, "batch">): Network {
  const norm = (name: string): Layers =>
    normalization === "none"
      ? []
      : [localResponseNorm(name, { size: 3, alpha: 0.00005, beta: 0.75, k: 1, region: "withinChannel" })];
  const convolution = (i: number, outChannels: number) =>
    conv2d(`conv${i}`, { outChannels, kernelSize: 5, padding: 2 });
  return {
    name: `three-convolutions-${normalization.replace(" ", "-")}`,
    source: "Krizhevsky's cuda-convnet, layers-18pct.cfg and layer-params-18pct.cfg",
    deviations: [
      "an input of 24×24 pixels, where the original has 32×32",
      ...(normalization === "none" ? ["no normalization"] : []),
    ],
    input,
    layers: [
      convolution(1, 32),
      maxPool2d("pool1", pool),
      relu("relu1"),
      ...norm("norm1"),
      convolution(2, 32),
      relu("relu2"),
      averagePool2d("pool2", pool),
      ...norm("norm2"),
      convolution(3, 64),
      relu("relu3"),
      averagePool2d("pool3", pool),
      flatten("flatten"),
      classes,
    ],
  };
}
