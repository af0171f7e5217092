/**
 * Training on two hosts, with one thread each, over links of limited speed: data, towers and hybrid beside the model of docs/distributed.md, and the goal
 * S3 there. The hosts are network namespaces of this machine. Linux, as root, with iproute2 and Open MPI; about five minutes on an idle machine of two cores.
 *
 *     node --import tsx bench/hosts.ts [--network alexnet] [--batch-size 128] [--values 61000000] [--rate 10gbit 1gbit]
 *
 * `computing` is the step without its waits. The model adds the time of the bytes that a process sends, at the speed of a sum of all gradients on the same
 * link: to the whole step for towers, hybrid and data without overlap, and to the forward pass, a third of the step, for data with overlap.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { findNetwork } from "../src/network/alexnet.ts";
import { stepExchanges } from "../src/network/exchanges.ts";
import { type Scheme, schemes } from "../src/network/schemes.ts";
import { first, makeTwoHosts, second, type TwoHosts } from "../test/mpi/twoHosts.ts";
import { benchEnvironment, formatGoal, resultOf, workerCommand } from "./joint.ts";
import type { MeasuredSteps, MeasuredSums } from "./jointWorker.ts";

const { values: flags } = parseArgs({
  options: {
    network: { type: "string", default: "alexnet" },
    "batch-size": { type: "string", default: "128" },
    values: { type: "string", default: "61000000" },
    rate: { type: "string", multiple: true, default: ["10gbit", "1gbit"] },
  },
});
const batchSize = Number(flags["batch-size"]);
const network = findNetwork(flags.network);
const hosts = await makeTwoHosts();
if (!hosts) throw new Error("expected the right to add network namespaces; run as root, with iproute2 installed");
console.log(`load of the machine: ${loadavg()[0]?.toFixed(1)}; ${network.name}, f32, batches of ${batchSize}`);
try {
  for (const rate of flags.rate) compare(hosts, rate);
} finally {
  await hosts.close();
}

/** Starts a worker on each host. */
function onHosts<T>({ onFirst, env }: TwoHosts, task: object): T {
  const places = ["--host", `${first}:1,${second}:1`, "-n", "2", "--bind-to", "none", "-x", "XDG_CACHE_HOME"];
  const command = [...onFirst, "mpirun", ...places, ...workerCommand, JSON.stringify(task)];
  return resultOf<T>(command, { ...benchEnvironment, ...env });
}

function compare(hosts: TwoHosts, rate: string): void {
  hosts.limit(rate);
  const { seconds: sumSeconds } = onHosts<MeasuredSums>(hosts, { values: Number(flags.values), repetitions: 2 });
  const bytesPerSecond = (4 * Number(flags.values)) / sumSeconds;
  console.log(
    `${rate}: sum of ${flags.values} values in ${sumSeconds.toFixed(3)} s, ${(bytesPerSecond / 1e9).toFixed(2)} GB/s`,
  );
  const speeds = new Map<Scheme | "data without overlap", number>();
  for (const scheme of schemes) {
    const task = { network: network.name, precision: "f32", batchSize, threads: 1, scheme };
    const { stepSeconds, waitingFraction } = onHosts<MeasuredSteps>(hosts, task);
    const computing = stepSeconds * (1 - waitingFraction);
    const { totalBytes } = stepExchanges(network, { processes: 2, parallel: scheme, batchSize });
    const sending = totalBytes / bytesPerSecond;
    const model = scheme === "data" ? Math.max(computing, computing / 3 + sending) : computing + sending;
    speeds.set(scheme, batchSize / stepSeconds);
    if (scheme === "data") speeds.set("data without overlap", batchSize / (computing + sending));
    console.log(
      `${rate}, ${scheme}: step ${stepSeconds.toFixed(2)} s, ${(batchSize / stepSeconds).toFixed(1)} images/s, ` +
        `computing ${computing.toFixed(2)} s, ${(totalBytes / 1e6).toFixed(1)} MB sent; model ${model.toFixed(2)} s`,
    );
  }
  showGoals(rate, (scheme) => speeds.get(scheme) ?? Number.NaN);
}

/** The goals are those of a link of 1 Gb/s. */
function showGoals(rate: string, speedOf: (scheme: Scheme | "data without overlap") => number): void {
  const blocking = speedOf("data without overlap");
  for (const [name, value, bound] of [
    ["hybrid ÷ data without overlap, computed", speedOf("hybrid") / blocking, 1.8],
    ["hybrid ÷ data", speedOf("hybrid") / speedOf("data"), 1.5],
    ["data ÷ data without overlap, computed", speedOf("data") / blocking, 1.2],
  ] as const) {
    const format = (ratio: number) => ratio.toFixed(2);
    if (rate === "1gbit") console.log(formatGoal({ name: `S3 ${name}`, value, bound, isLowest: true, format }));
    else console.log(`       ${name}: ${format(value)}`);
  }
}
