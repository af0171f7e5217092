/** Interface of a file format of trained networks. */
import type { Model } from "../checkpoint/metadata.ts";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { HeadName } from "../network/head.ts";
import type { Network } from "../network/network.ts";
import type { Quantization } from "./quantization.ts";

/** An open file of another program. Facts that it does not state are undefined. */
export interface ModelFile {
  readonly path: string;
  /** Tensors by the file's own names, read on demand as f32; wider types are rounded. */
  readonly weights: TensorSource;
  readonly network?: Network | undefined;
  readonly head?: HeadName | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** Divisor of the outputs before the head. */
  readonly temperature?: number | undefined;
  /** Minimum probability of each class, see `Model`. */
  readonly thresholds?: readonly number[] | undefined;
  readonly preprocessing?: Preprocessing | undefined;
  readonly assumptions?: Assumptions | undefined;
  /** Notes on the choice among several sets of weights, one line each. */
  readonly notes?: readonly string[] | undefined;
  close(): Promise<void>;
}

/** Assumptions in place of facts that a file does not state, one line each, by the option of an import that states the fact. */
export type Assumptions = Readonly<Partial<Record<"inputSize" | "mean", string>>>;

/** Facts of an import that help to read a file; each applies only where the file does not state it. */
export interface ReadFacts {
  /** Height and width of an image, in pixels. */
  readonly inputSize?: number | undefined;
  /** Weights of a checkpoint: those of training, or their moving average. Default: the one under the usual name. */
  readonly weights?: WeightsChoice | undefined;
}

/** Values of `--weights`. */
export const weightsChoices = ["raw", "ema"] as const;
/** Weights of training (`raw`), or their moving average (`ema`). */
export type WeightsChoice = (typeof weightsChoices)[number];

/** A flag `--<name>` that the format adds to `alexnet export`. */
export interface FormatFlag {
  readonly name: string;
  readonly description: string;
}

/** Rows of a table in a model card. */
export type CardRows = readonly (readonly [name: string, value: string])[];

/** Options of writing a file. */
export interface WrittenForm {
  /** Flags of the format that were given. */
  readonly flags: ReadonlySet<string>;
  /** Writes 8-bit values; only for formats that support them. */
  readonly quantization?: Quantization | undefined;
  /** Data and settings of the training, for formats with a model card; undefined if they are not known. */
  readonly training?: CardRows | undefined;
}

/** A file format of trained networks. An entry in `formats.ts` makes it available to `export`, `import` and `verify`. */
export interface ModelFormat {
  /** Value of `--format`. */
  readonly name: string;
  /** One line, for help. */
  readonly description: string;
  /** File extensions, in lower case with the dot; none for a format that is chosen by name. */
  readonly endings: readonly string[];
  /** True if `write` fills a folder, which exists and is empty. */
  readonly isFolder?: true;
  /** Required tensor naming (one of `tensorNamings`). Default: any. */
  readonly names?: string;
  /** True if a file may contain the weights of training and their moving average. */
  readonly choosesWeights?: true;
  /** Additional flags of `write`. */
  readonly flags?: readonly FormatFlag[];
  /** File size without quantization; only in formats that support quantization. */
  f32Bytes?(model: Model, flags: ReadonlySet<string>): Promise<number>;
  /**
   * Writes and syncs a file at `path`, a temporary path. `weights` uses the file's tensor names. Absent in formats that cannot be written.
   */
  write?(path: string, model: Model, weights: TensorSource, form: WrittenForm): Promise<void>;
  /** Opens a file. Throws DataError, CheckpointError or UnsupportedError with the file's name and the cause. */
  read?(path: string, facts?: ReadFacts): Promise<ModelFile>;
}
