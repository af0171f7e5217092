/** The worker of the view "Try": opens networks, predicts, and explains predictions. */

import type { Engine, Program } from "../../engine/engine.ts";
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
import { answerCalls, emit, problemOf } from "./calls.ts";
import { type Computation, createEngines, type EngineUse, isFailureOf } from "./engines.ts";
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
  readonly engine: EngineUse;
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
  open(asked: { readonly file: ModelFile; readonly computation: Computation }): Promise<OpenedModel>;
  /** Compiles the open network for another choice of what computes; undefined if none is open. */
  use(computation: Computation): Promise<EngineUse | undefined>;
  predict(image: RawImage): Promise<SeenImage>;
  /** Saliency of a class for the last image. Emits the fraction done. */
  saliency(className: string): Promise<SeenSaliency>;
  activation(className: string): Promise<ClassActivation>;
}

/** Events: the fraction of a saliency map that is done; another engine, after a failure of the graphics adapter. */
export type ViewerEvent = { readonly fraction: number } | { readonly engine: EngineUse };

/** A network compiled on an engine; the programs of explanations are compiled when they are first needed. */
interface Compiled {
  readonly engine: Engine;
  readonly use: EngineUse;
  readonly chain: LayerChain;
  activator?: ClassActivator;
}

/** An open network. Another engine replaces `compiled` only. */
interface Opened {
  readonly model: NetworkModel;
  readonly head: ClassHead;
  compiled: Compiled;
  last?: { readonly input: Float32Array; readonly seen: Image; readonly outputs: readonly Float32Array[] };
}

const BATCH = 16;

/** Serves the functions of `ViewerApi`. */
export function serveViewer(): void {
  let opened: Opened | undefined;
  // Layers are small programs, which more threads would only wait for.
  const engines = createEngines({ threads: 1 });
  // In the order of the calls: the network of the last one stays open.
  const { turn } = createCallQueue("networks", () => {});
  const current = () => {
    if (opened) return opened;
    throw new Error("no network is open");
  };
  const compile = async (model: NetworkModel, computation: Computation): Promise<Compiled> => {
    const { value: chain, engine, use } = await engines.make(computation, (each) => compileLayers(model, each));
    return { engine, use, chain };
  };

  /** Computes by the open network. If its graphics adapter fails, again by WebAssembly; if another engine was chosen meanwhile, again by that. */
  async function computing<T>(compute: (own: Opened) => Promise<T>): Promise<T> {
    const own = current();
    const { compiled } = own;
    try {
      return await compute(own);
    } catch (error) {
      const isReplaced = own.compiled !== compiled;
      if (opened !== own || !(isReplaced || isFailureOf(compiled.engine, error))) throw error;
      await turn(async () => {
        if (opened !== own || own.compiled !== compiled) return;
        const next = await compile(own.model, "wasm");
        const use = { ...next.use, problem: problemOf(error) };
        own.compiled = { ...next, use };
        engines.dropWebGpu();
        emit({ engine: use } satisfies ViewerEvent);
      });
      return compute(own);
    }
  }

  answerCalls<ViewerApi>({
    open: ({ file, computation }) =>
      turn(async () => {
        const next = await openModel(file, (model) => compile(model, computation));
        if (opened) close(opened.compiled);
        opened = next;
        const { network, classNames } = next.model;
        const engine = next.compiled.use;
        return { name: file.name, network, classNames, engine, filters: filtersOf(next.model) };
      }),
    use: (computation) =>
      turn(async () => {
        if (!opened) return undefined;
        const { compiled } = opened;
        opened.compiled = await compile(opened.model, computation);
        close(compiled);
        return opened.compiled.use;
      }),
    predict: (image) => computing((own) => predict(own, imageOfPixels(image))),
    saliency: (className) => computing((own) => measureSaliency(own, className)),
    activation: (className) => computing((own) => turn(() => activate(own, className))),
  });
}

async function openModel(file: ModelFile, compile: (model: NetworkModel) => Promise<Compiled>): Promise<Opened> {
  const model = "bytes" in file ? await readModelBytes(file.bytes, file.name) : unpackModel(file.packed, file.name);
  const { network } = model;
  const head = headOfModel(model, classesOf(network), network.name);
  return { model, head, compiled: await compile(model) };
}

function close({ activator, chain }: Compiled): void {
  activator?.close();
  chain.close();
}

/** Kernels of a network's first layer as images. */
export function filtersOf({ network, weights }: Pick<NetworkModel, "network" | "weights">): readonly Image[] {
  const first = findFirstKernels(network);
  const values = first && weights.get(first.parameter);
  return first && values ? kernelImages(first, values) : [];
}

async function predict(opened: Opened, image: Image): Promise<SeenImage> {
  const { model, head } = opened;
  const { chain } = opened.compiled;
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

/** Hidden squares are many images: on processors, several threads compute them, where the page can have them. */
async function measureSaliency(opened: Opened, className: string): Promise<SeenSaliency> {
  const { model, head, compiled } = opened;
  const { input, seen } = lastOf(opened);
  const { network, weights, exact } = model;
  const isDevice = compiled.engine.threads === 0;
  const engine = isDevice ? compiled.engine : await createWasmEngine();
  let program: Program | undefined;
  try {
    const ops = operations(network);
    const request = { ops, inputShape: network.input, batchSize: BATCH, precision: "f32", exact } as const;
    program = await engine.compile(request);
    await writeWeights(program, program.parameters, weights);
    const classifier = { file: network.name, model, head, program, isRandom: isStochastic(network) };
    const index = model.classNames.indexOf(className);
    const onProgress = (squares: number, of: number) => emit({ fraction: squares / of } satisfies ViewerEvent);
    const { drops, ...figures } = await occlude(classifier, input, () => index, { onProgress });
    return { ...figures, map: heat(seen, drops, fullColourOf(drops), 0.65) };
  } finally {
    program?.close();
    if (!isDevice) engine.close();
  }
}

async function activate(opened: Opened, className: string): Promise<ClassActivation> {
  const { model, compiled } = opened;
  const { outputs } = lastOf(opened);
  compiled.activator ??= await createClassActivator(model, compiled.engine);
  const { layer } = compiled.activator;
  const place = compiled.chain.layers.findIndex((placed) => placed.layer.name === layer);
  return compiled.activator.compute(outputs[place] as Float32Array, model.classNames.indexOf(className));
}
