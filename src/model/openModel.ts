/** A trained network, read from its file and compiled on an engine. */
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel } from "../checkpoint/model.ts";
import type { TensorSink } from "../checkpoint/tensorStore.ts";
import type { Engine, InferenceRequest, Program } from "../engine/engine.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import type { InferencePrecisionName } from "../engine/select/precision.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { ConfigError, UnimplementedError } from "../errors.ts";
import { foldedNetwork, foldedWeights, hasScales } from "../formats/foldScales.ts";
import { withoutHeadLayer } from "../network/head.ts";
import { classesOf, isStochastic, type Network, operations, parametersOf } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { sizeOf } from "../shape.ts";
import { type ClassHead, headOfModel } from "../training/evaluation/classHead.ts";
import type { CalibrationOptions } from "./calibration.ts";
import { openSource, type SourceOpener } from "./modelSource.ts";
import { weightSink } from "./tensorStores.ts";

/** Options of opening a trained network. */
export interface OpenOptions {
  readonly engine?: EngineName;
  readonly threads?: number;
  /** Images computed at a time; default 1, for predictions of single images. */
  readonly batchSize?: number;
  /** Number format of the computation. Default `auto`: the run's. int8 needs a calibration, see `calibration`. */
  readonly precision?: InferencePrecisionName;
  /** For int8. Default: the calibration stored with the weights, or a new one on the run's training images, which is then stored. */
  readonly calibration?: CalibrationChoice;
  /** Opens paths that are not this program's runs and weights files. Default: there are none. */
  readonly openSource?: SourceOpener;
  /** Called with facts and warnings for people. */
  readonly onMessage?: (message: string) => void;
}

/** Images to calibrate int8 on; naming a data set or a number makes a new calibration. */
export interface CalibrationChoice {
  /** A name or a folder of images. Default: the data set that the run was trained on. */
  readonly dataset?: string;
  readonly dataDir?: string;
  /** Training images, some of each class. Default 256, or the number of classes if that is more. */
  readonly images?: number;
  /** Called after each batch of the calibration. */
  readonly onProgress?: (images: number, of: number) => void;
}

export interface OpenModel {
  /** The path that was given. */
  readonly path: string;
  /** Weights file that it was read from. */
  readonly file: string;
  readonly model: Model;
  /** Description of the engine. */
  readonly engine: string;
  readonly threads: number;
  readonly program: Program;
  /** True for another program's file. */
  readonly isForeign: boolean;
  /** True if predictions depend on random numbers. */
  readonly isRandom: boolean;
  close(): void;
}

/**
 * Opens a run directory (its best weights) or a weights file. `meanwhile` is called when the network is compiled, and its weights are being read.
 *
 * Throws CheckpointError if the file is missing or unreadable, NativeError if the requested engine is not installed.
 */
export async function openModel(path: string, options: OpenOptions, meanwhile?: () => void): Promise<OpenModel> {
  const opened = await openPieces(path, ({ layers }) => [layers.length - 1], options, meanwhile);
  const { file, model, isForeign, engine, programs, close } = opened;
  const { description, threads } = engine;
  const isRandom = isStochastic(model.network);
  const program = programs[0] as Program;
  return { path, file, model, isForeign, engine: description, threads, program, isRandom, close };
}

/** A trained network whose outputs are class scores. */
export interface ClassModel extends OpenModel {
  readonly head: ClassHead;
}

/** Opens a classifier as `openModel` does. Throws ConfigError for a network whose head is `none`, or a softmax over one output. */
export async function openClassModel(path: string, options: OpenOptions, meanwhile?: () => void): Promise<ClassModel> {
  const opened = await openModel(path, options, meanwhile);
  try {
    const { file, model } = opened;
    if (isDoubtful(model)) {
      options.onMessage?.(
        `${file}: its network ends in a sigmoid and its head is softmax; if it was imported by an earlier version, import it again`,
      );
    }
    return { ...opened, head: headOfModel(model, classesOf(model.network), file) };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/** True for a softmax of sigmoids: earlier versions imported every network that ends in a sigmoid as such. */
function isDoubtful({ head = "softmax", network }: Model): boolean {
  return head === "softmax" && withoutHeadLayer(network) !== undefined;
}

/** A trained network as a sequence of programs. */
export interface OpenPieces extends Pick<OpenModel, "file" | "model" | "isForeign" | "close"> {
  readonly engine: Engine;
  /** Indices of the last layer of each program. */
  readonly ends: readonly number[];
  readonly programs: readonly Program[];
}

/** Like `openModel`, with one program up to each layer whose index `endsOf` returns, in order. Layers after the last of these are not computed. */
export async function openPieces(
  path: string,
  endsOf: (network: Network) => readonly number[],
  options: OpenOptions,
  meanwhile: () => void = () => {},
): Promise<OpenPieces> {
  const { file, model, isForeign, fill } = await openSource(path, options.openSource);
  const note = await weightsNote(path, file, model);
  if (note !== undefined) options.onMessage?.(note);
  const isFolded = options.precision === "int8" && hasScales(model.network);
  const network = isFolded ? foldedNetwork(model.network) : model.network;
  const ends = endsOf(network);
  const opening = openPrograms(path, file, model, network, ends, options);
  const sink = opening.then(({ programs }) => sharedSink(programs, network));
  // `fill` awaits it too, once the file is open.
  sink.then(meanwhile).catch(() => {});
  try {
    await (isFolded ? fillFolded(fill, model.network, await sink) : fill(sink));
  } catch (error) {
    (await opening.catch(() => undefined))?.close();
    throw error;
  }
  return { file, model, isForeign, ends, ...(await opening) };
}

/** Selects the engine, and compiles one program up to each of the ends. */
async function openPrograms(
  path: string,
  file: string,
  model: Model,
  network: Network,
  ends: readonly number[],
  options: OpenOptions,
): Promise<Pick<OpenPieces, "engine" | "programs" | "close">> {
  const { engine, warning } = await selectEngine(options.engine ?? "auto", options.threads);
  if (warning) options.onMessage?.(warning);
  const programs: Program[] = [];
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    for (const program of programs) program.close();
    engine.close();
  };
  try {
    const all = operations(network);
    const compile = await compiler(path, file, model, network, engine, ends, options);
    for (const [i, end] of ends.entries()) {
      const ops = all.slice((ends[i - 1] ?? -1) + 1, end + 1);
      const inputShape = ops[0]?.inputShape ?? network.input;
      programs.push(await compile({ ops, inputShape, batchSize: options.batchSize ?? 1, exact: model.exact }));
    }
  } catch (error) {
    close();
    throw error;
  }
  return { engine, programs, close };
}

/** Reports the epoch of the weights used, if they are not the last ones. */
async function weightsNote(path: string, file: string, { metrics }: Model): Promise<string | undefined> {
  const { best, last } = checkpointFiles(path);
  if (file !== best || !(await fileExists(last))) return undefined;
  // An unreadable file that is not used is no error here.
  const newest = (await loadModel(last).catch(() => undefined))?.metrics;
  if (!newest || metrics["iteration"] === undefined || metrics["iteration"] === newest["iteration"]) return undefined;
  const epoch = (of: Model["metrics"]) => Number((of["epoch"] ?? 0).toFixed(2));
  return `${path}: best.safetensors, the weights of epoch ${epoch(metrics)}; last.safetensors has those of epoch ${epoch(newest)}`;
}

/** Compiles a part of the network in the requested precision. */
async function compiler(
  path: string,
  file: string,
  model: Model,
  { layers }: Network,
  engine: Engine,
  ends: readonly number[],
  { precision = "auto", calibration, onMessage }: OpenOptions,
): Promise<(piece: Omit<InferenceRequest, "precision">) => Promise<Program>> {
  if (precision === "auto") {
    return (piece) => compileOrF32(engine, { ...piece, precision: model.precision }, onMessage);
  }
  if (precision !== "int8") return (piece) => engine.compile({ ...piece, precision });
  if (ends.length !== 1 || ends[0] !== layers.length - 1) {
    throw new ConfigError("precision: int8 computes a network's outputs, not those of its layers; use f32 or bf16");
  }
  const { quantizationOf } = await import("./int8Model.ts");
  const quantization = await quantizationOf(path, file, model, engine, calibrationOptions(calibration, onMessage));
  return (piece) => engine.compile({ ...piece, precision, quantization });
}

function calibrationOptions(
  { dataset, dataDir, images, onProgress }: CalibrationChoice = {},
  onMessage: OpenOptions["onMessage"],
): CalibrationOptions {
  return {
    ...(dataset === undefined ? {} : { dataset }),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(images === undefined ? {} : { calibrationImages: images }),
    ...(onProgress && { onCalibrate: onProgress }),
    ...(onMessage && { onMessage }),
  };
}

/** Compiles in the precision that the weights were trained in, or in f32 if the library lacks that precision on this processor. */
async function compileOrF32(
  engine: Engine,
  request: InferenceRequest,
  onMessage: OpenOptions["onMessage"],
): Promise<Program> {
  try {
    return await engine.compile(request);
  } catch (error) {
    if (!(error instanceof UnimplementedError) || request.precision === "f32") throw error;
    onMessage?.(`precision: no ${request.precision} in ${engine.description}; using f32`);
    return engine.compile({ ...request, precision: "f32" });
  }
}

/** Fills a sink of `foldedNetwork` with the weights of a network, which are in memory until then. */
async function fillFolded(fill: (sink: TensorSink) => Promise<void>, network: Network, sink: TensorSink) {
  const values = new Map<string, Float32Array>();
  const names = tensorNames(network);
  const tensors = parametersOf(network).map(({ name, shape }) => ({ name: names.get(name) ?? name, shape }));
  await fill({ tensors, write: async (name, given) => void values.set(name, given.slice()) });
  const weights = foldedWeights(network, {
    tensors: parametersOf(network),
    read: async (name, into) => {
      into.set(values.get(names.get(name) ?? name) ?? []);
      return into;
    },
  });
  const stored = tensorNames(foldedNetwork(network));
  for (const { name, shape } of weights.tensors) {
    await sink.write(stored.get(name) ?? name, await weights.read(name, new Float32Array(sizeOf(shape))));
  }
}

/** Writes each tensor of the file to the program that has it; tensors of layers after the last are checked and skipped. */
function sharedSink(programs: readonly Program[], network: Network): TensorSink {
  const sinks = programs.map((program) => weightSink(program, network));
  const owners = new Map(sinks.flatMap((sink) => sink.tensors.map(({ name }) => [name, sink] as const)));
  const names = tensorNames(network);
  const memory = programs[0] as Program;
  return {
    tensors: parametersOf(network).map(({ name, shape }) => ({ name: names.get(name) ?? name, shape })),
    scratch: (length) => memory.scratch(length),
    async write(name, values) {
      await owners.get(name)?.write(name, values);
    },
    memoryOf: (name) => owners.get(name)?.memoryOf?.(name),
  };
}
