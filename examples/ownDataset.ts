/** Trains in a run directory, with checkpoints and a report, on a data set of one's own, whose images are loaded as training asks for them. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openClassifier, trainClassifier } from "alexnet";
import { createDataset, flatten, linear, type OwnSplit, parseNetwork } from "alexnet/core";

/** A part whose images come from elsewhere: `prefetch` loads what a batch needs, `image` hands it over. */
function remoteSplit(length: number): OwnSplit {
  const loaded = new Map<number, Uint8Array>();
  const label = (index: number) => index % 3;
  return {
    length,
    label,
    async prefetch(indices) {
      for (const index of indices) loaded.set(index, await download(index, label(index)));
    },
    image: (index) => ({ width: 6, height: 6, channels: 1, data: loaded.get(index) ?? new Uint8Array(0) }),
  };
}

/** Stands for a request: a bright bar at the top, in the middle or at the bottom. */
async function download(index: number, label: number): Promise<Uint8Array> {
  return Uint8Array.from({ length: 36 }, (_, i) => (Math.floor(i / 12) === label ? 180 : 20) + ((i * 7 + index) % 40));
}

const dataset = await createDataset({
  name: "bars",
  classNames: ["top", "middle", "bottom"],
  train: remoteSplit(90),
  validation: remoteSplit(30),
});
const network = parseNetwork({
  name: "bars",
  input: [1, 6, 6],
  layers: [flatten("flatten"), linear("fc1", { outFeatures: 3 })],
});

const run = join(await mkdtemp(join(tmpdir(), "alexnet-bars-")), "run");
const { best } = await trainClassifier({
  dataset,
  network,
  run,
  epochs: 4,
  batchSize: 10,
  learningRate: 0.1,
  threads: 1,
});
console.log(`best epoch ${best?.epoch}: accuracy ${best?.testAccuracy}`);

// The same call with `resume: true` continues a run that was stopped. The run's directory is read by every command.
const classifier = await openClassifier(run);
const evaluation = await classifier.evaluate({ dataset });
console.log(`evaluated ${evaluation?.images} images, ${evaluation?.confusion.length} classes`);
await classifier.close();
