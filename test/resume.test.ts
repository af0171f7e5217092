/**
 * Runs that are stopped, killed, starved of disk space and damaged, and end as if nothing had happened. Longer than other
 * files: all of it runs on one built package and is compared to the same undisturbed runs.
 */
// Runs beside others: it takes its moments by the clock, whatever they are.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { checkpointFiles } from "../src/checkpoint/checkpointFiles.ts";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import { AlexNetError } from "../src/errors.ts";
import { fillUniform, randomStream } from "../src/random.ts";
import { type TrainOptions, type TrainResult, trainClassifier } from "../src/trainer/trainClassifier.ts";
import type { TrainObserver } from "../src/trainer/trainObserver.ts";
import { findRecipe } from "../src/training/recipe.ts";
import { positionSchema } from "../src/training/state.ts";
import { builtCommand, type Outcome, type RunningCommand, type StartOptions, start } from "./command.ts";
import { lastWeights, timelessLog, tinyNetwork, wideNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;
let alexnet: string;
/** A run of the tiny network that nothing happened to, and how long its process lived. */
const undisturbed = { run: "undisturbed", milliseconds: 0 };
/** Of each run in this file, as flags and as options. */
const flags = [
  "--network",
  "tiny.json",
  "--data-dir",
  "data",
  "--threads",
  "1",
  "--batch-size",
  "16",
  "--epochs",
  "4",
  "--train-limit",
  "400",
];
let options: TrainOptions;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-resume-"));
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 3000, test: 40 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  options = {
    network: tinyNetwork,
    dataDir: join(folder, "data"),
    threads: 1,
    batchSize: 16,
    epochs: 4,
    trainLimit: 400,
  };
  alexnet = await builtCommand();
  const began = performance.now();
  const { exit, stderr } = await train(...flags, "--run", undisturbed.run);
  undisturbed.milliseconds = performance.now() - began;
  assert.equal(exit, 0, stderr);
});
after(() => rm(folder, { recursive: true }));

function startTraining(args: readonly string[], more: Omit<StartOptions, "cwd"> = {}): RunningCommand {
  return start([alexnet, "train", ...args], { cwd: folder, ...more });
}

function train(...args: readonly string[]): Promise<Outcome> {
  return startTraining(args).outcome;
}

/** Waits for something that a process is about to do. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen within a minute`);
    await setTimeout(10);
  }
}

async function assertSameRun(actual: string, expected: string): Promise<void> {
  const [a, b] = [join(folder, actual), join(folder, expected)];
  assert.ok((await lastWeights(a)).equals(await lastWeights(b)), `${actual}: weights differ from those of ${expected}`);
  assert.deepEqual(await timelessLog(a), await timelessLog(b));
}

/** Trains in this process up to an iteration, as far as Ctrl-C goes. */
async function trainUpTo(iteration: number, given: TrainOptions): Promise<TrainResult> {
  const controller = new AbortController();
  let iterations = 0;
  const onProgress = () => {
    if (++iterations === iteration) controller.abort();
  };
  return trainClassifier({ ...given, signal: controller.signal, observer: { onProgress } });
}

/** Resumes a run in this process, up to its report. Returns the messages, and the epoch from which it continued. */
async function resume(run: string, given: TrainOptions = {}) {
  const messages: string[] = [];
  let from = Number.NaN;
  const observer: TrainObserver = {
    onMessage: (message) => messages.push(message),
    onStart: ({ epoch }) => {
      from = epoch;
    },
  };
  await trainWithoutReport({ run: join(folder, run), resume: true, observer, ...given });
  return { messages, from };
}

/** The run of `long`, as options. */
function longOptions(run: string): TrainOptions {
  const { trainLimit: _all, ...rest } = options;
  return { ...rest, threads: 2, epochs: 2, run: join(folder, run) };
}

/** On two threads, as users have more than one. */
const long = ["--network", "tiny.json", "--data-dir", "data", "--threads", "2", "--batch-size", "16", "--epochs", "2"];

test("SIGINT, SIGTERM and SIGHUP save in the middle of an epoch; the run goes on to the same weights and log", async () => {
  await trainWithoutReport(longOptions("long"));
  const signals = [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const;
  const stopped = signals.map(async ([signal, code]) => {
    const name = `stopped-${signal}`;
    const running = startTraining([...long, "--run", name]);
    const log = join(folder, name, "log.jsonl");
    await until(() => existsSync(log) && statSync(log).size > 0, "training");
    const inUse = signal === "SIGINT" ? await raceFor(name, running) : undefined;
    running.process.kill(signal);
    // A closed terminal sends it more than once.
    if (signal === "SIGHUP") running.process.kill(signal);
    const { exit, stderr } = await running.outcome;
    assert.equal(exit, code, stderr);
    assert.match(stderr, new RegExp(`Saved\\. Resume with: alexnet train --run ${name} --resume`));
    assert.equal(existsSync(join(folder, name, "report.html")), false);
    const { lastOptimizer } = checkpointFiles(join(folder, name));
    const position = await withReader(lastOptimizer, async ({ header }) =>
      positionSchema.parse(JSON.parse(header.metadata["position"] ?? "")),
    );
    assert.ok(position.epoch < 2 && position.images > 0, "it was stopped in the middle of an epoch");
    if (inUse) {
      assert.equal(inUse.exit, 1);
      assert.match(
        inUse.stderr,
        new RegExp(`^alexnet: ${name}: run directory in use by process ${running.process.pid};`),
      );
    }
    // One by the command; the others as it does.
    if (inUse) {
      const again = await train("--run", name, "--resume");
      assert.equal(again.exit, 0, again.stderr);
      assert.match(again.stderr, /from epoch [01]\.\d/);
    } else {
      const { from } = await resume(name);
      assert.ok(from > 0 && from < 2 && !Number.isInteger(from), `${from}`);
    }
    await assertSameRun(name, "long");
  });
  await Promise.all(stopped);
});

test("resumed with more epochs, a run ends with the weights of one that had them from the start", async () => {
  const short = (name: string) => ({ ...longOptions(name), epochs: 1 });
  await trainWithoutReport(short("extended"));
  await assert.rejects(resume("extended", { epochs: 0.5 }), /--epochs is 0\.5, the run was started with 1/);
  const more = await train("--run", "extended", "--resume", "--epochs", "2");
  assert.equal(more.exit, 0, more.stderr);
  await assertSameRun("extended", "long");
  await trainWithoutReport({ ...short("cosine"), trainLimit: 64, schedule: "cosine" });
  const refused = await train("--run", "cosine", "--resume", "--epochs", "2");
  assert.equal(refused.exit, 1);
  assert.match(refused.stderr, /the cosine schedule of the run is planned for 1 epoch; start a new run .* --from/);
});

test("a run of the reference engine is resumed on the WebAssembly engine, if that is asked for", async () => {
  const { threads: _onednn, ...rest } = options;
  await trainWithoutReport({ ...rest, trainLimit: 64, epochs: 1, engine: "reference", run: join(folder, "moved") });
  const moved = await train("--run", "moved", "--resume", "--epochs", "2", "--engine", "wasm");
  assert.equal(moved.exit, 0, moved.stderr);
  assert.match(moved.stdout, /images\/s on WebAssembly/);
  const { engine } = JSON.parse(await readFile(join(folder, "moved/config.json"), "utf8"));
  assert.equal(engine.name, "reference");
});

test("training goes on when nobody reads its output any more", async () => {
  for (const closed of ["stdout", "stderr"] as const) {
    const running = startTraining([...flags, "--epochs", "2", "--run", `closed-${closed}`]);
    running.process[closed]?.destroy();
    assert.equal((await running.outcome).exit, 0);
    assert.ok(existsSync(join(folder, `closed-${closed}`, "report.html")));
  }
});

/** What a second process in the same run directory says, while the first is held. */
async function raceFor(name: string, first: RunningCommand): Promise<Outcome> {
  first.process.kill("SIGSTOP");
  const outcome = await train(...long, "--run", name, "--resume");
  first.process.kill("SIGCONT");
  return outcome;
}

test("a second signal leaves at once", async () => {
  const running = startTraining([...long.slice(0, -1), "100", "--run", "left"]);
  await until(() => running.stderr().includes("run directory"), "training");
  // Held while both are sent, so that the first cannot have done its work before the second comes. The kernel gives
  // them to any of its threads, so that either may be the second one.
  for (const signal of ["SIGSTOP", "SIGINT", "SIGTERM", "SIGCONT"] as const) running.process.kill(signal);
  const { exit, stderr } = await running.outcome;
  assert.ok(exit === 130 || exit === 143, `exit code ${exit}: ${stderr}`);
  assert.doesNotMatch(stderr, /Saved\./);
  assert.deepEqual(
    (await readdir(join(folder, "left"))).filter((name) => name.startsWith("lock")),
    [],
  );
});

test("killed at four random moments of its life, a run ends with the weights and the log of one that was not", async () => {
  const lanes = ["a", "b"].map(async (lane) => {
    const shares = new Float64Array(100);
    fillUniform(randomStream(20, `kill ${lane}`), 0, shares);
    let [kills, runs] = [0, 1];
    const name = () => `killed-${lane}${runs}`;
    for (const share of shares) {
      const running = startTraining([...flags, "--run", name(), "--resume"]);
      const delay = setTimeout(share * undisturbed.milliseconds);
      await Promise.race([delay, running.outcome]);
      running.process.kill("SIGKILL");
      const { exit, stderr } = await running.outcome;
      if (exit !== "SIGKILL") {
        assert.equal(exit, 0, stderr);
        await assertSameRun(name(), undisturbed.run);
        runs++;
      } else if (++kills === 2) break;
    }
    assert.equal(kills, 2);
    const { exit, stderr } = await train(...flags, "--run", name(), "--resume");
    assert.equal(exit, 0, stderr);
    await assertSameRun(name(), undisturbed.run);
    for (let i = 1; i <= runs; i++) {
      const files = await readdir(join(folder, `killed-${lane}${i}`));
      assert.deepEqual(files.sort(), (await readdir(join(folder, undisturbed.run))).sort());
    }
  });
  await Promise.all(lanes);
});

test("stopped for time, a run has been evaluated, and goes on to the same weights", async () => {
  const { exit, stderr, stdout } = await train(...long, "--run", "timed", "--max-minutes", "0.001");
  assert.equal(exit, 0, stderr);
  assert.match(stderr, /Stopped at the time limit\. Resume with: alexnet train --run timed --resume/);
  assert.match(stdout, /test accuracy \d+\.\d %/);
  const stopped = (await timelessLog(join(folder, "timed"))).at(-1);
  assert.ok(stopped?.testAccuracy !== undefined && (stopped.epoch ?? 2) < 2);
  await resume("timed");
  assert.ok((await lastWeights(join(folder, "timed"))).equals(await lastWeights(join(folder, "long"))));
  const isOther = ({ iteration }: { readonly iteration?: number }) => iteration !== stopped.iteration;
  assert.deepEqual(
    (await timelessLog(join(folder, "timed"))).filter(isOther),
    (await timelessLog(join(folder, "long"))).filter(isOther),
  );
});

test("a finished run says so; one that died before its report gets it", async () => {
  const finished = await train(...flags, "--run", undisturbed.run, "--resume");
  assert.equal(finished.exit, 0);
  assert.match(
    finished.stderr,
    /undisturbed: already finished; for more epochs: alexnet train --run undisturbed --resume --epochs N/,
  );
  await cp(join(folder, undisturbed.run), join(folder, "unreported"), { recursive: true });
  for (const name of ["report.html", "curves.svg"]) await rm(join(folder, "unreported", name));
  const unreported = { run: join(folder, "unreported"), resume: true };
  const stopped = await trainClassifier({ ...unreported, signal: AbortSignal.abort() });
  assert.equal(stopped.end, "interrupt");
  assert.equal(existsSync(join(folder, "unreported", "report.html")), false, "none without an evaluation");
  const { end } = await trainClassifier(unreported);
  assert.equal(end, "already finished");
  assert.ok(existsSync(join(folder, "unreported", "curves.svg")));
  assert.match(await readFile(join(folder, "unreported", "report.html"), "utf8"), /Accuracy of each class/);
  await assertSameRun("unreported", undisturbed.run);
});

test("a run that is stopped during its report gets it from a resumed one, with the evaluation of its best weights", async () => {
  const run = join(folder, "cut-short");
  const stop = new AbortController();
  // So fast that accuracy falls after the first epoch: 98 %, 85 %, 8 %.
  const fast: TrainOptions = { ...options, precision: "f32", epochs: 3, learningRate: 0.3, run };
  const observer = { onEpoch: ({ epoch }: { readonly epoch: number }) => (epoch === 3 ? stop.abort() : undefined) };
  const cut = await trainClassifier({ ...fast, signal: stop.signal, observer });
  assert.equal(cut.end, "interrupt");
  assert.equal(existsSync(join(run, "report.html")), false);
  const resumed = await trainClassifier({ run, resume: true });
  assert.equal(resumed.end, "already finished");
  assert.ok(existsSync(join(run, "report.html")));
  const whole = await trainClassifier({ ...fast, run: join(folder, "not-cut") });
  for (const { best, last, evaluation } of [resumed, whole]) {
    assert.ok((best?.epoch ?? 3) < (last?.epoch ?? 0));
    assert.equal(evaluation?.loss, best?.testLoss);
  }
});

test("a directory that holds a run takes no other one", async () => {
  const before = await readFile(join(folder, undisturbed.run, "config.json"), "utf8");
  const { exit, stderr } = await train(...flags, "--run", undisturbed.run);
  assert.equal(exit, 1);
  assert.match(stderr, /^alexnet: undisturbed already contains a run; add --resume to continue it/);
  assert.equal(await readFile(join(folder, undisturbed.run, "config.json"), "utf8"), before);
});

test("on resume, the same settings may be given; each one that differs is named with both values", async () => {
  const run = join(folder, undisturbed.run);
  const { end } = await trainClassifier({
    ...options,
    dataset: "fashion-mnist",
    recipe: "fashion",
    seed: 0,
    inputSize: 28,
    engine: "onednn",
    precision: "auto",
    run,
    resume: true,
  });
  assert.equal(end, "already finished");
  const { precision } = JSON.parse(await readFile(join(run, "config.json"), "utf8"));
  const other = precision === "f32" ? "bf16" : "f32";
  const otherLayers = { ...tinyNetwork, layers: tinyNetwork.layers.slice(1) };
  const otherRecipe = { ...findRecipe("fashion"), schedule: { kind: "step", everyEpochs: 1, factor: 0.5 } } as const;
  const differing: readonly (readonly [given: TrainOptions, says: string])[] = [
    [{ dataset: "cifar10" }, "DATASET is cifar10, the run was started with fashion-mnist"],
    [{ network: "alexnet-fashion" }, "--network is alexnet-fashion, the run was started with tiny"],
    [{ network: otherLayers }, "--network is tiny with other layers, the run was started with tiny"],
    [{ recipe: "d2l" }, "--recipe is d2l, the run was started with fashion"],
    [{ recipe: otherRecipe }, "--recipe is fashion with other schedule, the run was started with fashion"],
    [{ epochs: 3 }, "--epochs is 3, the run was started with 4"],
    [{ batchSize: 32 }, "--batch-size is 32, the run was started with 16"],
    [{ learningRate: 0.5 }, "--learning-rate is 0.5, the run was started with 0.01"],
    [{ momentum: 0 }, "--momentum is 0, the run was started with 0.9"],
    [{ weightDecay: 0 }, "--weight-decay is 0, the run was started with 0.0005"],
    [{ optimizer: "adam" }, "--optimizer is adam, the run was started with sgd"],
    [{ nesterov: true }, "--nesterov is true, the run was started with false"],
    [{ average: 0.9 }, "--average is 0.9, the run was started with none"],
    [{ schedule: "cosine" }, "--schedule is cosine, the run was started with constant"],
    [{ seed: 1 }, "--seed is 1, the run was started with 0"],
    [{ inputSize: 32 }, "--input-size is 32, the run was started with 28"],
    [{ exact: true }, "--exact is true, the run was started with false"],
    [{ precision: other }, `--precision is ${other}, the run was started with ${precision}`],
    [{ trainLimit: 401 }, "--train-limit is 401, the run was started with 400"],
    [{ testLimit: 10 }, "--test-limit is 10, the run was started with none"],
    [{ engine: "reference" }, "--engine is reference, the run was started with onednn"],
    [{ threads: 2 }, "--threads is 2, the run was started with 1"],
  ];
  for (const [given, says] of differing) {
    await assert.rejects(
      trainClassifier({ run, resume: true, ...given }),
      (error) => error instanceof AlexNetError && error.message.includes(says),
      says,
    );
  }
  const { exit, stderr } = await train("--run", undisturbed.run, "--resume", "--seed", "3", "--epochs", "2");
  assert.equal(exit, 1);
  assert.equal(
    stderr,
    "alexnet: resume: --epochs is 2, the run was started with 4; --seed is 3, the run was started with 0; leave these flags out, or start a new run\n",
  );
  const smaller = join(folder, "smaller");
  await mkdir(smaller);
  await writeTinyDataset(smaller, { train: 100, test: 40 });
  await assert.rejects(
    resume(undisturbed.run, { dataDir: smaller }),
    /smaller: expected the 400 training and 40 test images .*got 100 and 40/,
  );
});

test("a damaged last checkpoint: resume takes the one before, says so, and ends with the same weights", async () => {
  await trainUpTo(70, { ...options, run: join(folder, "to-damage") });
  const damages: readonly (readonly [file: string, damage: (path: string) => Promise<void>])[] = [
    ["last.safetensors", flipBit],
    ["last.safetensors", (path) => truncate(path, 3000)],
    ["last.optimizer.safetensors", flipBit],
    ["best.safetensors", (path) => truncate(path, 100)],
  ];
  for (const [i, [file, damage]] of damages.entries()) {
    const name = `damaged-${i}`;
    await cp(join(folder, "to-damage"), join(folder, name), { recursive: true });
    await damage(join(folder, name, file));
    const { messages } = await resume(name);
    assert.equal(messages.length, 1);
    assert.ok(messages[0]?.startsWith(`${join(folder, name, file)}: corrupt`), messages[0]);
    await assertSameRun(name, undisturbed.run);
  }
});

async function flipBit(path: string): Promise<void> {
  const bytes = await readFile(path);
  const place = bytes.length - 100;
  bytes[place] = (bytes[place] as number) ^ 4;
  await writeFile(path, bytes);
}

test("no checkpoint left to go on from: one message, and nothing is touched", async () => {
  await cp(join(folder, "to-damage"), join(folder, "hopeless"), { recursive: true });
  for (const name of ["last.safetensors", "previous.safetensors"]) await flipBit(join(folder, "hopeless", name));
  await assert.rejects(resume("hopeless"), /hopeless: no usable checkpoint; start a new run in another directory/);
  const { exit } = await train("--run", "hopeless", "--resume");
  assert.equal(exit, 1);
});

test("a disk too full for checkpoints: the old one stays, the run goes on, says so at the end, and can be resumed", async () => {
  const wide: TrainOptions = { ...options, network: wideNetwork, epochs: 3 };
  await trainWithoutReport({ ...wide, run: join(folder, "roomy") });
  await trainUpTo(30, { ...wide, run: join(folder, "full") });
  const before = await lastWeights(join(folder, "full"));
  // Weights are 820 kB, everything else in a run directory is below 150.
  const { exit, stderr } = await startTraining(["--run", "full", "--resume"], { fileLimit: 300 * 1024 }).outcome;
  assert.equal(exit, 1, stderr);
  assert.match(stderr, /last\.safetensors: cannot be written: .*; training continues and tries again\n/);
  assert.match(
    stderr,
    /epoch 3: .*\nalexnet: .*last\.safetensors: cannot be written: .*free some space; the previously saved content is kept\n$/,
  );
  assert.ok((await lastWeights(join(folder, "full"))).equals(before));
  assert.deepEqual(
    (await readdir(join(folder, "full"))).filter((name) => name.endsWith("tmp")),
    [],
  );
  await resume("full");
  await assertSameRun("full", "roomy");
});

test("a log and curves that cannot be written do not end a run; the lines come when they can", async () => {
  const directory = join(folder, "logless");
  const [log, aside] = [join(directory, "log.jsonl"), join(directory, "aside")];
  const curves = join(directory, "curves.svg");
  const messages: string[] = [];
  let epochs = 0;
  await trainWithoutReport({
    ...options,
    run: directory,
    observer: {
      onMessage: (message) => messages.push(message),
      onProgress({ epoch }) {
        // After the first line of the log, and before the curves are drawn for the first time.
        if (epochs === 0 && epoch > 0.85 && !existsSync(aside)) block();
      },
      onEpoch() {
        epochs++;
        if (epochs === 4) unblock();
      },
    },
  });
  function block() {
    renameSync(log, aside);
    for (const path of [log, curves]) {
      rmSync(path, { force: true });
      mkdirSync(path);
    }
  }
  function unblock() {
    for (const path of [log, curves]) rmdirSync(path);
    renameSync(aside, log);
  }
  const failures = messages.filter((message) => /cannot be written/.test(message));
  assert.equal(failures.length, 3, messages.join("\n"));
  for (const what of ["log.jsonl", "log.jsonl", "curves.svg"])
    assert.ok(failures.some((message) => message.includes(what)));
  await assertSameRun("logless", undisturbed.run);
});
