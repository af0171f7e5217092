/**
 * `alexnet/core`: networks as data, preprocessing, the reference engine and training, on any JavaScript engine. Nothing here reaches a module of
 * Node.js, so that a bundler for a browser needs no replacement for one.
 *
 * @module alexnet/core
 */

export {
  type ArrayOptions,
  fromArrays,
  type LabelledArrays,
  type MemoryOptions,
  type Pixels,
} from "./dataset/arrays.ts";
export type { Dataset, Split } from "./dataset/dataset.ts";
export { fromIterable, type IterableOptions, type LabelledImage } from "./dataset/iterable.ts";
export { createDataset, type OwnDataset, type OwnSplit } from "./dataset/ownDataset.ts";
export type {
  CompileRequest,
  DropoutDraws,
  Engine,
  Parameter,
  Precision,
  PrecisionSupport,
  Program,
  StepReading,
  Tensor,
  TrainableParameter,
  TrainingProgram,
} from "./engine/engine.ts";
export { createReferenceEngine } from "./engine/reference/reference.ts";
export {
  AlexNetError,
  CheckpointError,
  ClosedError,
  ConfigError,
  DataError,
  DivergenceError,
  NonFiniteError,
  ShapeError,
  UnimplementedError,
} from "./errors.ts";
export type { Image } from "./image/image.ts";
export { createPreprocessor, type Preprocessing, type Preprocessor } from "./image/prepare/preprocess.ts";
export type { RawImage } from "./image/rawImage.ts";
export {
  adaptiveAveragePool2d,
  averagePool2d,
  batchNorm2d,
  conv2d,
  dropout,
  flatten,
  linear,
  localConv2d,
  localResponseNorm,
  maxPool2d,
  relu,
  sigmoid,
  tanh,
} from "./layers/kinds.ts";
export type { AnyLayer } from "./layers/layer.ts";
export {
  type ClassifierModel,
  type ClassifierOptions,
  createClassifier,
  type NetworkClassifier,
} from "./model/networkClassifier.ts";
export type { NetworkModel, Weights } from "./model/networkModel.ts";
export type { ClassScore, PredictOptions } from "./model/predictRows.ts";
export type { EvaluateSplitOptions } from "./model/turns.ts";
export { findNetwork, networks } from "./network/alexnet.ts";
export type { HeadName } from "./network/head.ts";
export { type Network, parseNetwork, withClasses, withInput } from "./network/network.ts";
export type { PaperFigure } from "./network/paper.ts";
export { type LayerSummary, type NetworkSummary, summarize } from "./network/summary.ts";
export {
  type NetworkObserver,
  type TrainedNetwork,
  type TrainNetworkOptions,
  trainNetwork,
} from "./trainer/trainNetwork.ts";
export type { TrainProgress } from "./trainer/trainObserver.ts";
export type { ClassFigures } from "./training/evaluation/confusion.ts";
export type { Evaluation, Prediction } from "./training/evaluation/metrics.ts";
export { findRecipe, parseRecipe, type Recipe, recipes } from "./training/recipe.ts";
