/** Trains on an async iterable of labelled images, follows the training by callbacks, and stops it by an AbortSignal. */
import { createReferenceEngine, fromIterable, type LabelledImage, parseNetwork, trainNetwork } from "alexnet/core";

/** Stands for a database, a directory or a stream. */
async function* readImages(): AsyncGenerator<LabelledImage> {
  for (let n = 0; n < 60; n++) {
    const isBright = n % 2 === 1;
    const data = new Uint8Array(6 * 6 * 3).fill(isBright ? 190 + (n % 60) : 20 + (n % 60));
    yield { image: { width: 6, height: 6, channels: 3, data }, label: isBright ? "bright" : "dark" };
  }
}

const dataset = await fromIterable(readImages(), { length: 60 });
const network = parseNetwork({
  name: "brightness",
  input: [3, 6, 6],
  layers: [
    { name: "flatten", kind: "flatten" },
    { name: "fc1", kind: "linear", outFeatures: 2 },
  ],
});

const controller = new AbortController();
const engine = createReferenceEngine();
const { end, log } = await trainNetwork({
  network,
  dataset,
  engine,
  recipe: "fashion",
  epochs: 100,
  batchSize: 4,
  signal: controller.signal,
  observer: {
    onProgress: ({ epoch, loss }) => {
      if (Number.isNaN(loss)) console.log(`no loss in epoch ${epoch}`);
    },
    onEpoch: ({ epoch, testAccuracy }) => {
      console.log(`epoch ${epoch}: accuracy ${testAccuracy}`);
      // A button of a page, a time limit, a signal of the system …
      if (testAccuracy === 1) controller.abort();
    },
  },
});
console.log(`${end} after ${log.at(-1)?.epoch} epochs`);
engine.close();
