/** AlexNet in TypeScript: describe, train, evaluate, predict. */
export { type Classifier, type ClassScore, openClassifier } from "./classifier/classifier.ts";
export { type EnsembleEvaluation, type EnsembleRun, evaluateEnsemble } from "./classifier/evaluateEnsemble.ts";
export { type TrainOptions, type TrainResult, trainClassifier } from "./classifier/trainClassifier.ts";
export type { TrainObserver, TrainProgress } from "./classifier/trainObserver.ts";
export {
  AlexNetError,
  CheckpointError,
  ConfigError,
  DataError,
  DivergenceError,
  NativeError,
  ShapeError,
  UnsupportedError,
} from "./errors.ts";
export type { Image } from "./image/image.ts";
export { type CaffeOptions, readCaffeFile } from "./interop/caffeRead.ts";
export type { ImportedModel } from "./interop/importedModel.ts";
export type { OnnxOptions } from "./interop/onnxDescribe.ts";
export { readOnnxFile } from "./interop/onnxRead.ts";
export { type OnnxFile, writeOnnx } from "./interop/onnxWrite.ts";
export {
  adaptiveAveragePool2d,
  averagePool2d,
  conv2d,
  dropout,
  flatten,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
  sigmoid,
  tanh,
} from "./layers/kinds.ts";
export { findNetwork, networks } from "./network/alexnet.ts";
export { type Network, parseNetwork, withClasses, withInput } from "./network/network.ts";
export { type LayerSummary, type NetworkSummary, summarize } from "./network/summary.ts";
export type { Evaluation, Prediction } from "./training/metrics.ts";
export { findRecipe, type Recipe, recipes } from "./training/recipe.ts";
