/** Training in several processes: the numbers of one process, and what happens if a process stops. Linux, with Open MPI. */
// Runs alone: its processes take all cores and exchange at every step, and it measures the time in which a job ends.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { builtCommand, programArguments } from "./command.ts";
import { mpirun, mpiTest, type RunningJob, startJob } from "./mpi/job.ts";
import { assertSameLog, gone, printed, ranksOf, succeeds, trainFlags } from "./mpi/runs.ts";
import { lastWeights, timelessLog, writeTinyRun } from "./tinyRuns.ts";

const programs = fileURLToPath(new URL("mpi/", import.meta.url));
const minutes = (n: number) => ({ timeout: n * 60_000 });
let folder = "";
let alexnet = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-processes-"));
  await writeTinyRun(folder, { train: 203, test: 101 });
  alexnet = await builtCommand();
});
after(() => rm(folder, { recursive: true, force: true }));

const program = (name: string) => programArguments(join(programs, name));
const job = (args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningJob =>
  startJob("mpirun", args, { cwd: folder, env: { XDG_CACHE_HOME: folder, ...env } });
const trainJob = (processes: number, run: string, ...more: readonly string[]) =>
  job(mpirun(processes, [alexnet, ...trainFlags(folder, run, ...more)]));
const train = (run: string, ...more: readonly string[]) =>
  startJob(process.execPath, [alexnet, ...trainFlags(folder, run, ...more)], {
    cwd: folder,
    env: { XDG_CACHE_HOME: folder },
  });

const weightsOf = (run: string) => lastWeights(join(folder, run));

let whole: Promise<Buffer> | undefined;

/** Weights of a run of two processes and 24 epochs that nothing disturbs. */
function undisturbed(): Promise<Buffer> {
  whole ??= succeeds(trainJob(2, "whole", "--epochs", "24")).then(() => weightsOf("whole"));
  return whole;
}

for (const processes of [2, 4]) {
  mpiTest(`exchanges of ${processes} processes`, minutes(2), async () => {
    const { stdout } = await succeeds(job(mpirun(processes, program("exchangeProcess.ts"))));
    assert.match(stdout, /all exchanges are right/);
  });

  mpiTest(`gradients of ${processes} processes are those of one`, minutes(5), async () => {
    const { stdout } = await succeeds(job(mpirun(processes, program("gradientProcess.ts"))));
    const steps = Number(/^(\d+) steps are those of one process/m.exec(stdout)?.[1]);
    assert.ok(steps > 40, stdout);
    for (const scheme of ["data", "towers", "hybrid"])
      assert.match(stdout, new RegExp(`^onednn, f32, ${scheme}: `, "m"));
  });
}

mpiTest("a run of two processes has the files of one, and any number resumes it", minutes(5), async () => {
  await succeeds(train("one", "--epochs", "2"));
  await succeeds(trainJob(2, "two", "--epochs", "2"));
  const config = JSON.parse(await readFile(join(folder, "two/config.json"), "utf8"));
  assert.deepEqual([config.processes, config.parallel, config.mpi.pieceBytes], [2, "data", 4 * 2 ** 20]);
  await assertSameLog(folder, "two", "one");
  assert.match(await readFile(join(folder, "two/report.html"), "utf8"), /2 processes/);
  // Other numbers of processes: each says so, and continues.
  const resumed = await succeeds(trainJob(4, "two", "--resume", "--epochs", "3"));
  assert.match(resumed.stderr, /processes: 4 now, 2 when the run began/);
  const alone = await succeeds(train("two", "--resume", "--epochs", "4"));
  assert.match(alone.stderr, /processes: 1 now, 2 when the run began/);
  assert.equal(
    (await timelessLog(join(folder, "two"))).filter(({ testAccuracy }) => testAccuracy !== undefined).length,
    4,
  );
  const finished = await succeeds(trainJob(2, "two", "--resume"));
  assert.match(finished.stderr, /already finished/);
});

mpiTest("everything that changes the update gives the run of one process", minutes(3), async () => {
  const flags = [
    ...["--epochs", "2", "--optimizer", "adam", "--accumulate", "3", "--clip-norm", "1", "--average", "0.9"],
    ...["--class-weights", "balanced", "--sampler", "balanced", "--label-smoothing", "0.1"],
    ...["--augment", "flip,shift,erase"],
  ];
  await succeeds(train("one-update", ...flags));
  await succeeds(trainJob(2, "two-updates", ...flags));
  await assertSameLog(folder, "two-updates", "one-update");
});

mpiTest(
  "divergence ends all processes with exit code 3 and one message, or rolls all of them back",
  minutes(3),
  async () => {
    const wild = ["--epochs", "1", "--learning-rate", "1e30"];
    const { exit, stderr } = await trainJob(2, "diverged", ...wild).outcome;
    assert.equal(exit, 3, stderr);
    assert.equal(stderr.match(/alexnet: training: .*; start another run/g)?.length, 1, stderr);
    const rescue = ["--on-divergence", "rollback", "--rollback-factor", "1e-32"];
    const rescued = await succeeds(trainJob(2, "rescued", ...wild, ...rescue));
    assert.match(rescued.stderr, /back to iteration 0 with the learning rate × 1e-32 \(rollback 1 of 3\)/);
  },
);

mpiTest("a killed process ends the job, and the run resumes to the bit", minutes(5), async () => {
  const flags = ["--epochs", "24"];
  const expected = await undisturbed();
  for (const victim of [0, 1]) {
    const run = `killed-${victim}`;
    const running = trainJob(2, run, ...flags);
    await printed(running, "epoch 3:");
    const ranks = ranksOf(running);
    assert.equal(ranks.size, 2);
    const killed = performance.now();
    process.kill(ranks.get(victim) as number, "SIGKILL");
    assert.equal((await running.outcome).exit, 137);
    // The launcher ends as soon as it has sent its last signal.
    const { seconds, left } = await gone(ranks, killed);
    // 5 s on an idle machine.
    assert.ok(seconds < 10, `${seconds} s`);
    assert.deepEqual(left, []);
    await succeeds(trainJob(2, run, "--resume"));
    assert.deepEqual(await weightsOf(run), expected);
  }
});

mpiTest("--max-restarts resumes after a killed process, to the bit", minutes(5), async () => {
  const flags = ["--epochs", "24", "--processes", "2"];
  const running = train("restarted", ...flags, "--max-restarts", "2");
  for (const [restart, epoch] of [
    [1, 3],
    [2, 6],
  ] as const) {
    await printed(running, `epoch ${epoch}:`);
    process.kill(ranksOf(running).get(restart % 2) as number, "SIGKILL");
    await printed(running, `Restart ${restart} of 2 from the last checkpoint`);
  }
  await succeeds(running);
  assert.deepEqual(await weightsOf("restarted"), await undisturbed());
});

mpiTest("a stopped process ends the job with exit code 4 and its number", minutes(3), async () => {
  for (const victim of [0, 1]) {
    const running = job(mpirun(2, [alexnet, ...trainFlags(folder, `stopped-${victim}`, "--epochs", "100000")]), {
      ALEXNET_MPI_TIMEOUT: "3",
    });
    await printed(running, "epoch 2:");
    const stopped = performance.now();
    process.kill(ranksOf(running).get(victim) as number, "SIGSTOP");
    const { exit, stderr } = await running.outcome;
    const seconds = (performance.now() - stopped) / 1000;
    assert.equal(exit, 4, stderr);
    assert.match(stderr, new RegExp(`process ${victim} has not been heard for 3 s, last at iteration \\d+`));
    // 8 s on an idle machine.
    assert.ok(seconds < 15, `${seconds} s`);
  }
});

mpiTest("a process whose program hangs ends the job too", minutes(2), async () => {
  const running = job(mpirun(2, [...program("exchangeProcess.ts"), "hang"]), { ALEXNET_MPI_TIMEOUT: "3" });
  const { exit, stderr } = await running.outcome;
  assert.equal(exit, 4, stderr);
  assert.match(
    stderr,
    /process 1 has kept the others waiting for 3 s, last at iteration 13 \(seen by process 0, itself at iteration 12\)/,
  );
});

mpiTest("--processes starts the processes; Ctrl-C and SIGTERM let them save at one iteration", minutes(5), async () => {
  const flags = ["--epochs", "24", "--processes", "2"];
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const running = train(signal, ...flags);
    await printed(running, "epoch 3:");
    running.kill(signal);
    const { exit, stderr } = await running.outcome;
    assert.equal(exit, code, stderr);
    assert.match(stderr, /Saved\. Resume with/);
    const resumed = await succeeds(train(signal, "--resume", "--processes", "2"));
    assert.match(resumed.stdout, /2 processes/);
    assert.deepEqual(await weightsOf(signal), await undisturbed());
  }
});
