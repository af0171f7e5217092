/**
 * AlexNet in TypeScript: describe, train, evaluate, predict.
 *
 * @module alexnet
 */

export {
  AlexNetError,
  CheckpointError,
  ClosedError,
  ConfigError,
  DataError,
  DivergenceError,
  NativeError,
  ShapeError,
  UnsupportedError,
} from "./errors.ts";
export { type Exported, type ExportOptions, exportModel } from "./exchange/exportModel.ts";
export type { DescribeOptions } from "./exchange/importDescription.ts";
export { type Imported, type ImportOptions, importModel } from "./exchange/importModel.ts";
export type { QuantizationReport, QuantizeOptions } from "./exchange/quantizeModel.ts";
export { type Verification, type VerifyOptions, verifyModel } from "./exchange/verifyModel.ts";
export {
  type ActivationOptions,
  type ActivationSheet,
  drawActivations,
  type LayerActivity,
} from "./explain/activationFigure.ts";
export { drawFilters, type FilterSheet } from "./explain/filterFigure.ts";
export { type MapOptions, type MapPoint, mapPictures, type PictureMap } from "./explain/map.ts";
export type { MapMethod } from "./explain/mapMethods.ts";
export type { Saliency } from "./explain/occlusion.ts";
export { measureSaliency, type SaliencyOptions } from "./explain/saliency.ts";
export { findSimilar, type Neighbour, type SimilarOptions, type SimilarPictures } from "./explain/similar.ts";
export { type CaffeOptions, readCaffeFile } from "./formats/caffe/readCaffe.ts";
export type { ImportedModel } from "./formats/importedModel.ts";
export type { OnnxOptions } from "./formats/onnx/describe.ts";
export { readOnnxFile } from "./formats/onnx/readOnnx.ts";
export { type OnnxFile, type ReadParameter, writeOnnx } from "./formats/onnx/writeOnnx.ts";
export type { Quantization } from "./formats/quantization.ts";
export { type ImageInput, readImageInput as readImage } from "./image/files/imageInput.ts";
export type { Image } from "./image/image.ts";
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
export {
  type Classifier,
  type EvaluateRunOptions,
  openClassifier,
} from "./model/classifier.ts";
export { type EnsembleEvaluation, type EnsembleRun, evaluateEnsemble } from "./model/evaluateEnsemble.ts";
export type { FilePrediction, PredictFilesOptions } from "./model/filePrediction.ts";
export { type LayerOutputs, openLayerOutputs } from "./model/layerOutputs.ts";
export type { OpenOptions } from "./model/openModel.ts";
export {
  findPictures,
  predictFiles,
  type WrittenFeatures,
  writeFeatures,
} from "./model/predictFiles.ts";
export type { ClassScore, PredictOptions } from "./model/predictRows.ts";
export { findNetwork, networks } from "./network/alexnet.ts";
export type { HeadName } from "./network/head.ts";
export { type Network, parseNetwork, withClasses, withInput } from "./network/network.ts";
export type { PaperFigure } from "./network/paper.ts";
export { type LayerSummary, type NetworkSummary, summarize } from "./network/summary.ts";
export { drawNetwork } from "./report/figures/drawing.ts";
export type { Theme } from "./report/theme.ts";
export { type TrainOptions, type TrainResult, trainClassifier } from "./trainer/trainClassifier.ts";
export { type FoldStatistics, type FoldsResult, type TrainFoldsOptions, trainFolds } from "./trainer/trainFolds.ts";
export type { TrainObserver, TrainProgress } from "./trainer/trainObserver.ts";
export type { Evaluation, Prediction } from "./training/evaluation/metrics.ts";
export { findRecipe, type Recipe, recipes } from "./training/recipe.ts";
export { findLearningRate, type RateFinderOptions, type RateFinding } from "./tuning/learningRateFinder.ts";
export { runSweep, type SweepOptions, type SweepResult, type TrialResult } from "./tuning/sweep.ts";
export { readSweepPlan, type SweepPlan } from "./tuning/sweepPlan.ts";
