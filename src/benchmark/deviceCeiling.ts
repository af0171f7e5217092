/** Peak arithmetic of an engine that computes on a device, by the time of whole passes: the device reports no kernels. */
import type { Engine, Precision } from "../engine/engine.ts";
import { flatten, linear } from "../layers/kinds.ts";
import { operations } from "../network/network.ts";
import type { Ceiling } from "../report/tables/benchmarkReport.ts";
import { spread } from "../report/tables/spread.ts";

const SMALLEST = 128;
const LARGEST = 4096;
/** Seconds of a product after which no larger one is measured. */
const LONG_ENOUGH = 0.1;
const RUNS = 3;

/** Rates of square matrix products, each twice the size of the one before, until a product takes `LONG_ENOUGH`. The ceiling is the highest. */
export async function measureDeviceCeiling(engine: Engine, precision: Precision): Promise<Ceiling> {
  const measured: { readonly operation: string; readonly rate: number }[] = [];
  for (let [size, seconds] = [SMALLEST, 0]; size <= LARGEST && seconds < LONG_ENOUGH; size *= 2) {
    seconds = await secondsOfProduct(engine, precision, size);
    measured.push({ operation: `linear ${size}→${size}, ${size} images, forward`, rate: (2 * size ** 3) / seconds });
  }
  return {
    precision,
    flopsPerSecond: spread([Math.max(...measured.map(({ rate }) => rate))]),
    operations: measured.map(({ operation, rate }) => ({ operation, flopsPerSecond: spread([rate]) })),
  };
}

/** Seconds of a forward pass: the fastest, reading included. */
async function secondsOfProduct(engine: Engine, precision: Precision, size: number): Promise<number> {
  const inputShape = [size, 1, 1] as const;
  const layers = [flatten("flatten"), linear("product", { outFeatures: size })];
  const ops = operations({ name: "product", source: "", deviations: [], input: inputShape, layers });
  const program = await engine.compile({ ops, inputShape, batchSize: size, precision });
  try {
    let fastest = Number.POSITIVE_INFINITY;
    for (let run = 0; run <= RUNS; run++) {
      const began = performance.now();
      await program.forward(program.input, size, { seed: 0, first: 0 });
      fastest = Math.min(fastest, (performance.now() - began) / 1000);
    }
    return fastest;
  } finally {
    program.close();
  }
}
