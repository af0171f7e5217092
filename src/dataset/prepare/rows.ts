/** Preparation of one image of a batch, identical on every thread. */
import type { Augmentation } from "../../image/augment/augmentation.ts";
import type { PrincipalColours } from "../../image/augment/lighting.ts";
import { createRandomChanges } from "../../image/augment/randomChanges.ts";
import type { Image } from "../../image/image.ts";
import { createPreprocessor, type Preprocessing } from "../../image/prepare/preprocess.ts";
import type { View } from "../../image/prepare/views.ts";
import type { Split } from "../dataset.ts";
import type { Board } from "./board.ts";

/** Preprocessing options, as data that can be sent to threads. */
export interface RowOptions {
  readonly preprocessing: Preprocessing;
  /** Random augmentation in training. Default: none. */
  readonly random?:
    | { readonly augmentation: Augmentation; readonly seed: number; readonly colours: PrincipalColours | undefined }
    | undefined;
}

/** A batch to prepare. */
export interface PreparationJob {
  readonly split: Split;
  /** Indices in the split. */
  readonly indices: Uint32Array;
  readonly count: number;
  /** Training epoch; undefined without random augmentation. */
  readonly epoch: number | undefined;
  readonly view: View;
  /** Use number of each image in the epoch: each use has random values of its own. */
  readonly uses: Uint32Array;
  /** Target of the prepared images, consecutive. Helper threads require shared memory. */
  readonly images: Float32Array;
}

/** Prepares one image into `target`, from `offset`; `use` is the image's use number in the epoch. */
export type RowPreparer = (
  image: Image,
  use: number,
  epoch: number | undefined,
  view: View,
  target: Float32Array,
  offset: number,
) => void;

/** Creates the preprocessors of a thread. */
export function createRowPreparer({ preprocessing, random }: RowOptions): RowPreparer {
  const changes = random && createRandomChanges(random.augmentation, random.seed, random.colours);
  const asInEvaluation = createPreprocessor(preprocessing);
  const asInTraining = changes ? createPreprocessor(preprocessing, changes) : asInEvaluation;
  return (image, use, epoch, view, target, offset) => {
    if (epoch !== undefined) changes?.begin(epoch, use);
    const prepare = epoch === undefined ? asInEvaluation : asInTraining;
    prepare(image, target, offset, view);
  };
}

/** Prepares images of a board until none are left. A failed image is left to the offering thread. */
export function prepareFromBoard(
  board: Board,
  prepare: RowPreparer,
  imageSize: number,
  memoryOf: (number: number) => SharedArrayBuffer,
): void {
  for (let row = board.take(); row !== undefined; row = board.take()) {
    let isPrepared = false;
    try {
      const { use, image, memory, offset, bytes } = board.read(row);
      const { epoch, view, target, targetOffset } = board.current();
      const data = new Uint8Array(memoryOf(memory), offset, bytes);
      const place = new Float32Array(memoryOf(target), targetOffset + 4 * row * imageSize, imageSize);
      prepare({ ...image, data }, use, epoch, view, place, 0);
      isPrepared = true;
    } catch {
      // The offering thread prepares it again and throws the error.
    }
    board.finish(row, isPrepared);
  }
}
