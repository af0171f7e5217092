/** Jobs of several processes, one of which is killed at a random moment. Requires Open MPI and Linux. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { AnyLayer } from "../../src/layers/layer.ts";
import { type Scheme, schemes } from "../../src/network/schemes.ts";
import { fillUniform, randomStream } from "../../src/random.ts";
import { builtCommand } from "../../test/command.ts";
import { mpirun, type RunningJob, startJob } from "../../test/mpi/job.ts";
import { gone, printed, processesWith, ranksOf, trainFlags } from "../../test/mpi/runs.ts";
import { lastWeights, twoTowers, writeTinyRun } from "../../test/tinyRuns.ts";
import type { Figure, SoakOptions } from "./scenarios.ts";

const EPOCHS = 30;
/** Fraction of kills while the processes start: they load their program, connect, and read the data. */
const AT_START = 0.2;
/** Longest wait in the start, in milliseconds: until the first epochs of an idle machine. */
const START_MOMENT = 3000;
/** Longest wait after an epoch, in milliseconds: longer than the next epoch takes, with its checkpoint. */
const MOMENT = 300;

/** Networks that two and four processes divide: channels are normalised and convolved in four groups. */
const fourTowers = {
  ...twoTowers,
  layers: twoTowers.layers.map(
    (layer): AnyLayer => ("groups" in layer && layer.groups === 2 ? { ...layer, groups: 4 } : layer),
  ),
};

/** The jobs of one number of processes. */
interface Jobs {
  readonly folder: string;
  readonly processes: number;
  start(scheme: Scheme, run: string, ...more: readonly string[]): RunningJob;
}

/** Kills a process of jobs of two and of four processes, 30 times each, in all schemes by turns, and resumes the runs. */
export async function killedJobs({ scale }: Pick<SoakOptions, "scale">): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-jobs-"));
  try {
    await writeTinyRun(folder, { train: 203, test: 101 });
    await writeFile(join(folder, "tiny.json"), JSON.stringify(fourTowers));
    const command = await builtCommand();
    const rounds = Math.max(Math.floor(30 * scale), 1);
    const figures: Figure[] = [];
    for (const [i, processes] of [2, 4].entries()) {
      const jobs: Jobs = {
        folder,
        processes,
        start(scheme, run, ...more) {
          const flags = trainFlags(folder, run, "--epochs", String(EPOCHS), "--parallel", scheme, ...more);
          return startJob("mpirun", mpirun(processes, [command, ...flags]), {
            cwd: folder,
            env: { XDG_CACHE_HOME: folder },
          });
        },
      };
      // The smallest form, of one round, is towers and hybrid.
      figures.push(...(await killJobs(jobs, rounds, 1 + i)));
    }
    return figures;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function killJobs(jobs: Jobs, rounds: number, firstScheme: number): Promise<readonly Figure[]> {
  const { folder, processes, start } = jobs;
  const undisturbed = new Map<Scheme, Buffer>();
  const weightsOf = (run: string) => lastWeights(join(folder, run));
  const random = randomStream(1, `soak:killedJobs:${processes}`);
  const seconds: number[] = [];
  let [resumed, orphans] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const scheme = schemes[(firstScheme + round) % schemes.length] as Scheme;
    const whole = `whole-${scheme}-${processes}`;
    if (!undisturbed.has(scheme)) {
      const { exit, stderr } = await start(scheme, whole).outcome;
      if (exit !== 0) throw new Error(`${whole}: exit ${exit}\n${stderr}`);
      undisturbed.set(scheme, await weightsOf(whole));
    }
    const run = `killed-${processes}-${round}`;
    const drawn = new Float32Array(3);
    fillUniform(random, round, drawn);
    const running = start(scheme, run);
    const end = await killOne(jobs, running, drawn);
    seconds.push(end.seconds);
    orphans += end.orphans;
    const again = await start(scheme, run, "--resume").outcome;
    const isSame = again.exit === 0 && (await weightsOf(run)).equals(undisturbed.get(scheme) as Buffer);
    if (isSame) resumed++;
    if (!isSame || end.orphans > 0) {
      const messages = [(await running.outcome).stderr, again.stderr].map((text) => text.slice(-2000)).join("\n");
      console.error(`${run}, ${scheme}: ${end.victim}, ${end.orphans} left, exit ${again.exit} resumed\n${messages}`);
    }
    await rm(join(folder, run), { recursive: true, force: true });
  }
  const of = `of ${rounds} killed jobs of ${processes} processes`;
  return [
    { name: `resumed bit for bit, ${of}`, value: resumed, bound: rounds, isLowest: true },
    { name: `slowest end ${of}`, value: Math.max(...seconds), bound: 5, unit: "s", isTimed: true },
    { name: `orphans ${of}`, value: orphans, bound: 0 },
  ];
}

/** Kills one process of a job at a moment that three numbers from 0 to 1 determine. */
async function killOne(
  { folder, processes }: Jobs,
  running: RunningJob,
  [place = 0, moment = 0, victim = 0]: Float32Array,
): Promise<{ readonly seconds: number; readonly orphans: number; readonly victim: string }> {
  const ranks = await allRanks(running, processes);
  if (place < AT_START) await setTimeout(START_MOMENT * moment);
  else {
    const epoch = 1 + Math.floor(((place - AT_START) / (1 - AT_START)) * (EPOCHS - 8));
    await printed(running, `epoch ${epoch}:`);
    await setTimeout(MOMENT * moment);
  }
  const rank = Math.floor(victim * processes);
  const lastLine = running.stderr().trimEnd().split("\n").at(-1);
  const began = performance.now();
  process.kill(ranks.get(rank) as number, "SIGKILL");
  await running.outcome;
  const { seconds } = await gone(ranks, began);
  return {
    seconds,
    orphans: processesWith(`XDG_CACHE_HOME=${folder}\0`).length,
    victim: `process ${rank} killed after "${lastLine}"`,
  };
}

/** Processes of a job, once all of them run. Throws Error if it ends before. */
async function allRanks(job: RunningJob, processes: number): Promise<ReadonlyMap<number, number>> {
  let ended: string | undefined;
  void job.outcome.then(({ exit, stderr }) => {
    ended = `ended before its processes ran, exit ${exit}\n${stderr}`;
  });
  for (;;) {
    const ranks = ranksOf(job);
    if (ranks.size >= processes) return ranks;
    if (ended !== undefined) throw new Error(ended);
    await setTimeout(5);
  }
}
