/** Jobs of several processes, one of which is killed at a random moment. Requires Open MPI and Linux. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fillUniform, randomStream } from "../../src/random.ts";
import { builtCommand } from "../../test/command.ts";
import { mpirun, startJob } from "../../test/mpi/job.ts";
import { gone, printed, ranksOf, trainFlags } from "../../test/mpi/runs.ts";
import { lastWeights, writeTinyRun } from "../../test/tinyRuns.ts";
import type { Figure, SoakOptions } from "./scenarios.ts";

const EPOCHS = 30;
/** Longest wait after an epoch, in milliseconds: longer than the next epoch takes. */
const MOMENT = 300;

/** Kills a process of jobs of two and of four processes, 30 times each, and resumes the runs. */
export async function killedJobs({ scale }: Pick<SoakOptions, "scale">): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-jobs-"));
  try {
    await writeTinyRun(folder, { train: 203, test: 101 });
    const rounds = Math.max(Math.round(30 * scale), 2);
    return [...(await killJobs(folder, 2, rounds)), ...(await killJobs(folder, 4, rounds))];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function killJobs(folder: string, processes: number, rounds: number): Promise<readonly Figure[]> {
  const command = await builtCommand();
  const job = (run: string, ...more: readonly string[]) => {
    const args = [command, ...trainFlags(folder, run, "--epochs", String(EPOCHS), ...more)];
    return startJob("mpirun", mpirun(processes, args), { cwd: folder, env: { XDG_CACHE_HOME: folder } });
  };
  const expected = `whole-${processes}`;
  await job(expected).outcome;
  const weights = await lastWeights(join(folder, expected));
  const random = randomStream(1, "soak:killedJobs");
  const seconds: number[] = [];
  let [resumed, orphans] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const drawn = new Float32Array(3);
    fillUniform(random, round, drawn);
    const [epoch = 0, moment = 0, victim = 0] = drawn;
    const run = `killed-${processes}-${round}`;
    const running = job(run);
    await printed(running, `epoch ${1 + Math.floor(epoch * (EPOCHS - 8))}:`);
    await setTimeout(MOMENT * moment);
    const ranks = ranksOf(running);
    const began = performance.now();
    process.kill(ranks.get(Math.floor(victim * processes)) as number, "SIGKILL");
    await running.outcome;
    const end = await gone(ranks, began);
    seconds.push(end.seconds);
    orphans += end.left.length;
    await job(run, "--resume").outcome;
    if ((await lastWeights(join(folder, run))).equals(weights)) resumed++;
  }
  const of = `of ${rounds} killed jobs of ${processes} processes`;
  return [
    { name: `resumed bit for bit, ${of}`, value: resumed, bound: rounds, isLowest: true },
    { name: `slowest end ${of}`, value: Math.max(...seconds), bound: 5, unit: "s", isTimed: true },
    { name: `orphans ${of}`, value: orphans, bound: 0 },
  ];
}
