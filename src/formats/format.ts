/** Members of a file format of trained networks. */
import type { Model } from "../checkpoint/metadata.ts";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { HeadName } from "../network/head.ts";
import type { Network } from "../network/network.ts";
import type { Quantization } from "./quantization.ts";

/** A file of another program, open. What it does not say is undefined. */
export interface ModelFile {
  readonly path: string;
  /** By the file's own names. Values are f32, rounded where the file has wider ones; they are read when they are asked for. */
  readonly weights: TensorSource;
  readonly network?: Network | undefined;
  readonly head?: HeadName | undefined;
  readonly classNames?: readonly string[] | undefined;
  readonly preprocessing?: Preprocessing | undefined;
  close(): Promise<void>;
}

/** A switch of `alexnet export` that a format has: `--<name>`. */
export interface FormatFlag {
  readonly name: string;
  readonly description: string;
}

/** What a file is to be, besides its format. */
export interface WrittenForm {
  /** Those of the format's that were given. */
  readonly flags: ReadonlySet<string>;
  /** In 8 bits, by a format that has them. */
  readonly quantization?: Quantization | undefined;
}

/** A file format of trained networks: one entry in `formats.ts`, and `export`, `import` and `verify` have it. */
export interface ModelFormat {
  /** What `--format` takes. */
  readonly name: string;
  /** One line, for help. */
  readonly description: string;
  /** How its files' names end, in lower case and with the dot. */
  readonly endings: readonly string[];
  /** The only way that it names tensors, of `tensorNamings`. Default: any. */
  readonly names?: string;
  /** What `write` takes besides. */
  readonly flags?: readonly FormatFlag[];
  /** Bytes of what `write` writes without quantization; only of formats that take one. */
  f32Bytes?(model: Model, flags: ReadonlySet<string>): Promise<number>;
  /**
   * Writes and syncs a file at `path`, which is that of a temporary file. `weights` are by the names that the file is to have. Formats that other
   * programs alone can write have none.
   */
  write?(path: string, model: Model, weights: TensorSource, form: WrittenForm): Promise<void>;
  /** Opens a file. Throws DataError, CheckpointError or UnsupportedError naming the file and what cannot be read. */
  read?(path: string): Promise<ModelFile>;
}
