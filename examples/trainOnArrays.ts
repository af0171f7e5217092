/** Builds a network, trains it on arrays in memory, and predicts from raw pixels; runs in Node.js and in a browser alike. */
import {
  conv2d,
  createClassifier,
  createReferenceEngine,
  flatten,
  fromArrays,
  linear,
  maxPool2d,
  parseNetwork,
  relu,
  trainNetwork,
} from "alexnet/core";

// 120 grey images of 8 × 8 pixels: horizontal or vertical stripes.
const [count, width, height] = [120, 8, 8];
const images = new Uint8Array(count * width * height);
const labels = new Uint8Array(count);
for (let n = 0; n < count; n++) {
  labels[n] = n % 2;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const along = labels[n] === 0 ? y : x;
      images[(n * height + y) * width + x] = ((along + n) % 4 < 2 ? 200 : 40) + ((n * 7 + x * 3 + y) % 30);
    }
  }
}
const dataset = fromArrays(images, labels, { width, height, classNames: ["horizontal", "vertical"] });

const network = parseNetwork({
  name: "stripes",
  input: [1, height, width],
  layers: [
    conv2d("conv1", { outChannels: 4, kernelSize: 3, padding: 1 }),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
    flatten("flatten"),
    linear("fc2", { outFeatures: 2 }),
  ],
});

const engine = createReferenceEngine();
const { model, evaluation } = await trainNetwork({
  network,
  dataset,
  engine,
  epochs: 3,
  batchSize: 8,
  learningRate: 0.05,
});
console.log(`validation accuracy ${evaluation?.top1Accuracy}`);

const classifier = await createClassifier(model, { engine });
const [best] = await classifier.predict({ width, height, data: images.subarray(0, width * height) });
console.log(`first image: ${best?.className}`);
await classifier.close();
engine.close();
