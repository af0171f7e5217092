/** Preparation of one image of a batch, the same on every thread. */
import type { Augmentation } from "../../image/augment/augmentation.ts";
import type { PrincipalColours } from "../../image/augment/lighting.ts";
import { createRandomChanges } from "../../image/augment/randomChanges.ts";
import type { Image } from "../../image/image.ts";
import { createPreprocessor, type Preprocessing } from "../../image/prepare/preprocess.ts";
import type { View } from "../../image/prepare/views.ts";
import type { Split } from "../dataset.ts";
import type { Board } from "./board.ts";

/** Preparation of images, as data that threads can be given. */
export interface RowOptions {
  readonly preprocessing: Preprocessing;
  /** Random augmentation in training. Default: none. */
  readonly random?:
    | { readonly augmentation: Augmentation; readonly seed: number; readonly colours: PrincipalColours | undefined }
    | undefined;
}

/** A batch to be prepared. */
export interface PreparationJob {
  readonly split: Split;
  /** Positions in the split. */
  readonly indices: Uint32Array;
  readonly count: number;
  /** Training epoch; undefined where nothing is random. */
  readonly epoch: number | undefined;
  readonly view: View;
  /** For each image, the number of this use of it in the epoch: each use has random changes of its own. */
  readonly uses: Uint32Array;
  /** Target of the prepared images, one after the other. In shared memory other threads can help. */
  readonly images: Float32Array;
}

/** Prepares one image into `target` from `offset` on; `use` is the number of this use of an image in the epoch. */
export type RowPreparer = (
  image: Image,
  use: number,
  epoch: number | undefined,
  view: View,
  target: Float32Array,
  offset: number,
) => void;

/** The preprocessors that each thread owns. */
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

/** Prepares images of a board until there are none left to take; an image that cannot be prepared is left to who offered it. */
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
      // It is prepared once more where its error can be told.
    }
    board.finish(row, isPrepared);
  }
}
