/** Messages between the view "Train" and its worker. */
import type { LogEntry } from "../../checkpoint/runLog.ts";
import type { Image } from "../../image/image.ts";
import type { RawImage } from "../../image/rawImage.ts";
import type { Recipe } from "../../training/recipe.ts";
import type { Computation, EngineUse } from "./engines.ts";

/** Images of the user, by class. */
export interface LabelledImages {
  readonly className: string;
  readonly images: readonly RawImage[];
}

/** Classes of the images that are loaded. */
export interface DataCounts {
  readonly source: DataSource;
  readonly classes: readonly { readonly className: string; readonly images: number }[];
}

/** Origin of the images: the sample of this page, or the user. */
export type DataSource = "sample" | "own";

/** Settings of a run: a network by its name or as a weights file, and values that replace the recipe's. */
export interface PageSettings {
  readonly network: string | { readonly name: string; readonly bytes: Uint8Array };
  /** Replace those of the recipe, by which they are checked. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly computation: Computation;
}

/** A run as the page describes it. */
export interface RunFacts {
  readonly network: string;
  readonly source: DataSource;
  readonly classNames: readonly string[];
  readonly trainImages: number;
  readonly testImages: number;
  readonly parameters: number;
  readonly recipe: Recipe;
  readonly engine: EngineUse;
  readonly progress: RunProgress;
  readonly log: readonly LogEntry[];
  readonly test: TestResult | undefined;
}

/** Progress of a run. Loss and accuracy are those of the last iteration. */
export interface RunProgress {
  readonly iteration: number;
  /** Epochs so far, with a fraction. */
  readonly epoch: number;
  readonly seconds: number;
}

/** Loss and accuracy of one training iteration. */
export interface IterationPoint extends RunProgress {
  readonly loss: number;
  readonly accuracy: number;
  readonly examplesPerSecond: number;
}

/** An image of the test set with its prediction, as indices of classes. */
export interface TestedImage {
  readonly index: number;
  readonly label: number;
  readonly predicted: number;
  readonly probability: number;
}

/** Result of an evaluation on the test set. */
export interface TestResult {
  readonly iteration: number;
  readonly accuracy: number;
  readonly loss: number;
  /** Images of each class (row) by the predicted class (column). */
  readonly confusion: readonly (readonly number[])[];
  readonly images: readonly TestedImage[];
}

/** Events of a run. */
export type TrainerEvent =
  | { readonly kind: "iteration"; readonly point: IterationPoint }
  | { readonly kind: "testing"; readonly images: number; readonly of: number }
  | { readonly kind: "test"; readonly test: TestResult }
  | { readonly kind: "filters"; readonly filters: readonly Image[] }
  | { readonly kind: "saved"; readonly problem: string | undefined }
  | { readonly kind: "message"; readonly text: string }
  | { readonly kind: "stopped"; readonly end: RunEnd; readonly problem?: string };

/** End of a call of `run`. After `adapterFailed`, the saved run can be opened on any engine. */
export type RunEnd = "paused" | "finished" | "failed" | "adapterFailed";

/** Formats of a downloaded network. */
export type DownloadFormat = "safetensors" | "onnx";

/** Functions of the worker. */
export interface TrainerApi {
  /** Uses the sample, from the bytes of its file. */
  useSample(bytes: Uint8Array): Promise<DataCounts>;
  /** Adds images of a class to the user's; without images, a class to fill later. Uses the user's images. */
  addImages(added: LabelledImages): Promise<DataCounts>;
  removeClass(className: string): Promise<DataCounts>;
  /** Creates a run with the loaded images, and closes the open one. Its first save replaces the saved run. */
  create(settings: PageSettings): Promise<RunFacts>;
  /** Description of the saved run; undefined if there is none. */
  saved(): Promise<
    { readonly network: string; readonly source: DataSource; readonly progress: RunProgress } | undefined
  >;
  /** Opens the saved run; `sample` has the bytes of the sample file if its images are those. */
  restore(asked: { readonly sample: Uint8Array | undefined; readonly computation: Computation }): Promise<RunFacts>;
  /** Deletes the saved run. */
  forget(unused?: undefined): Promise<void>;
  /** Continues training; with `isStep`, for one iteration. Returns at once. */
  run(isStep: boolean): Promise<void>;
  /** Ends training after the current iteration, and saves. */
  pause(unused?: undefined): Promise<void>;
  /** Saves a run in training after the current iteration. Returns at once. */
  save(unused?: undefined): Promise<void>;
  /** Images of the test set by index. */
  testImages(indices: readonly number[]): Promise<readonly Image[]>;
  /** First images of a class among the loaded ones. */
  thumbnails(of: { readonly className: string; readonly count: number }): Promise<readonly Image[]>;
  download(format: DownloadFormat): Promise<Uint8Array>;
}
