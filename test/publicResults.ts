/**
 * Data that the public functions return and take as it is in use: fields and their types. Types only. It does not compile if a field is renamed or
 * removed, or has values that it had not. Longer than other files: it is a table with an entry for every type.
 */
import type {
  ActivationSheet,
  Classifier,
  ClassScore,
  DivergenceError,
  EnsembleEvaluation,
  EnsembleRun,
  Evaluation,
  ExperimentResult,
  Exported,
  FilePrediction,
  FilterSheet,
  FoldStatistics,
  FoldsResult,
  Image,
  ImageInput,
  Imported,
  ImportedModel,
  LayerActivity,
  LayerOutputs,
  LayerSummary,
  MapMethod,
  MapPoint,
  Neighbour,
  Network,
  NetworkSummary,
  OnnxFile,
  PaperFigure,
  PictureMap,
  Prediction,
  Quantization,
  QuantizationReport,
  RateFinding,
  ReadParameter,
  Recipe,
  Reproduction,
  Saliency,
  SimilarPictures,
  SweepResult,
  Theme,
  TrainProgress,
  TrainResult,
  TrialResult,
  Verification,
  WrittenFeatures,
} from "../src/index.ts";

/** Data of now, which must be what was in use. */
export type Returns<Now extends Then, Then> = [Now, Then];

type Fit =
  | { kind: "resize" | "pad" | "native" }
  | { kind: "crop"; shorterSide: number }
  | {
      kind: "random-resized-crop";
      shorterSide: number;
      scale: readonly [number, number];
      ratio: readonly [number, number];
    };

/** How an image becomes a network's input. */
export interface Preprocessing {
  size: readonly [number, number];
  channels: 1 | 3;
  fit: Fit;
  resize: "bilinear" | "bicubic";
  mean: readonly number[];
  deviation: readonly number[];
  meanImage?: string | undefined;
}

type Head = "softmax" | "sigmoid" | "none";

interface Model {
  network: Network;
  head?: Head | undefined;
  classNames: readonly string[];
  preprocessing: Preprocessing;
  metrics: Readonly<Record<string, number>>;
  precision: "f32" | "bf16";
  exact: boolean;
}

interface LogEntry {
  epoch: number;
  iteration: number;
  trainLoss: number;
  trainAccuracy: number;
  testLoss?: number;
  testAccuracy?: number;
  learningRate: number;
  examplesPerSecond: number;
  seconds: number;
}

interface TopK {
  k: number;
  accuracy: number;
}

interface Accuracy {
  top1Accuracy: number;
  topK: TopK;
}

type Interval = readonly [low: number, high: number];

interface Figures extends Accuracy {
  loss: number;
  images: number;
  perClass: readonly {
    className: string;
    images: number;
    correct: number;
    precision: number | null;
    recall: number | null;
    precisionInterval: Interval | null;
    recallInterval: Interval | null;
    f1: number | null;
    averagePrecision?: number | null;
    rocAuc?: number | null;
  }[];
  accuracyInterval: Interval;
  averages?: { balancedAccuracy: number | null; macroF1: number; microF1: number; weightedF1: number };
  ranking?: {
    meanAveragePrecision: number | null;
    meanRocAuc: number | null;
    curves: readonly (readonly (readonly [number, number])[])[];
    rocCurves: readonly (readonly (readonly [number, number])[])[];
  };
  confusion: readonly (readonly number[])[];
  calibration: {
    error: number;
    confidence: number;
    bins: readonly { from: number; to: number; images: number; confidence: number | null; accuracy: number | null }[];
  };
  worstMistakes: readonly Prediction[];
  bestPredictions: readonly Prediction[];
}

type PoolWindow = {
  name: string;
  kernelSize: number;
  stride: number;
  padding: number;
  endPadding?: number | undefined;
};

type Layer =
  | {
      kind: "conv2d";
      name: string;
      outChannels: number;
      kernelSize: number;
      stride: number;
      padding: number;
      groups: number;
    }
  | { kind: "localConv2d"; name: string; outChannels: number; kernelSize: number; stride: number; padding: number }
  | { kind: "relu" | "tanh" | "sigmoid" | "flatten"; name: string }
  | {
      kind: "localResponseNorm";
      name: string;
      size: number;
      alpha: number;
      beta: number;
      k: number;
      region?: "withinChannel" | undefined;
    }
  | { kind: "batchNorm2d"; name: string; eps: number; momentum: number; affine: boolean }
  | ({ kind: "maxPool2d" } & PoolWindow)
  | ({ kind: "averagePool2d"; countIncludePad: boolean } & PoolWindow)
  | { kind: "adaptiveAveragePool2d"; name: string; outputSize: number }
  | { kind: "linear"; name: string; outFeatures: number }
  | { kind: "dropout"; name: string; probability: number; activeAtEvaluation: boolean };

type Shape = readonly number[];

type Optimizer =
  | { kind: "sgd"; form: "paper" | "pytorch" | "nesterov"; momentum: number; weightDecay: number }
  | { kind: "adam" | "adamw"; beta1: number; beta2: number; epsilon: number; weightDecay: number }
  | { kind: "lars"; momentum: number; weightDecay: number; trustCoefficient: number };

type Schedule =
  | { kind: "constant" }
  | { kind: "step"; everyEpochs?: number; everyFraction?: number; factor: number }
  | { kind: "plateau"; factor: number; patience: number; reductions: number }
  | { kind: "cosine"; floor: number }
  | { kind: "linear"; floor: number }
  | { kind: "polynomial"; power: number; floor: number }
  | { kind: "exponential"; final: number }
  | { kind: "one-cycle"; rise: number; start: number; end: number }
  | { kind: "cosine-restarts"; cycles: number; growth: number; floor: number };

/** One entry per exported type of data. */
export type Results = [
  Returns<
    TrainResult,
    {
      run: string;
      end: "finished" | "interrupt" | "time" | "already finished";
      last: LogEntry | undefined;
      evaluation: Evaluation | undefined;
      device: string;
    }
  >,
  Returns<FoldStatistics, { mean: number; deviation: number }>,
  Returns<
    FoldsResult,
    {
      run: string;
      end: "finished" | "interrupt" | "time" | "already finished";
      folds: readonly TrainResult[];
      figures?: Record<string, { mean: number; deviation: number }>;
      table?: string;
    }
  >,
  Returns<
    TrainProgress,
    {
      epoch: number;
      epochs: number;
      images: number;
      totalImages: number;
      loss: number;
      accuracy: number;
      examplesPerSecond: number;
    }
  >,
  Returns<
    ImageInput,
    | (string | URL | Uint8Array | ArrayBuffer | Blob)
    | { width: number; height: number; channels?: number | undefined; data: Uint8Array | Uint8ClampedArray }
  >,
  Returns<
    Classifier,
    {
      file: string;
      model: Model;
      head: Head;
      isMultiLabel: boolean;
      engine: string;
      precision: "f32" | "bf16" | "int8";
      isRandom: boolean;
      predict(
        image: string | Image,
        options?: { samples?: number; seed?: number },
      ): Promise<readonly { className: string; probability: number }[]>;
      evaluate(options?: { dataset?: string; limit?: number; seed?: number }): Promise<Evaluation | undefined>;
      close(): void;
    }
  >,
  Returns<ClassScore, { className: string; probability: number; isPresent?: boolean }>,
  Returns<Evaluation, Figures>,
  Returns<
    Prediction,
    {
      index: number;
      file?: string;
      className: string;
      predicted: string;
      probability: number;
      classProbability: number;
      loss: number;
    }
  >,
  Returns<EnsembleEvaluation, Figures & { runs: readonly EnsembleRun[] }>,
  Returns<EnsembleRun, { file: string; network: string; top1Accuracy: number; isRandom: boolean }>,
  Returns<
    Exported,
    {
      source: string;
      output: string;
      format: string;
      network: string;
      tensors: number;
      bytes: number;
      classNames: readonly string[];
      preprocessing: Preprocessing;
      head: Head;
      int8?: QuantizationReport & { f32Bytes: number };
    }
  >,
  Returns<
    QuantizationReport,
    {
      calibration: { dataset: string; images: number };
      test: { images: number; f32: Accuracy; int8: Accuracy; sameClass: number };
    }
  >,
  Returns<
    Quantization,
    {
      activations: ReadonlyMap<string, { scale: number; zeroPoint: number }>;
      parameters: ReadonlyMap<string, { type: "INT8" | "INT32"; scales: Float32Array }>;
      calibration: { dataset: string; images: number };
    }
  >,
  Returns<Imported, { file: string; format: string; weights: string; model: Model; assumptions: readonly string[] }>,
  Returns<
    ImportedModel,
    {
      network: Network;
      tensors: ReadonlyMap<string, Float32Array>;
      metadata: {
        endsInSoftmax: boolean;
        head?: Head;
        classNames?: readonly string[];
        preprocessing?: Preprocessing;
        producer: string;
      };
    }
  >,
  Returns<
    Verification,
    {
      run: string;
      file: string;
      format: string;
      images: number;
      largestDifference: number;
      largestOutput: number;
      relativeDifference: number;
      sameClass: number;
    }
  >,
  Returns<
    FilePrediction,
    { file: string; classes: readonly { className: string; probability: number }[] } | { file: string; error: string }
  >,
  Returns<WrittenFeatures, { shape: Shape; written: number; failed: number }>,
  Returns<FilterSheet, { svg: string; file: string; layer: string; kernels: number; shape: Shape }>,
  Returns<ActivationSheet, { svg: string; layers: readonly LayerActivity[] }>,
  Returns<
    LayerActivity,
    {
      layer: string;
      kind: string;
      shape: Shape;
      least: number;
      greatest: number;
      mean: number;
      positive: number;
    }
  >,
  Returns<
    LayerOutputs,
    {
      file: string;
      model: Model;
      engine: string;
      threads: number;
      layers: readonly {
        layer: Layer;
        inputShape: Shape;
        outputShape: Shape;
        parameters: readonly { name: string; shape: Shape; fanIn: number; fanOut: number }[];
      }[];
      input: Float32Array;
      forward(
        images: Float32Array,
        count: number,
        draws?: { seed: number; first: number },
      ): Promise<readonly Float32Array[]>;
      close(): void;
    }
  >,
  Returns<
    Saliency,
    {
      className: string;
      probability: number;
      window: number;
      stride: number;
      most: { left: number; top: number; drop: number };
      drops: readonly (readonly number[])[];
    }
  >,
  Returns<
    SimilarPictures,
    {
      layer: string;
      features: number;
      pictures: number;
      bad: number;
      queries: readonly { query: string; nearest: readonly Neighbour[] }[];
    }
  >,
  Returns<Neighbour, { file: string; distance: number }>,
  Returns<
    PictureMap,
    {
      layer: string;
      features: number;
      method: MapMethod;
      perplexity?: number;
      divergence?: number;
      explainedVariance: readonly number[];
      points: readonly MapPoint[];
    }
  >,
  Returns<MapPoint, { index: number; file?: string; className?: string; predicted: string; x: number; y: number }>,
  Returns<MapMethod, "tsne" | "pca">,
  Returns<Theme, "light" | "dark">,
  Returns<
    RateFinding,
    {
      network: string;
      dataset: string;
      recipe: string;
      learningRate: number;
      range: { from: number; to: number; iterations: number };
      end: "finished" | "exploded" | "diverged" | "interrupt";
      suggestions: { steepest: number; minimumTenth: number } | undefined;
      points: readonly { learningRate: number; loss: number; smoothed: number }[];
    }
  >,
  Returns<
    Reproduction,
    { output: string; end: "finished" | "interrupt" | "time"; result?: ExperimentResult; page?: string }
  >,
  Returns<
    ExperimentResult,
    {
      name: string;
      title: string;
      source: string;
      claim: string;
      conclusion: string;
      command: string;
      quick: boolean;
      seeds: number;
      findings: readonly {
        readonly name: string;
        readonly published: string;
        readonly measured: string;
        readonly values: readonly (number | null)[];
        readonly verdict: "holds" | "fails" | "undecided" | "not measured";
        readonly sentence: string;
      }[];
      arms: readonly {
        readonly name: string;
        readonly settings: Readonly<Record<string, unknown>>;
        readonly measures: Readonly<
          Record<string, { mean: number | null; deviation: number; values: readonly (number | null)[] }>
        >;
        readonly runs: readonly { seed: number; status: string; directories: readonly string[] }[];
      }[];
      figures: readonly { readonly name: string; readonly title: string; readonly series: readonly object[] }[];
      settings: Readonly<Record<string, unknown>>;
      overrides: Readonly<Record<string, unknown>>;
      machine: { cpu: string; engine: string; threads: number; precision: string; alexnet: string; node: string };
      dataset: string;
    }
  >,
  Returns<
    SweepResult,
    {
      directory: string;
      end: "finished" | "interrupt" | "time";
      trials: number;
      results: readonly TrialResult[];
      figure: string | undefined;
    }
  >,
  Returns<
    TrialResult,
    {
      number: number;
      run: string;
      values: Readonly<Record<string, unknown>>;
      status: "finished" | "diverged" | "failed";
      error?: string | undefined;
      bestAccuracy?: number | undefined;
      lastAccuracy?: number | undefined;
      trainLoss?: number | undefined;
      epochs?: number | undefined;
    }
  >,
  Returns<DivergenceError, { message: string; exitCode: number; reason: string }>,
  Returns<Image, { width: number; height: number; channels: 1 | 3; data: Uint8Array }>,
  Returns<
    Network,
    {
      name: string;
      source: string;
      deviations: readonly string[];
      input: readonly [channels: number, height: number, width: number];
      layers: readonly Layer[];
    }
  >,
  Returns<PaperFigure, { what: string; where: string; published: string; here: string; note: string }>,
  Returns<
    LayerSummary,
    {
      name: string;
      kind: Layer["kind"];
      label: string;
      kernel: string;
      stride?: number;
      padding?: number;
      groups?: number;
      sizeFormulas: readonly string[];
      inputShape: Shape;
      outputShape: Shape;
      parameters: number;
      parameterFormula: string;
      neurons: number;
      macs: number;
      flops: number;
      parameterShare: number;
      macShare: number;
      activationBytes: number;
      gradientBytes: number;
      receptiveField: { size: readonly [number, number]; stride: readonly [number, number] | null };
    }
  >,
  Returns<
    NetworkSummary,
    {
      network: string;
      source: string;
      deviations: readonly string[];
      input: readonly [channels: number, height: number, width: number];
      batchSize: number;
      layers: readonly LayerSummary[];
      totals: { parameters: number; neurons: number; macs: number; flops: number };
      trainingMemory: {
        parameters: number;
        gradients: number;
        velocities: number;
        activations: number;
        total: number;
      };
      againstPaper: readonly PaperFigure[];
    }
  >,
  Returns<OnnxFile, { byteLength: number; chunks: AsyncIterable<Uint8Array> }>,
  Returns<ReadParameter, (name: string) => Float32Array | Promise<Float32Array>>,
  Returns<
    Recipe,
    {
      name: string;
      source: string;
      deviations: string[];
      network?: string | undefined;
      epochs: number;
      batchSize: number;
      learningRate: number;
      baseBatchSize?: number | undefined;
      optimizer: Optimizer;
      schedule: Schedule;
      warmup: number;
      clipNorm?: number | undefined;
      accumulate: number;
      average?: number | undefined;
      multipliers: Record<string, { learningRate: number; weightDecay: number }>;
      initializer: {
        weight: { kind: "gaussian"; deviation: number } | { kind: "xavierUniform" | "heNormal" | "pytorch" };
        bias: "zero" | "pytorch";
        ones: string[];
      };
      fit: Fit["kind"];
      filter: Preprocessing["resize"];
      augmentation: {
        flip?: number | undefined;
        shift?: number | undefined;
        lighting?: number | undefined;
        jitter?: { brightness: number; contrast: number; saturation: number; hue: number } | undefined;
        erase?: number | undefined;
      };
      normalization: "unit" | "symmetric" | "standard" | "mean" | "mean-image";
      labelSmoothing: number;
      mixup: number;
      classWeights: "none" | "balanced" | Record<string, number>;
      sampler: "shuffle" | "balanced";
      earlyStopping?: { patience: number; minDelta: number } | undefined;
      monitor?: "accuracy" | "loss" | undefined;
      seed: number;
    }
  >,
];
