import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { DataError, ShapeError } from "../../errors.ts";
import type { Image } from "../../image/image.ts";
import { centreView, tenCropViews } from "../../image/prepare/views.ts";
import { fillWords, randomStream } from "../../random.ts";
import type { Split } from "../dataset.ts";
import { createBoard } from "./board.ts";
import { createHelpers } from "./helpers.ts";
import { createPreparation } from "./preparation.ts";
import { createRowPreparer, type PreparationJob, type RowOptions } from "./rows.ts";
import { createThreadedPreparation } from "./threadedPreparation.ts";

const BATCH = 16;
const options: RowOptions = {
  preprocessing: {
    size: [22, 22],
    channels: 3,
    fit: { kind: "crop", shorterSide: 30 },
    resize: "bilinear",
    mean: [0.1, 0.2, 0.3],
    deviation: [1, 2, 3],
  },
  random: {
    augmentation: {
      flip: 0.5,
      shift: 0.1,
      lighting: 0.1,
      jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      erase: 0.5,
    },
    seed: 5,
    colours: {
      eigenvalues: [0.2, 0.1, 0.05],
      eigenvectors: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    },
  },
};
const imageSize = 3 * 22 * 22;

/** Images of different sizes, every third one grey; those with an odd number are in shared memory. */
const sources: readonly Image[] = Array.from({ length: 40 }, (_, i) => {
  const [width, height, channels] = [31 + (i % 7), 40 - (i % 5), i % 3 === 0 ? 1 : 3] as const;
  const words = new Uint32Array(width * height * channels);
  fillWords(randomStream(1, "picture"), i, words);
  const length = words.length;
  const data = i % 2 === 1 ? new Uint8Array(new SharedArrayBuffer(length + 3), 3) : new Uint8Array(length);
  data.set(Uint8Array.from(words, (word) => word >>> 24));
  return { width, height, channels, data };
});
const split: Split = { length: sources.length, label: () => 0, image: (index) => sources[index] as Image };

function jobOf(given: Partial<PreparationJob> = {}): PreparationJob {
  const images = new Float32Array(new SharedArrayBuffer(4 * BATCH * imageSize + 64), 64);
  const indices = Uint32Array.from({ length: BATCH }, (_, row) => (row * 7) % sources.length);
  const uses = indices.map((index) => index + 3);
  return { split, indices, uses, count: BATCH, epoch: undefined, view: centreView, images, ...given };
}

function prepareAlone(job: PreparationJob): Float32Array {
  const images = new Float32Array(job.images.length);
  createPreparation(options).prepare({ ...job, images });
  return images;
}

const helpers = createHelpers(options, createRowPreparer(options), 2, BATCH);
after(() => helpers.close());

/** Prepares with the helpers, once they have started. */
async function prepareTogether(job: PreparationJob): Promise<void> {
  while (!helpers.prepare(job)) await setTimeout(20);
}

describe("helping threads", () => {
  test("prepare to the bit what one thread prepares: in evaluation, in training, in every view, of every memory", async () => {
    const jobs = [
      jobOf(),
      ...tenCropViews(options.preprocessing).map((view) => jobOf({ view })),
      ...[0, 1, 7].map((epoch) => jobOf({ epoch })),
      jobOf({ epoch: 2, count: 5 }),
    ];
    for (const job of jobs) {
      await prepareTogether(job);
      assert.deepEqual(job.images, prepareAlone(job));
    }
  });

  test("continue through many batches and memories", async () => {
    const targets = Array.from({ length: 12 }, () => jobOf().images);
    for (let epoch = 0; epoch < 200; epoch++) {
      const job = jobOf({ epoch, images: targets[epoch % targets.length] as Float32Array });
      await prepareTogether(job);
      assert.deepEqual(job.images, prepareAlone(job), `epoch ${epoch}`);
    }
  });

  test("a failed image throws the same error as on one thread, and the next batch is prepared", async () => {
    const cut: Split = {
      ...split,
      image: (index) => ({ ...(sources[index] as Image), ...(index === 7 ? { width: 3 } : {}) }),
    };
    await assert.rejects(prepareTogether(jobOf({ split: cut })), ShapeError);
    const unreadable: Split = {
      ...split,
      image(index) {
        if (index === 7) throw new DataError("gone");
        return sources[index] as Image;
      },
    };
    await assert.rejects(prepareTogether(jobOf({ split: unreadable })), /gone/);
    const job = jobOf({ epoch: 3 });
    await prepareTogether(job);
    assert.deepEqual(job.images, prepareAlone(job));
  });

  test("are not used where memory is not shared, or the batch is another", () => {
    assert.equal(helpers.prepare(jobOf({ images: new Float32Array(BATCH * imageSize) })), false);
    assert.equal(helpers.prepare(jobOf({ indices: new Uint32Array(3), count: 3 })), false);
  });
});

test("a preparation gives the same before its threads are there and after", async () => {
  const preparation = createThreadedPreparation({ ...options, threads: 2, patience: 0 });
  try {
    for (let epoch = 0; epoch < 30; epoch++) {
      const job = jobOf({ epoch });
      preparation.prepare(job);
      assert.deepEqual(job.images, prepareAlone(job));
      await setTimeout(20);
    }
  } finally {
    preparation.close();
  }
});

test("every image of an offer is taken once, by any thread", () => {
  const board = createBoard(5);
  const other = createBoard(5, board.memory);
  assert.equal(board.take(), undefined);
  for (let row = 0; row < 5; row++)
    board.write(row, { use: row, image: { width: 1, height: 2, channels: 3 }, memory: 4, offset: 2 ** 33, bytes: 6 });
  board.offer(4, { epoch: 3, view: { corner: [1, 0], flip: true }, target: 2, targetOffset: 2 ** 34 });
  assert.deepEqual(
    [board.take(), other.take(), board.take(), other.take(), board.take(), other.take()],
    [0, 1, 2, 3, undefined, undefined],
  );
  assert.deepEqual(other.current(), {
    epoch: 3,
    view: { corner: [1, 0], flip: true },
    target: 2,
    targetOffset: 2 ** 34,
  });
  assert.deepEqual(other.read(4), {
    use: 4,
    image: { width: 1, height: 2, channels: 3 },
    memory: 4,
    offset: 2 ** 33,
    bytes: 6,
  });
  for (const row of [0, 1, 2, 3]) other.finish(row, row !== 2);
  assert.deepEqual(board.waitForAll(), [2]);
});
