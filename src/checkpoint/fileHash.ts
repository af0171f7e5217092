/** SHA-256 of the rest of a file, computed on another thread. */
import { Worker } from "node:worker_threads";

/** Bytes read at a time. */
const CHUNK_BYTES = 4 * 1024 * 1024;

/** JavaScript without imports of the project, so that the thread starts at once, in a checkout too, where TypeScript would have to be loaded first. */
const program = `
const { createHash } = require("node:crypto");
const { readSync } = require("node:fs");
const { parentPort, workerData } = require("node:worker_threads");
const { descriptor, prefix, start, chunkBytes } = workerData;
const hash = createHash("sha256").update(prefix);
const chunk = new Uint8Array(chunkBytes);
for (let position = start, read = 1; read > 0; position += read) {
  read = readSync(descriptor, chunk, 0, chunkBytes, position);
  hash.update(chunk.subarray(0, read));
}
parentPort.postMessage(hash.digest("hex"));
`;

/**
 * Hash of `prefix`, followed by the file's bytes from `start` to its end, in hexadecimal digits. The file must stay open until the promise settles;
 * it rejects if the thread cannot be started or the file cannot be read.
 */
export function hashFile(descriptor: number, prefix: Uint8Array, start: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const workerData = { descriptor, prefix, start, chunkBytes: CHUNK_BYTES };
    const worker = new Worker(program, { eval: true, workerData, execArgv: [] });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the thread that computes a checksum ended with code ${code}`)));
  });
}
