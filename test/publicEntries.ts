/**
 * The names of `alexnet/core`, `alexnet/browser`, `alexnet/onednn`, `alexnet/wasm`, `alexnet/webgpu` and `alexnet/formats` that `alexnet` does not export, in use. Types only. It does not compile if a name
 * is renamed or removed, an option no longer takes a value, or a result has other fields.
 */

import type * as dawn from "webgpu";
import type * as browser from "../src/browser.ts";
import type * as core from "../src/core.ts";
import type * as formats from "../src/formats.ts";
import type * as onednn from "../src/onednn.ts";
import type * as wasm from "../src/wasm.ts";
import type * as webgpu from "../src/webgpu.ts";
import type { Accepts } from "./publicOptions.ts";
import type { Returns } from "./publicResults.ts";

type ErrorClass = new (message: string) => Error & { readonly exitCode: number };
type Values = ReadonlyMap<string, Float32Array>;
type Say = (message: string) => void;
type Evaluated = core.Evaluation | undefined;
type Classes = readonly { readonly className: string; readonly probability: number; readonly isPresent?: boolean }[];

interface Pixels {
  width: number;
  height: number;
  channels?: number;
  data: Uint8Array | Uint8ClampedArray;
}

interface Part {
  length: number;
  label(index: number): number;
  image(index: number): Pixels;
  prefetch?(indices: Uint32Array): Promise<void>;
  path?(index: number): string;
}

interface Memory {
  name?: string;
  classNames?: readonly string[];
  validationFraction?: number;
  seed?: number;
}

interface Arrays {
  images: Uint8Array | Uint8ClampedArray | Float32Array | Float64Array | readonly (Uint8Array | Pixels)[];
  labels: Uint8Array | readonly number[] | readonly string[];
}

interface EvaluateSplit {
  seed?: number;
  threshold?: number;
  tenCrop?: boolean;
  flip?: boolean;
  onProgress?: (images: number, of: number) => void;
  onPrediction?: (prediction: core.Prediction) => void;
  signal?: AbortSignal;
}

interface Observer {
  onMessage?: Say;
  onProgress?: (progress: core.TrainProgress) => void;
  onEvaluationProgress?: (images: number, of: number) => void;
  onLog?: (entry: { readonly epoch: number; readonly trainLoss: number }) => void;
  onEpoch?: (entry: { readonly epoch: number; readonly testAccuracy?: number }) => void;
}

interface Training {
  network: core.Network;
  dataset: core.Dataset;
  engine: core.Engine;
  recipe?: string | core.Recipe;
  weights?: Values;
  precision?: "f32" | "bf16";
  exact?: boolean;
  maxMinutes?: number;
  signal?: AbortSignal;
  observer?: Observer;
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  optimizer?: core.Recipe["optimizer"];
  schedule?: core.Recipe["schedule"];
  warmup?: number;
  fit?: core.Recipe["fit"];
  augmentation?: core.Recipe["augmentation"];
  seed?: number;
}

interface Model {
  network: core.Network;
  head?: core.HeadName | undefined;
  classNames: readonly string[];
  preprocessing: core.Preprocessing;
  metrics: Readonly<Record<string, number>>;
  precision: "f32" | "bf16";
  exact: boolean;
  weights: Values;
}

interface Classifier {
  model: Model;
  head: core.HeadName;
  isMultiLabel: boolean;
  isRandom: boolean;
  predict(image: Pixels, options?: core.PredictOptions): Promise<Classes>;
  evaluate(split: core.Split, options?: EvaluateSplit): Promise<Evaluated>;
  close(): Promise<void>;
}

type Tensors = ReadonlyMap<string, { readonly shape: readonly number[]; readonly values: Float32Array }>;
type Metadata = Readonly<Record<string, string>>;

/** One entry per value. */
export type EntryValues = [
  Returns<typeof core.createClassifier, (model: Model, options: core.ClassifierOptions) => Promise<Classifier>>,
  Returns<typeof core.createDataset, (own: core.OwnDataset) => Promise<core.Dataset>>,
  Returns<
    typeof core.createPreprocessor,
    (preprocessing: core.Preprocessing) => (image: core.Image, target: Float32Array, offset: number) => void
  >,
  Returns<typeof core.createReferenceEngine, () => core.Engine>,
  Returns<
    typeof core.fromArrays,
    (images: Arrays["images"], labels: Arrays["labels"], options?: core.ArrayOptions) => core.Dataset
  >,
  Returns<
    typeof core.fromIterable,
    (
      source: AsyncIterable<core.LabelledImage> | Iterable<core.LabelledImage>,
      options?: core.IterableOptions,
    ) => Promise<core.Dataset>
  >,
  Returns<typeof core.NonFiniteError, ErrorClass>,
  Returns<typeof core.parseRecipe, (json: unknown, origin?: string) => core.Recipe>,
  Returns<typeof core.trainNetwork, (options: core.TrainNetworkOptions) => Promise<core.TrainedNetwork>>,
  Returns<typeof core.UnimplementedError, ErrorClass>,
  Returns<typeof onednn.createOneDnnEngine, (options?: onednn.OneDnnOptions) => onednn.Engine>,
  Returns<typeof wasm.createWasmEngine, (options?: wasm.WasmOptions) => Promise<wasm.Engine>>,
  Returns<
    typeof webgpu.createWebGpuEngine,
    (gpu: webgpu.WebGpu, options?: webgpu.WebGpuOptions) => Promise<webgpu.WebGpuEngine>
  >,
  Returns<
    typeof browser.createClassActivator,
    (model: Pick<Model, "network" | "weights" | "exact">, engine: browser.Engine) => Promise<browser.ClassActivator>
  >,
  Returns<typeof browser.readModelBytes, (bytes: Uint8Array, name: string) => Promise<browser.NetworkModel>>,
  Returns<typeof browser.writeModelBytes, (model: browser.NetworkModel) => Promise<Uint8Array>>,
  Returns<typeof formats.readModel, (path: string) => Promise<formats.NetworkModel>>,
  Returns<typeof formats.readPyTorchFile, (file: string | Uint8Array) => Promise<Tensors>>,
  Returns<
    typeof formats.readSafetensorsFile,
    (path: string) => Promise<{ readonly tensors: Tensors; readonly metadata: Metadata }>
  >,
  Returns<typeof formats.weightsOf, (network: core.Network, tensors: Tensors, origin?: string) => Promise<Values>>,
  Returns<typeof formats.writeModel, (path: string, model: formats.NetworkModel) => Promise<void>>,
  Returns<typeof formats.writePyTorchFile, (path: string, tensors: Tensors) => Promise<void>>,
  Returns<typeof formats.writeSafetensorsFile, (path: string, tensors: Tensors, metadata?: Metadata) => Promise<void>>,
];

/** One entry per type: options. */
export type EntryOptions = [
  Accepts<
    core.ArrayOptions,
    Memory & { width?: number; height?: number; channels?: number; validation?: Arrays; test?: Arrays }
  >,
  Accepts<
    core.ClassifierModel,
    Pick<Model, "network" | "weights" | "classNames" | "preprocessing"> & { head?: "softmax" }
  >,
  Accepts<core.ClassifierOptions, { engine: core.Engine; batchSize?: number; onMessage?: Say }>,
  Accepts<core.EvaluateSplitOptions, EvaluateSplit>,
  Accepts<
    core.IterableOptions,
    Memory & { length?: number; signal?: AbortSignal; onProgress?: (images: number) => void }
  >,
  Accepts<core.LabelledArrays, Arrays>,
  Accepts<core.LabelledImage, { image: Pixels; label: number | string; split?: "train" | "validation" | "test" }>,
  Accepts<core.MemoryOptions, Memory>,
  Accepts<core.NetworkObserver, Observer>,
  Accepts<
    core.OwnDataset,
    {
      name?: string;
      classNames: readonly string[];
      train: Part;
      validation?: Part | undefined;
      test?: Part | undefined;
    }
  >,
  Accepts<core.OwnSplit, Part>,
  Accepts<core.TrainNetworkOptions, Training>,
  Accepts<onednn.OneDnnOptions, { threads?: number }>,
  Accepts<wasm.WasmOptions, { threads?: number }>,
  Accepts<webgpu.WebGpu, Pick<ReturnType<typeof dawn.create>, "requestAdapter">>,
  Accepts<webgpu.WebGpuOptions, { products?: "tiles" | "plain" }>,
];

/** One entry per type: data. */
export type EntryResults = [
  Returns<webgpu.WebGpuEngine, webgpu.Engine & { isSoftware: boolean }>,
  Returns<browser.ClassActivation, { layer: string; height: number; width: number; values: Float32Array }>,
  Returns<
    browser.ClassActivator,
    { layer: string; compute(maps: Float32Array, index: number): Promise<browser.ClassActivation>; close(): void }
  >,
  Returns<core.AnyLayer, { name: string; kind: string }>,
  Returns<
    core.ClassFigures,
    { className: string; images: number; correct: number; precision: number | null; recall: number | null }
  >,
  Returns<
    core.Dataset,
    {
      name: string;
      classNames: readonly string[];
      train: core.Split;
      validation?: core.Split | undefined;
      test: core.Split;
      channels: 1 | 3;
      imageSize: { readonly width: number; readonly height: number } | undefined;
      mean: readonly number[];
      deviation: readonly number[];
    }
  >,
  Returns<core.NetworkClassifier, Classifier>,
  Returns<core.NetworkModel, Model>,
  Returns<core.Pixels, Uint8Array | Uint8ClampedArray | Float32Array | Float64Array>,
  Returns<core.Preprocessing, { size: readonly [number, number]; channels: 1 | 3; mean: readonly number[] }>,
  Returns<core.Preprocessor, (image: core.Image, target: Float32Array, offset: number) => void>,
  Returns<core.Split, { length: number; label(index: number): number; image(index: number): core.Image }>,
  Returns<
    core.TrainedNetwork,
    { model: Model; end: "finished" | "interrupt" | "time"; log: readonly { epoch: number }[]; evaluation: Evaluated }
  >,
  Returns<core.Weights, Values>,
  Returns<formats.ImportedMetadata, { endsInSoftmax: boolean; producer: string }>,
  Returns<formats.NamedTensor, { shape: readonly number[]; values: Float32Array }>,
  Returns<formats.Tensors, Tensors>,
];

/** One entry per type of the engines' interface. */
export type EntryEngine = [
  Returns<core.CompileRequest, { batchSize: number; precision: "f32" | "bf16" }>,
  Returns<core.DropoutDraws, { seed: number; first: number }>,
  Returns<core.Engine, { name: string; description: string; threads: number; trains: boolean; close(): void }>,
  Returns<core.Parameter, { name: string; value: core.Tensor }>,
  Returns<core.Precision, "f32" | "bf16">,
  Returns<core.PrecisionSupport, { name: core.Precision; native: boolean }>,
  Returns<core.Program, { batchSize: number; parameters: readonly core.Parameter[]; close(): void }>,
  Returns<core.StepReading, { loss: number; logits: Float32Array }>,
  Returns<core.Tensor, { shape: readonly number[] }>,
  Returns<core.TrainableParameter, core.Parameter & { gradient: core.Tensor }>,
  Returns<core.TrainingProgram, core.Program & { parameters: readonly core.TrainableParameter[] }>,
];
