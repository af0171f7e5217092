/** Program of the threads of `imageWorkers.ts`. The jobs of a chunk run in order; chunks overlap. */
import { parentPort, workerData } from "node:worker_threads";
import { decodeOnOneThread } from "../../image/files/decode.ts";
import type { Fitting } from "../../image/prepare/fitter.ts";
import { createImageJobs, type ImageOutcome, type JobChunk, type OutcomeChunk } from "./imageJob.ts";

const { fitting } = workerData as { readonly fitting?: Fitting };
const doJob = createImageJobs(fitting);
decodeOnOneThread();

parentPort?.on("message", async ({ id, jobs }: JobChunk) => {
  const outcomes: ImageOutcome[] = [];
  for (const job of jobs) outcomes.push(await doJob(job));
  const memory = outcomes.flatMap(({ decoded }) => (decoded?.kept?.image.data.buffer as ArrayBuffer) ?? []);
  parentPort?.postMessage({ id, outcomes } satisfies OutcomeChunk, memory);
});
