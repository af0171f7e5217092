/** In place of `src/dataset/pack/imageWorker.ts`: a thread that answers, but ends or throws on files of such a name. */
import { parentPort } from "node:worker_threads";
import type { JobChunk } from "../src/dataset/pack/imageJob.ts";

parentPort?.on("message", ({ id, jobs }: JobChunk) => {
  for (const { path } of jobs) {
    if (path.endsWith("ends")) process.exit(3);
    if (path.endsWith("throws")) throw new Error("out of something");
  }
  parentPort?.postMessage({ id, outcomes: jobs.map(() => ({ error: "none" })) });
});
