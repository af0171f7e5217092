/** Training of runs that tests stop and resume, and results that they compare. */
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { openClassifier } from "../src/model/classifier.ts";
import type { OpenOptions } from "../src/model/openModel.ts";
import type { TrainOptions } from "../src/trainer/trainClassifier.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

/** Trains, and stops after n iterations of this call as Ctrl-C does. */
export async function trainFor(iterations: number, options: TrainOptions): Promise<void> {
  const controller = new AbortController();
  let done = 0;
  const onProgress = () => {
    if (++done === iterations) controller.abort();
  };
  await trainWithoutReport({ ...options, signal: controller.signal, observer: { onProgress } });
}

/** Tensors of a safetensors file, by their names. */
export async function tensorsIn(file: string): Promise<ReadonlyMap<string, Float32Array>> {
  const tensors = new Map<string, Float32Array>();
  await withReader(file, (reader) => reader.stream(async (name, own) => void tensors.set(name, own.slice())));
  return tensors;
}

/** Accuracy of a run or weights file on the test images of a folder of `writeTinyDataset`. */
export async function accuracyOn(dataDir: string, path: string, options: OpenOptions = {}): Promise<number> {
  const classifier = await openClassifier(path, { threads: 1, batchSize: 32, ...options });
  try {
    return (await classifier.evaluate({ dataset: "fashion-mnist", dataDir }))?.top1Accuracy ?? 0;
  } finally {
    await classifier.close();
  }
}
