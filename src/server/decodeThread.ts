/** Program of the threads of `decodePool.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { decodeOnOneThread } from "../image/files/decode.ts";
import { createDecodeJobs, type DecodeJob, type DecodeModel, type DecodeOutcome, READY } from "./decodeJob.ts";
import { transferable } from "./pieces.ts";

const run = createDecodeJobs((workerData as { readonly models: readonly DecodeModel[] }).models);
decodeOnOneThread();

parentPort?.on("message", async (job: DecodeJob) => {
  const outcome: DecodeOutcome = await run(job);
  parentPort?.postMessage(outcome, "images" in outcome ? transferable(outcome.images.data) : []);
});
parentPort?.postMessage(READY);
