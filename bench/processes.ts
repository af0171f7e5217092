/**
 * Speed and memory of training in two processes of this machine, each with one thread, against one process with two: the goals S1, S2 and S4 of
 * docs/distributed.md, in about five minutes on an idle machine of two cores. Requires Open MPI. The figures of S3: bench/hosts.ts.
 *
 *     node --import tsx bench/processes.ts [--network alexnet alexnet-fashion] [--batch-size 128] [--values 61000000] [--rounds 2]
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Precision } from "../src/engine/engine.ts";
import type { Scheme } from "../src/network/schemes.ts";
import { formatGoal, type Goal, measureSteps, measureSums } from "./joint.ts";
import type { MeasuredSteps } from "./jointWorker.ts";

const { values: flags } = parseArgs({
  options: {
    network: { type: "string", multiple: true, default: ["alexnet", "alexnet-fashion"] },
    "batch-size": { type: "string", default: "128" },
    values: { type: "string", default: "61000000" },
    rounds: { type: "string", default: "2" },
  },
});
const [batchSize, rounds] = [Number(flags["batch-size"]), Number(flags.rounds)];
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const ratio = (value: number) => value.toFixed(2);
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** Measures one process with two threads, or two processes with one. */
function measure(processes: 1 | 2, network: string, precision: Precision, scheme: Scheme): MeasuredSteps {
  const measured = measureSteps(processes, { network, precision, batchSize, threads: 2 / processes, scheme });
  console.log(
    `${network}, ${precision}, ${processes === 1 ? "one process" : scheme}: ${measured.imagesPerSecond.toFixed(1)} images/s, ` +
      `${percent(measured.waitingFraction)} waiting, ${(measured.exchangedBytes / 1e6).toFixed(1)} MB exchanged, ` +
      `${(measured.peakMemoryBytes / 1e9).toFixed(2)} GB`,
  );
  return measured;
}

const show = (goal: Goal) => console.log(formatGoal(goal));
console.log(`load of the machine: ${loadavg()[0]?.toFixed(1)}; batches of ${batchSize}`);
const alone = new Map<string, MeasuredSteps>();
for (const network of flags.network) {
  const pairs = Array.from({ length: rounds }, () => {
    const [one, two] = [measure(1, network, "f32", "data"), measure(2, network, "f32", "data")] as const;
    alone.set(network, one);
    return { speed: two.imagesPerSecond / one.imagesPerSecond, waiting: two.waitingFraction };
  });
  show({
    name: `S1 ${network}, f32: two processes ÷ one with two threads`,
    value: median(pairs.map(({ speed }) => speed)),
    bound: 0.95,
    isLowest: true,
    format: ratio,
  });
  const waiting = median(pairs.map((pair) => pair.waiting));
  show({ name: `S1 ${network}, f32: waiting`, value: waiting, bound: 0.03, format: percent });
  const half = measure(2, network, "bf16", "data");
  show({ name: `S1 ${network}, bf16: waiting`, value: half.waitingFraction, bound: 0.05, format: percent });
}
const { seconds } = measureSums(2, { values: Number(flags.values), repetitions: 10 });
show({
  name: `S2 sum of ${flags.values} values in two processes`,
  value: 1000 * seconds,
  bound: 40,
  format: (value) => `${value.toFixed(1)} ms`,
});
for (const [network, one] of alone) {
  const hybrid = measure(2, network, "f32", "hybrid");
  show({
    name: `S4 ${network}, f32: memory of a process, hybrid ÷ one process`,
    value: hybrid.peakMemoryBytes / one.peakMemoryBytes,
    bound: 0.62,
    format: ratio,
  });
}
