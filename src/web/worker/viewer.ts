/** The worker of the view "Try": opens networks, predicts, and explains predictions. */

import type { Engine } from "../../engine/engine.ts";
import { createWasmEngine } from "../../engine/wasm/wasm.ts";
import { type ClassActivation, type ClassActivator, createClassActivator } from "../../explain/classActivation.ts";
import { findFirstKernels, kernelImages } from "../../explain/firstKernels.ts";
import { fullColourOf, heat } from "../../explain/heat.ts";
import { createInputImage } from "../../explain/inputImage.ts";
import { occlude, type Saliency } from "../../explain/occlusion.ts";
import type { Image } from "../../image/image.ts";
import { createPreprocessor } from "../../image/prepare/preprocess.ts";
import { imageOfPixels, type RawImage } from "../../image/rawImage.ts";
import { createCallQueue } from "../../model/callQueue.ts";
import { type PackedModel, unpackModel } from "../../model/compactModel.ts";
import { readModelBytes } from "../../model/modelBytes.ts";
import { type NetworkModel, writeWeights } from "../../model/networkModel.ts";
import { type ClassScore, rankClasses } from "../../model/predictRows.ts";
import { classesOf, isStochastic, type Network, operations } from "../../network/network.ts";
import { sizeOf } from "../../shape.ts";
import { type ClassHead, checkOutputs, headOfModel } from "../../training/evaluation/classHead.ts";
import { thresholdsOf } from "../../training/evaluation/multiLabel.ts";
import { answerCalls, emit } from "./calls.ts";
import { compileLayers, type LayerChain } from "./layerChain.ts";

/** A network to open: the bytes of a weights file, or weights embedded in the page. */
export type ModelFile =
  | { readonly name: string; readonly bytes: Uint8Array }
  | { readonly name: string; readonly packed: PackedModel };

/** An open network. */
export interface OpenedModel {
  readonly name: string;
  readonly network: Network;
  readonly classNames: readonly string[];
  /** Description of the engine. */
  readonly engine: string;
  /** Kernels of the first layer as images; empty unless they have one or three channels. */
  readonly filters: readonly Image[];
}

/** Outputs of a layer for one image. */
export interface LayerOutput {
  readonly name: string;
  readonly kind: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A prediction with everything that led to it. */
export interface SeenImage {
  /** All classes, the most probable first. */
  readonly classes: readonly ClassScore[];
  /** Time of preparation and computation. */
  readonly milliseconds: number;
  /** The image as the network receives it, before normalization. */
  readonly input: Image;
  readonly layers: readonly LayerOutput[];
}

/** Saliency of a class: the figures, and the map over the image. */
export interface SeenSaliency extends Omit<Saliency, "drops"> {
  readonly map: Image;
}

/** Functions of this worker. */
export interface ViewerApi {
  open(file: ModelFile): Promise<OpenedModel>;
  predict(image: RawImage): Promise<SeenImage>;
  /** Saliency of a class for the last image. Emits the fraction done. */
  saliency(className: string): Promise<SeenSaliency>;
  activation(className: string): Promise<ClassActivation>;
}

/** Event of a saliency map in progress: the fraction done. */
export interface ViewerEvent {
  readonly fraction: number;
}

/** An open network with its programs; those for explanations are compiled when they are first needed. */
interface Opened {
  readonly model: NetworkModel;
  readonly engine: Engine;
  readonly head: ClassHead;
  readonly chain: LayerChain;
  activator?: ClassActivator;
  last?: { readonly input: Float32Array; readonly seen: Image; readonly outputs: readonly Float32Array[] };
}

const BATCH = 16;

/** Serves the functions of `ViewerApi`. */
export function serveViewer(): void {
  let opened: Opened | undefined;
  let engine: Engine | undefined;
  // In the order of the calls: the network of the last one stays open.
  const { turn } = createCallQueue("networks", () => {});
  const current = () => {
    if (opened) return opened;
    throw new Error("no network is open");
  };
  answerCalls<ViewerApi>({
    open: (file) =>
      turn(async () => {
        // Layers are small programs, which more threads would only wait for.
        engine ??= await createWasmEngine({ threads: 1 });
        const next = await openModel(file, engine);
        opened?.activator?.close();
        opened?.chain.close();
        opened = next;
        const { network, classNames } = next.model;
        return { name: file.name, network, classNames, engine: engine.description, filters: filtersOf(next.model) };
      }),
    predict: async (image) => predict(current(), imageOfPixels(image)),
    saliency: async (className) => measureSaliency(current(), className),
    activation: (className) => turn(async () => activate(current(), className)),
  });
}

async function openModel(file: ModelFile, engine: Engine): Promise<Opened> {
  const model = "bytes" in file ? await readModelBytes(file.bytes, file.name) : unpackModel(file.packed, file.name);
  const { network } = model;
  const head = headOfModel(model, classesOf(network), network.name);
  return { model, engine, head, chain: await compileLayers(model, engine) };
}

/** Kernels of a network's first layer as images. */
export function filtersOf({ network, weights }: Pick<NetworkModel, "network" | "weights">): readonly Image[] {
  const first = findFirstKernels(network);
  const values = first && weights.get(first.parameter);
  return first && values ? kernelImages(first, values) : [];
}

async function predict(opened: Opened, image: Image): Promise<SeenImage> {
  const { model, head, chain } = opened;
  const began = performance.now();
  const input = new Float32Array(sizeOf(model.network.input));
  createPreprocessor(model.preprocessing)(image, input, 0);
  const outputs = await chain.forward(input);
  const last = outputs.at(-1) as Float32Array;
  checkOutputs(last, 1, () => "image");
  const classes = rankClasses(head.probabilities(head.scores(last, 1)), model.classNames, head, thresholdsOf(model));
  const milliseconds = performance.now() - began;
  const seen = createInputImage(model.preprocessing)(image);
  opened.last = { input, seen, outputs };
  const layers = chain.layers.map(({ layer: { name, kind }, outputShape: shape }, i) => {
    return { name, kind, shape, values: outputs[i] as Float32Array };
  });
  return { classes, milliseconds, input: seen, layers };
}

function lastOf({ last }: Opened): NonNullable<Opened["last"]> {
  if (last) return last;
  throw new Error("no image was classified yet");
}

/** Several threads compute the hidden squares, where the page can have them. */
async function measureSaliency(opened: Opened, className: string): Promise<SeenSaliency> {
  const { model, head } = opened;
  const { input, seen } = lastOf(opened);
  const { network, weights, exact } = model;
  const engine = await createWasmEngine();
  try {
    const ops = operations(network);
    const request = { ops, inputShape: network.input, batchSize: BATCH, precision: "f32", exact } as const;
    const program = await engine.compile(request);
    await writeWeights(program, program.parameters, weights);
    const classifier = { file: network.name, model, head, program, isRandom: isStochastic(network) };
    const index = model.classNames.indexOf(className);
    const onProgress = (squares: number, of: number) => emit({ fraction: squares / of } satisfies ViewerEvent);
    const { drops, ...figures } = await occlude(classifier, input, () => index, { onProgress });
    return { ...figures, map: heat(seen, drops, fullColourOf(drops), 0.65) };
  } finally {
    engine.close();
  }
}

async function activate(opened: Opened, className: string): Promise<ClassActivation> {
  const { model, engine, chain } = opened;
  const { outputs } = lastOf(opened);
  opened.activator ??= await createClassActivator(model, engine);
  const { layer } = opened.activator;
  const place = chain.layers.findIndex((placed) => placed.layer.name === layer);
  return opened.activator.compute(outputs[place] as Float32Array, model.classNames.indexOf(className));
}
