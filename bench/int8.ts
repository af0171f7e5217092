/**
 * Speed of ONNX Runtime with an int8 network relative to f32: files of `alexnet export` and `export --int8`, alternating in one process, on noise.
 * Prints medians on one thread, for one image and for a batch.
 *
 *     node --import tsx bench/int8.ts F32.onnx INT8.onnx --input 3,28,28 [--batch-size 32] [--rounds 21]
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import type * as Runtime from "onnxruntime-common";
import { fillGaussian, randomStream } from "../src/random.ts";
import { spread } from "../src/report/tables/spread.ts";
import { sizeOf } from "../src/shape.ts";

const { InferenceSession, Tensor } = createRequire(import.meta.url)("onnxruntime-node") as typeof Runtime;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    input: { type: "string" },
    "batch-size": { type: "string", default: "32" },
    rounds: { type: "string", default: "21" },
  },
});
const input = values.input?.split(",").map(Number);
if (positionals.length !== 2 || input?.length !== 3) throw new Error("expected two files, and --input such as 3,28,28");
/** The first runs of a session are slower. */
const WARM_UP = 3;
const sessions = await Promise.all(
  positionals.map(async (file) => InferenceSession.create(await readFile(file), { intraOpNumThreads: 1 })),
);
for (const batchSize of [1, Number(values["batch-size"])]) {
  const images = new Float32Array(batchSize * sizeOf(input));
  fillGaussian(randomStream(1, "bench/int8"), 0, images, 1);
  const tensor = new Tensor("float32", images, [batchSize, ...input]);
  const times: [number[], number[]] = [[], []];
  for (let round = -WARM_UP; round < Number(values.rounds); round++) {
    for (const [i, session] of sessions.entries()) {
      const start = performance.now();
      await session.run({ images: tensor });
      if (round >= 0) times[i as 0 | 1].push(performance.now() - start);
    }
  }
  const [f32, int8] = times.map((list) => spread(list).median) as [number, number];
  const ratio = (f32 / int8).toFixed(1);
  console.log(`${batchSize} images: f32 ${f32.toFixed(2)} ms, int8 ${int8.toFixed(2)} ms: ${ratio} times as fast`);
}
