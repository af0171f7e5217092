/** Program of the threads of `decodePool.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { decodeOnOneThread } from "../image/files/decode.ts";
import { createDecodeJobs, type DecodeJob, type DecodeModel, type DecodeOutcome, READY } from "./decodeJob.ts";

const run = createDecodeJobs((workerData as { readonly models: readonly DecodeModel[] }).models);
decodeOnOneThread();

parentPort?.on("message", async (job: DecodeJob) => {
  const outcome: DecodeOutcome = await run(job);
  // Bytes of a body may be part of larger memory, which is not transferred.
  const data = "images" in outcome ? outcome.images.data : undefined;
  const memory = data && data.byteLength === data.buffer.byteLength ? [data.buffer as ArrayBuffer] : [];
  parentPort?.postMessage(outcome, memory);
});
parentPort?.postMessage(READY);
