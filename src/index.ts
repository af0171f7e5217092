/** AlexNet in TypeScript: describe, train, evaluate, predict. */
export {
  type ActivationOptions,
  type ActivationSheet,
  drawActivations,
  type LayerActivity,
} from "./classifier/activationSheet.ts";
export {
  type Classifier,
  type ClassScore,
  type EvaluateRunOptions,
  openClassifier,
  type PredictOptions,
} from "./classifier/classifier.ts";
export { type EnsembleEvaluation, type EnsembleRun, evaluateEnsemble } from "./classifier/evaluateEnsemble.ts";
export { type Exported, type ExportOptions, exportModel } from "./classifier/exportModel.ts";
export { drawFilters, type FilterSheet } from "./classifier/filterSheet.ts";
export type { DescribeOptions } from "./classifier/importDescription.ts";
export { type Imported, type ImportOptions, importModel } from "./classifier/importModel.ts";
export { type LayerOutputs, openLayerOutputs } from "./classifier/layerOutputs.ts";
export { findLearningRate, type RateFinderOptions, type RateFinding } from "./classifier/learningRateFinder.ts";
export { type MapOptions, type MapPoint, mapPictures, type PictureMap } from "./classifier/map.ts";
export type { MapMethod } from "./classifier/mapMethods.ts";
export type { OpenOptions } from "./classifier/openModel.ts";
export {
  type FilePrediction,
  findPictures,
  type PredictFilesOptions,
  predictFiles,
  type WrittenFeatures,
  writeFeatures,
} from "./classifier/predictFiles.ts";
export type { QuantizationReport, QuantizeOptions } from "./classifier/quantizeModel.ts";
export { measureSaliency, type Saliency, type SaliencyOptions } from "./classifier/saliency.ts";
export { findSimilar, type Neighbour, type SimilarOptions, type SimilarPictures } from "./classifier/similar.ts";
export { runSweep, type SweepOptions, type SweepResult, type TrialResult } from "./classifier/sweep.ts";
export { readSweepPlan, type SweepPlan } from "./classifier/sweepPlan.ts";
export { type TrainOptions, type TrainResult, trainClassifier } from "./classifier/trainClassifier.ts";
export type { TrainObserver, TrainProgress } from "./classifier/trainObserver.ts";
export { type Verification, type VerifyOptions, verifyModel } from "./classifier/verifyModel.ts";
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
export { type OnnxFile, type ReadParameter, writeOnnx } from "./interop/onnxWrite.ts";
export type { Quantization } from "./interop/quantization.ts";
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
export type { PaperFigure } from "./network/paper.ts";
export { type LayerSummary, type NetworkSummary, summarize } from "./network/summary.ts";
export { drawNetwork } from "./report/drawing.ts";
export type { Theme } from "./report/theme.ts";
export type { Evaluation, Prediction } from "./training/metrics.ts";
export { findRecipe, type Recipe, recipes } from "./training/recipe.ts";
