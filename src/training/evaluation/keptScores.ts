/** Scores of all images by class, kept for figures that depend on their order. */
import type { LabelSet } from "../../dataset/labelSets.ts";
import type { Scores } from "./classHead.ts";
import type { LabelScores } from "./labelRanking.ts";

/** Images kept in one block of memory. */
const BLOCK = 1024;

/** Keeps the scores of all images, and which classes they have. */
export interface KeptScores {
  /** Adds an image. Shapes: scores [classes], labels: its classes. */
  add(scores: Scores, labels: LabelSet): void;
  /** Scores of one class, in the order of the images. */
  of(c: number): LabelScores;
}

/** Starts keeping scores as numbers of the given kind: 5 bytes per image and class in f32, 9 in f64. */
export function keepScores(classes: number, Numbers: Float32ArrayConstructor | Float64ArrayConstructor): KeptScores {
  const blocks: { readonly scores: Scores; readonly present: Uint8Array }[] = [];
  let images = 0;
  return {
    add(scores, labels) {
      const row = images++ % BLOCK;
      if (row === 0) blocks.push({ scores: new Numbers(BLOCK * classes), present: new Uint8Array(BLOCK * classes) });
      const { scores: kept, present } = blocks.at(-1) as (typeof blocks)[number];
      for (let c = 0; c < classes; c++) kept[c * BLOCK + row] = scores[c] as number;
      for (const c of labels) present[c * BLOCK + row] = 1;
    },
    of(c) {
      const scores = new Numbers(images);
      const present = new Uint8Array(images);
      for (const [b, block] of blocks.entries()) {
        const count = Math.min(BLOCK, images - b * BLOCK);
        scores.set(block.scores.subarray(c * BLOCK, c * BLOCK + count), b * BLOCK);
        present.set(block.present.subarray(c * BLOCK, c * BLOCK + count), b * BLOCK);
      }
      return { scores, isPresent: (image) => present[image] === 1 };
    },
  };
}
