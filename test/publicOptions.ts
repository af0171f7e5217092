/**
 * Options of the public functions as they are in use: keys, and the values that each takes. Types only. It does not compile if a key is renamed or
 * removed, or no longer takes one of the values.
 */

import type { OnnxReadOptions, PyTorchReadOptions } from "../src/formats.ts";
import type {
  ActivationOptions,
  CaffeOptions,
  DescribeOptions,
  EvaluateRunOptions,
  ExportOptions,
  HeadName,
  ImportOptions,
  MapOptions,
  Network,
  OnnxOptions,
  OpenOptions,
  PredictFilesOptions,
  PredictOptions,
  Quantization,
  QuantizeOptions,
  RateFinderOptions,
  RawImage,
  Recipe,
  ReproduceOptions,
  SaliencyOptions,
  SimilarOptions,
  SweepOptions,
  SweepPlan,
  TrainFoldsOptions,
  TrainObserver,
  TrainOptions,
  VerifyOptions,
} from "../src/index.ts";
import type { Preprocessing } from "./publicResults.ts";

/** Options in use, each key of which must be among those of now and take the same values. */
export type Accepts<Now, Then extends { readonly [K in keyof Then]: K extends keyof Now ? Now[K] : never }> = Then;

type Engine = "auto" | "onednn" | "reference";
type Head = "softmax" | "sigmoid" | "none";
type Filter = "bilinear" | "bicubic";
type FitName = "resize" | "crop" | "pad" | "random-resized-crop" | "native";
type Progress = (done: number, of: number) => void;
type Say = (message: string) => void;

interface Open {
  engine?: Engine;
  threads?: number;
  onMessage?: Say;
}

interface RunSettings {
  dataset?: string;
  dataDir?: string;
  network?: string | Network;
  recipe?: string | Recipe;
  inputSize?: number;
  trainLimit?: number;
  testLimit?: number;
  labels?: string;
  imageColumn?: string;
  labelColumn?: string;
  splitColumn?: string;
  classes?: string;
  classOrder?: "text" | "natural";
  validationShare?: number;
  maxBad?: number;
  engine?: Engine;
  precision?: "auto" | "f32" | "bf16";
  exact?: boolean;
  threads?: number;
  epochs?: number;
  batchSize?: number;
  learningRate?: number;
  baseBatchSize?: number;
  optimizer?: "sgd" | "adam" | "adamw" | "lars";
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  clipNorm?: number;
  accumulate?: number;
  average?: number;
  schedule?:
    | "constant"
    | "step"
    | "plateau"
    | "cosine"
    | "linear"
    | "polynomial"
    | "exponential"
    | "one-cycle"
    | "cosine-restarts";
  warmup?: number;
  seed?: number;
  fit?: FitName;
  filter?: Filter;
  normalization?: "unit" | "symmetric" | "standard" | "mean" | "mean-image";
  labelSmoothing?: number;
  mixup?: number;
  cutmix?: number;
  classWeights?: "none" | "balanced" | Record<string, number>;
  sampler?: "shuffle" | "balanced";
  earlyStopping?: number;
  augment?: readonly (
    | "flip"
    | "shift"
    | "lighting"
    | "jitter"
    | "erase"
    | "verticalFlip"
    | "rotate"
    | "affine"
    | "reflectCrop"
  )[];
  onDivergence?: "stop" | "rollback";
  rollbackFactor?: number;
  maxRollbacks?: number;
  from?: string;
  freeze?: readonly string[];
  oldLayersRate?: number;
  keptViews?: number;
}

interface EvaluationData {
  dataset?: string;
  dataDir?: string;
  labels?: string;
  imageColumn?: string;
  labelColumn?: string;
  splitColumn?: string;
  maxBad?: number;
  onPacking?: Progress;
  onMessage?: Say;
  signal?: AbortSignal;
}

interface Describe {
  head?: Head;
  network?: string | Network;
  inputSize?: number;
  like?: string;
  classes?: string;
  fit?: FitName;
  filter?: Filter;
  mean?: readonly number[];
  deviation?: readonly number[];
}

/** A plan's settings: those of a run that are plain JSON. */
type PlanSettings = Omit<
  RunSettings,
  "network" | "recipe" | "augment" | "from" | "freeze" | "oldLayersRate" | "keptViews"
> & { network?: string; recipe?: string; augment?: ("flip" | "shift" | "lighting" | "jitter" | "erase")[] };

/** One entry per exported type of options. */
export type Options = [
  Accepts<
    TrainOptions,
    RunSettings & {
      run?: string;
      resume?: boolean;
      maxMinutes?: number;
      signal?: AbortSignal;
      observer?: TrainObserver;
      command?: string;
    }
  >,
  Accepts<
    TrainFoldsOptions,
    RunSettings & {
      folds?: number;
      run?: string;
      resume?: boolean;
      maxMinutes?: number;
      signal?: AbortSignal;
      observer?: TrainObserver;
      command?: string;
      onFold?: (fold: number, of: number) => void;
    }
  >,
  Accepts<
    RateFinderOptions,
    RunSettings & {
      minRate?: number;
      maxRate?: number;
      iterations?: number;
      signal?: AbortSignal;
      observer?: { onDownload: Progress; onPacking: Progress; onFeatures: Progress; onMessage: Say };
      onIteration?: (iteration: number, of: number, point: { learningRate: number; loss: number }) => void;
    }
  >,
  Accepts<
    OpenOptions,
    Open & {
      batchSize?: number;
      precision?: "auto" | "f32" | "bf16" | "int8";
      calibration?: { dataset?: string; dataDir?: string; images?: number; onProgress?: Progress };
    }
  >,
  Accepts<PredictOptions, { samples?: number; seed?: number; threshold?: number }>,
  Accepts<HeadName, Head>,
  Accepts<RawImage, { width: number; height: number; channels?: number; data: Uint8Array | Uint8ClampedArray }>,
  Accepts<
    EvaluateRunOptions,
    EvaluationData & {
      split?: "test" | "validation" | "train";
      limit?: number;
      divided?: boolean;
      skipUnknownClasses?: boolean;
      seed?: number;
      threshold?: number;
      tenCrop?: boolean;
      flip?: boolean;
      samples?: number;
      onProgress?: Progress;
      onPrediction?: (prediction: { index: number; className: string; predicted: string; loss: number }) => void;
    }
  >,
  Accepts<
    PredictFilesOptions,
    Open & {
      batchSize?: number;
      samples?: number;
      seed?: number;
      threshold?: number;
      decodingThreads?: number;
      onProgress?: Progress;
      signal?: AbortSignal;
    }
  >,
  Accepts<ActivationOptions, Open & { maps?: number }>,
  Accepts<SaliencyOptions, Open & { className?: string; window?: number; stride?: number; onProgress?: Progress }>,
  Accepts<
    SimilarOptions,
    Open & { top?: number; layer?: string; onProgress?: Progress; onBad?: Say; signal?: AbortSignal }
  >,
  Accepts<
    MapOptions,
    Open & {
      folder?: string;
      dataDir?: string;
      limit?: number;
      layer?: string;
      method?: "tsne" | "pca";
      perplexity?: number;
      withPictures?: boolean;
      onPacking?: Progress;
      onProgress?: Progress;
      onComponentStep?: Progress;
      onIteration?: Progress;
      signal?: AbortSignal;
    }
  >,
  Accepts<DescribeOptions, Describe>,
  Accepts<ImportOptions, Describe & { format?: string; weights?: "raw" | "ema"; signal?: AbortSignal }>,
  Accepts<OnnxReadOptions, { inputSize?: number }>,
  Accepts<PyTorchReadOptions, { weights?: "raw" | "ema" }>,
  Accepts<
    ExportOptions,
    {
      format?: string;
      names?: string;
      flags?: ReadonlySet<string>;
      int8?: { calibrationImages?: number };
      signal?: AbortSignal;
    }
  >,
  Accepts<
    QuantizeOptions,
    EvaluationData &
      Open & {
        calibrationImages?: number;
        testLimit?: number;
        onProgress?: (what: "calibrate" | "test", images: number, of: number) => void;
      }
  >,
  Accepts<VerifyOptions, Open & { format?: string; images?: number; seed?: number }>,
  Accepts<
    SweepOptions,
    {
      plan: SweepPlan;
      directory: string;
      maxMinutes?: number;
      signal?: AbortSignal;
      observer?: TrainObserver;
      onTrial?: (trial: { number: number; values: object; settings: object }, of: number) => void;
      onResult?: (result: { number: number; status: string }, of: number) => void;
    }
  >,
  Accepts<
    ReproduceOptions,
    {
      output: string;
      seeds?: number;
      quick?: boolean;
      settings?: { dataset?: string; trainLimit?: number; epochs?: number };
      search?: number[];
      arms?: string[];
      maxMinutes?: number;
      signal?: AbortSignal;
      observer?: TrainObserver;
      onTrial?: (trial: { number: number; name: string; seed: number }, of: number) => void;
      onResult?: (result: { number: number; status: string }, of: number) => void;
      command?: string;
    }
  >,
  Accepts<
    SweepPlan,
    {
      base: PlanSettings;
      trials?: Record<string, number | string>[];
      grid?: Record<string, (number | string)[]>;
      random?: {
        trials: number;
        seed: number;
        space: Record<
          string,
          (number | string)[] | { min: number; max: number; scale: "linear" | "log"; integer: boolean }
        >;
      };
    }
  >,
  Accepts<
    TrainObserver,
    {
      onStart?: (run: { directory: string; config: object; epoch: number; iteration: number }) => void;
      onMessage?: Say;
      onDownload?: Progress;
      onPacking?: Progress;
      onFeatures?: Progress;
      onProgress?: (progress: {
        epoch: number;
        epochs: number;
        images: number;
        totalImages: number;
        loss: number;
        accuracy: number;
        examplesPerSecond: number;
      }) => void;
      onEvaluationProgress?: Progress;
      onLog?: (entry: { epoch: number; iteration: number; trainLoss: number; trainAccuracy: number }) => void;
      onRollback?: (entry: {
        epoch: number;
        iteration: number;
        rollback: number;
        reason: string;
        learningRateFactor: number;
      }) => void;
      onEpoch?: (entry: { testLoss?: number; testAccuracy?: number; learningRate: number; seconds: number }) => void;
    }
  >,
  Accepts<
    CaffeOptions,
    { input?: readonly [number, number, number]; inputSize?: number; colours?: "bgr" | "rgb"; mean?: readonly number[] }
  >,
  Accepts<
    OnnxOptions,
    {
      lrn?: "native" | "decomposed";
      batchSize?: number;
      output?: "logits" | "probabilities";
      head?: Head;
      pixels?: "nhwc" | "nchw";
      quantization?: Quantization;
      preprocessing?: Preprocessing;
      classNames?: readonly string[];
    }
  >,
];
