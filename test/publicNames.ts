/**
 * Every name that the package exports, in use: classes, constants and functions by their signatures here, options in `publicOptions.ts`, data in
 * `publicResults.ts`. It does not compile if a name is renamed or removed, or a function no longer takes or returns what it did.
 */
import type * as api from "../src/index.ts";
import type { Returns } from "./publicResults.ts";

type LayerMaker<Options, Kind> = (name: string, options?: Options) => { readonly name: string; readonly kind: Kind };
type Window = { kernelSize?: number; stride?: number; padding?: number };
type ErrorClass<E> = new (message: string, options?: ErrorOptions) => E & { readonly exitCode: number };
type Open = api.OpenOptions;

/** One entry per exported value. */
export type Values = [
  Returns<typeof api.adaptiveAveragePool2d, LayerMaker<{ outputSize?: number }, "adaptiveAveragePool2d">>,
  Returns<typeof api.AlexNetError, ErrorClass<Error>>,
  Returns<typeof api.averagePool2d, LayerMaker<Window & { countIncludePad?: boolean }, "averagePool2d">>,
  Returns<typeof api.CheckpointError, ErrorClass<api.AlexNetError>>,
  Returns<typeof api.ClosedError, new (thing: string) => api.NativeError>,
  Returns<typeof api.ConfigError, ErrorClass<api.AlexNetError>>,
  Returns<typeof api.conv2d, LayerMaker<Window & { outChannels?: number; groups?: number }, "conv2d">>,
  Returns<typeof api.DataError, ErrorClass<api.AlexNetError>>,
  Returns<typeof api.DivergenceError, new (reason: string, remedy: string) => api.AlexNetError & { reason: string }>,
  Returns<
    typeof api.drawActivations,
    (run: string, image: string, options?: api.ActivationOptions) => Promise<api.ActivationSheet>
  >,
  Returns<typeof api.drawFilters, (run: string) => Promise<api.FilterSheet>>,
  Returns<typeof api.drawNetwork, (network: api.Network, theme: api.Theme) => string>,
  Returns<typeof api.dropout, LayerMaker<{ probability?: number; activeAtEvaluation?: boolean }, "dropout">>,
  Returns<
    typeof api.evaluateEnsemble,
    (runs: readonly string[], options?: Open & api.EvaluateRunOptions) => Promise<api.EnsembleEvaluation | undefined>
  >,
  Returns<typeof api.exportModel, (run: string, output: string, options?: api.ExportOptions) => Promise<api.Exported>>,
  Returns<typeof api.findLearningRate, (options?: api.RateFinderOptions) => Promise<api.RateFinding>>,
  Returns<typeof api.findNetwork, (name: string) => api.Network>,
  Returns<
    typeof api.findPictures,
    (paths: readonly string[], onMessage?: (message: string) => void) => Promise<readonly { readonly path: string }[]>
  >,
  Returns<typeof api.findRecipe, (name: string) => api.Recipe>,
  Returns<
    typeof api.findSimilar,
    (
      run: string,
      folder: string,
      queries: readonly string[],
      options?: api.SimilarOptions,
    ) => Promise<(api.SimilarPictures & { readonly svg: string }) | undefined>
  >,
  Returns<typeof api.flatten, LayerMaker<object, "flatten">>,
  Returns<typeof api.importModel, (file: string, run: string, options: api.ImportOptions) => Promise<api.Imported>>,
  Returns<typeof api.linear, LayerMaker<{ outFeatures?: number }, "linear">>,
  Returns<typeof api.batchNorm2d, LayerMaker<{ eps?: number; momentum?: number; affine?: boolean }, "batchNorm2d">>,
  Returns<
    typeof api.localConv2d,
    LayerMaker<{ outChannels?: number; kernelSize?: number; stride?: number; padding?: number }, "localConv2d">
  >,
  Returns<
    typeof api.localResponseNorm,
    LayerMaker<
      { size?: number; alpha?: number; beta?: number; k?: number; region?: "withinChannel" },
      "localResponseNorm"
    >
  >,
  Returns<
    typeof api.mapPictures,
    (
      run: string,
      options?: api.MapOptions,
    ) => Promise<api.PictureMap & { readonly svg: string; readonly picturesSvg?: string }>
  >,
  Returns<typeof api.maxPool2d, LayerMaker<Window, "maxPool2d">>,
  Returns<
    typeof api.measureSaliency,
    (run: string, image: string, options?: api.SaliencyOptions) => Promise<api.Saliency & { readonly svg: string }>
  >,
  Returns<typeof api.NativeError, ErrorClass<api.AlexNetError>>,
  Returns<typeof api.networks, readonly api.Network[]>,
  Returns<typeof api.openClassifier, (run: string, options?: Open) => Promise<api.Classifier>>,
  Returns<
    typeof api.openLayerOutputs,
    (run: string, choose: (network: api.Network) => readonly string[], options: Open) => Promise<api.LayerOutputs>
  >,
  Returns<typeof api.parseNetwork, (json: unknown, origin: string) => api.Network>,
  Returns<
    typeof api.predictFiles,
    (
      run: string,
      files: readonly { readonly path: string }[],
      options?: api.PredictFilesOptions,
    ) => AsyncGenerator<readonly api.FilePrediction[]>
  >,
  Returns<typeof api.readCaffeFile, (path: string, options?: api.CaffeOptions) => Promise<api.ImportedModel>>,
  Returns<typeof api.readImage, (input: api.ImageInput) => Promise<api.Image>>,
  Returns<typeof api.readOnnxFile, (path: string, options?: { inputSize?: number }) => Promise<api.ImportedModel>>,
  Returns<typeof api.readSweepPlan, (path: string) => Promise<api.SweepPlan>>,
  Returns<typeof api.recipes, readonly api.Recipe[]>,
  Returns<typeof api.relu, LayerMaker<object, "relu">>,
  Returns<typeof api.runSweep, (options: api.SweepOptions) => Promise<api.SweepResult>>,
  Returns<typeof api.ShapeError, ErrorClass<api.AlexNetError>>,
  Returns<typeof api.sigmoid, LayerMaker<object, "sigmoid">>,
  Returns<
    typeof api.summarize,
    (network: api.Network, options?: { readonly batchSize?: number }) => api.NetworkSummary
  >,
  Returns<typeof api.tanh, LayerMaker<object, "tanh">>,
  Returns<typeof api.trainClassifier, (options?: api.TrainOptions) => Promise<api.TrainResult>>,
  Returns<typeof api.trainFolds, (options: api.TrainFoldsOptions) => Promise<api.FoldsResult>>,
  Returns<typeof api.UnsupportedError, ErrorClass<api.AlexNetError>>,
  Returns<
    typeof api.verifyModel,
    (run: string, file: string, options?: api.VerifyOptions) => Promise<api.Verification>
  >,
  Returns<typeof api.withClasses, (network: api.Network, classes: number) => api.Network>,
  Returns<typeof api.withInput, (network: api.Network, input: api.Network["input"]) => api.Network>,
  Returns<
    typeof api.writeFeatures,
    (
      run: string,
      files: readonly { readonly path: string }[],
      options: api.PredictFilesOptions & {
        readonly layer: string;
        readonly output: string;
        readonly onBad?: (file: string, error: string) => void;
      },
    ) => Promise<api.WrittenFeatures>
  >,
  Returns<
    typeof api.writeOnnx,
    (network: api.Network, read: api.ReadParameter, options?: api.OnnxOptions) => api.OnnxFile
  >,
];
