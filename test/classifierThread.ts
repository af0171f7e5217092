/** Program of a worker thread: opens a classifier of its own, predicts all images at once, closes twice, and answers. */
import { parentPort, workerData } from "node:worker_threads";
import type { Image } from "../src/image/image.ts";
import { openClassifier } from "../src/model/classifier.ts";

const { file, images } = workerData as { readonly file: string; readonly images: readonly Image[] };
const classifier = await openClassifier(file, { threads: 1 });
const answers = await Promise.all(images.map((image) => classifier.predict(image)));
await Promise.all([classifier.close(), classifier.close()]);
parentPort?.postMessage(answers);
