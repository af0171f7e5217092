/** Experiments end to end, on small made data: their pages and figures against the runs' logs, resuming, and refusals. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { checkpointFiles } from "../src/checkpoint/checkpointFiles.ts";
import { evaluationsOf, readLog } from "../src/checkpoint/runLog.ts";
import { ConfigError, DataError, UsageError } from "../src/errors.ts";
import { experiments, findExperiment } from "../src/experiments/experiments.ts";
import type { ExperimentResult } from "../src/experiments/report.ts";
import { type ReproduceOptions, reproduce } from "../src/experiments/reproduce.ts";
import { type Changes, scaled } from "../src/experiments/scaledExperiment.ts";
import { evaluateEnsemble } from "../src/model/evaluateEnsemble.ts";
import { experimentProblems } from "./experimentRules.ts";
import { runMain } from "./mainOutput.ts";
import { root } from "./sourceFiles.ts";
import { testFolder } from "./testFolder.ts";
import { drawingNetwork, lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

const at = testFolder("reproduce", async (path) => {
  await mkdir(path("data"));
  await writeTinyDataset(path("data"), { train: 120, test: 40 });
});

/** Settings with which a run takes half a second: small images, a small network. */
function small(name: string, options: Partial<ReproduceOptions> = {}): ReproduceOptions {
  const { settings = {}, ...others } = options;
  return {
    output: at(name),
    seeds: 1,
    quick: true,
    ...others,
    settings: {
      dataset: "fashion-mnist",
      dataDir: at("data"),
      network: tinyNetwork,
      threads: 1,
      precision: "f32",
      trainLimit: 100,
      testLimit: 40,
      batchSize: 16,
      epochs: 1,
      ...settings,
    },
  };
}

async function resultsOf(name: string): Promise<ExperimentResult> {
  return JSON.parse(await readFile(join(at(name), "results.json"), "utf8"));
}

/** Settings and arms of each experiment's small run. */
const cases: Readonly<Record<string, Partial<ReproduceOptions>>> = {
  "relu-tanh": { arms: ["ReLU, paper", "tanh, paper"], search: [0.01, 0.03], settings: { epochs: 2 } },
  "lrn-cifar10": { settings: { inputSize: 24, multipliers: {} }, arms: ["no normalization", "batch normalization"] },
  ablations: { arms: ["all methods", "no weight decay", "no colour noise"] },
  "ablations-227": { arms: ["all methods", "no weight decay"] },
  "input-224-227": { seeds: 2 },
  "views-ensembles": { settings: { inputSize: 24, dataset: "fashion-mnist" } },
  "rgb-samples": { settings: { network: { ...drawingNetwork, name: "tiny-drawing" } } },
  "data-size": { arms: ["as they are, 32; 1,000 images", "as they are, 32; 5,000 images"] },
  fit: { arms: ["pad", "stretch"], settings: { inputSize: 28, dataset: undefined, dataDir: undefined } },
  flowers: { settings: { epochs: 2 } },
  "modern-small": { arms: ["the recipe", "without label smoothing"] },
  "modern-fashion": { arms: ["the recipe"] },
  "large-batch": { arms: ["SGD, batch 128", "LARS, batch 128"], settings: { warmup: 0.5 } },
};

test("every experiment is complete: settings that resolve, arms, measures, figures", async () => {
  assert.deepEqual(await experimentProblems(experiments), []);
  const page = await readFile(join(root, "docs/experiments.md"), "utf8");
  for (const { name, minutes } of experiments) {
    assert.match(page, new RegExp(`^\\| \`${name}\` \\| .* \\| ${minutes} \\|$`, "m"));
  }
  assert.deepEqual(Object.keys(cases).toSorted(), experiments.map(({ name }) => name).toSorted());
});

for (const [name, given] of Object.entries(cases)) {
  test(`${name}: the page, the figures, and results that are those of the logs`, async () => {
    const { end, page, result } = await reproduce(name, small(name, given));
    assert.equal(end, "finished");
    const files = await readdir(at(name));
    const { figures } = experiments.find((experiment) => experiment.name === name) ?? { figures: [] };
    for (const figure of figures) {
      assert.ok(files.includes(`${figure.name}.svg`) && files.includes(`${figure.name}.png`), figure.name);
    }
    const html = await readFile(page ?? "", "utf8");
    assert.equal(html.match(/<svg /g)?.length, 2 * figures.length);
    assert.doesNotMatch(html, /(?:src|href)="(?!data:|#)/);
    for (const text of [result?.claim ?? "?", result?.conclusion ?? "?", "tiny"]) {
      assert.ok(html.includes(text), text);
    }
    const stored = await resultsOf(name);
    assert.deepEqual(stored, result);
    await checkFigures(name, stored);
  });
}

/** Compares test errors and curves of the results with the logs of the runs. */
async function checkFigures(name: string, { arms, figures, seeds }: ExperimentResult): Promise<void> {
  for (const arm of arms) {
    assert.equal(arm.runs.length, seeds);
    const logs = await Promise.all(arm.runs.map(({ directories: [run = ""] }) => readLog(join(at(name), run))));
    const errors = logs.map((log) => 1 - (evaluationsOf(log).at(-1)?.testAccuracy ?? Number.NaN));
    if (arm.measures["testError"]) assert.deepEqual(arm.measures["testError"].values, errors);
    for (const { title, series } of figures) {
      const line = series.find((each) => each.name === arm.name);
      if (!line || !title.startsWith("Training error")) continue;
      const curve = evaluationsOf(logs[0] ?? []).map(({ epoch, trainAccuracy }) => [epoch, 1 - trainAccuracy]);
      assert.deepEqual(
        line.points.map(({ x, values }) => [x, values[0]]),
        curve,
      );
    }
  }
}

test("relu-tanh: each activation has the learning rate with the lowest error, and a further seed only that one", async () => {
  const options = small("relu-tanh", { ...cases["relu-tanh"], seeds: 2 });
  const { result } = await reproduce("relu-tanh", options);
  assert.equal(result?.seeds, 2);
  const trials = async (seed: number) =>
    (await readdir(join(at("relu-tanh"), `seed-${seed}`))).filter((file) => file.startsWith("trial-"));
  assert.deepEqual([(await trials(0)).length, (await trials(1)).length], [4, 2]);
  for (const [i, arm] of (result?.arms ?? []).entries()) {
    const errors = await Promise.all(
      [1, 2].map(async (n) => {
        const log = await readLog(join(at("relu-tanh"), "seed-0", `trial-00${2 * i + n}`));
        return 1 - (evaluationsOf(log).at(-1)?.trainAccuracy ?? Number.NaN);
      }),
    );
    assert.equal(arm.settings["learningRate"], (errors[0] as number) <= (errors[1] as number) ? 0.01 : 0.03);
    assert.equal(arm.measures["runningError"]?.values[0], Math.min(...errors));
  }
});

test("relu-tanh: a setting of the searched key ends the search, and results name the learning rate that was trained with", async () => {
  const settings = { learningRate: 0.02 };
  const { result } = await reproduce("relu-tanh", small("fixed", { arms: ["tanh, paper"], settings }));
  assert.deepEqual(
    (await readdir(join(at("fixed"), "seed-0"))).filter((file) => file.startsWith("trial-")),
    ["trial-001"],
  );
  assert.equal(result?.overrides["learningRate"], 0.02);
  assert.equal(result?.arms[0]?.settings["learningRate"], 0.02);
  for (const [options, message] of [
    [{ settings, search: [0.1] }, /values of the search and a setting learningRate; omit one/],
    [{ settings: { seed: 5 } }, /relu-tanh: the setting seed, because seeds are 0, 1, 2 …; state their number/],
  ] as const) {
    await assert.rejects(reproduce("relu-tanh", small("none", options)), (error) => {
      assert.ok(error instanceof UsageError);
      return message.test(error.message);
    });
  }
  await assert.rejects(reproduce("fit", small("none", { search: [0.1] })), /fit: searches no setting; omit the values/);
});

test("other values of the search say nothing about the claim, nor do other settings; other threads do", () => {
  const experiment = findExperiment("relu-tanh");
  const isChanged = (changes: Changes) => scaled(experiment, changes).isChanged;
  assert.deepEqual([{}, { settings: { threads: 3 } }, { search: experiment.search?.values ?? [] }].map(isChanged), [
    false,
    false,
    false,
  ]);
  assert.deepEqual([{ quick: true }, { settings: { epochs: 3 } }, { search: [1] }].map(isChanged), [true, true, true]);
});

test("views-ensembles: an ensemble's error is that of the evaluation, stored once", async () => {
  const file = join(at("views-ensembles"), "seed-0", "evaluations.json");
  const made = JSON.parse(await readFile(file, "utf8"));
  const { arms } = await resultsOf("views-ensembles");
  assert.deepEqual(
    Object.entries(arms[0]?.measures ?? {}).map(([measure, { values }]) => [measure, values[0]]),
    Object.entries(made["alexnet-small"]),
  );
  await writeFile(file, JSON.stringify({ "alexnet-small": { ...made["alexnet-small"], "1 network, one view": 0.5 } }));
  const { result } = await reproduce("views-ensembles", small("views-ensembles", cases["views-ensembles"]));
  assert.equal(result?.arms[0]?.measures["1 network, one view"]?.mean, 0.5);
});

test("rgb-samples: one sample is the plain evaluation, and more samples are evaluations of their own", async () => {
  const { arms } = await resultsOf("rgb-samples");
  const weights = checkpointFiles(join(at("rgb-samples"), arms[0]?.runs[0]?.directories[0] ?? "")).last;
  for (const samples of [1, 4]) {
    const evaluation = await evaluateEnsemble([weights], { samples, threads: 1, batchSize: 64, limit: 40 });
    const name = `${samples} sample${samples === 1 ? "" : "s"}`;
    assert.equal(arms[0]?.measures[name]?.values[0], 1 - (evaluation?.top1Accuracy ?? 0));
  }
});

test("an experiment that was stopped in its second trial ends as one that was not", async () => {
  const options = { arms: ["all methods", "no weight decay"], settings: { epochs: 2 } };
  const stop = new AbortController();
  let iterations = 0;
  const stopped = await reproduce(
    "ablations",
    small("stopped", {
      ...options,
      signal: stop.signal,
      // 7 iterations an epoch: within the first epoch of the second trial.
      observer: { onProgress: () => void (++iterations === 2 * 7 + 3 && stop.abort()) },
    }),
  );
  assert.deepEqual([stopped.end, stopped.page], ["interrupt", undefined]);
  const begun: string[] = [];
  const onTrial = ({ name }: { readonly name: string }) => void begun.push(name);
  const resumed = await reproduce("ablations", small("stopped", { ...options, onTrial }));
  assert.deepEqual(begun, ["no weight decay"]);
  const whole = await reproduce("ablations", small("whole", options));
  for (const trial of ["trial-001", "trial-002"]) {
    const [a, b] = [join(at("stopped"), "seed-0", trial), join(at("whole"), "seed-0", trial)];
    assert.deepEqual(await timelessLog(a), await timelessLog(b));
    assert.deepEqual(await lastWeights(a), await lastWeights(b));
  }
  const timeless = ({ result }: typeof whole) => result?.arms.map(({ measures: { step: _step, ...others } }) => others);
  assert.deepEqual(timeless(resumed), timeless(whole));
  const again = await reproduce("ablations", small("stopped", { ...options, onTrial }));
  assert.deepEqual([again.end, begun.length], ["finished", 1]);
});

test("a time limit ends the call, and the same call continues", async () => {
  const options = { arms: ["224, padding 1"] };
  const first = await reproduce("input-224-227", small("limited", { ...options, maxMinutes: 1e-5 }));
  assert.equal(first.end, "time");
  assert.equal((await reproduce("input-224-227", small("limited", options))).end, "finished");
});

test("a trial that diverges is a result without the measures that it did not reach", async () => {
  const options = { arms: ["ReLU, paper", "tanh, paper"], search: [1e30] };
  const { result } = await reproduce("relu-tanh", small("diverged", options));
  const relu = result?.arms[0];
  assert.equal(relu?.runs[0]?.status, "diverged");
  assert.deepEqual(relu?.measures, { epochsToTarget: { mean: null, deviation: 0, values: [null] } });
  assert.match(await readFile(join(at("diverged"), "index.html"), "utf8"), /not reached/);
});

test("folders of another experiment, other settings and other files are refused and stay as they are", async () => {
  const run = (name: string, output: string, options: Partial<ReproduceOptions> = {}) =>
    reproduce(name, small(output, { arms: ["pad"], ...options }));
  const message = (pattern: RegExp) => (error: unknown) => error instanceof ConfigError && pattern.test(error.message);
  await assert.rejects(
    run("fit", "flowers"),
    message(
      /flowers: contains the experiment flowers, see .*experiment\.json; choose another directory with --output$/,
    ),
  );
  await assert.rejects(
    reproduce("flowers", small("flowers")),
    message(/flowers: contains flowers with other settings, see /),
  );
  await mkdir(at("mine"));
  await writeFile(at("mine/thesis.txt"), "");
  await assert.rejects(run("fit", "mine"), message(/mine: contains other files, such as thesis\.txt; choose/));
  assert.deepEqual(await readdir(at("mine")), ["thesis.txt"]);
});

test("an unknown name or arm is refused with near ones, a missing data set with how to get it", async () => {
  await assert.rejects(reproduce("relu-tan", small("none")), (error) => {
    assert.ok(error instanceof UsageError);
    return /experiment "relu-tan": unknown \(did you mean relu-tanh\?\); expected one of relu-tanh, /.test(
      error.message,
    );
  });
  await assert.rejects(
    reproduce("fit", small("none", { arms: ["squeeze"] })),
    /unknown arm "squeeze"; expected one of pad/,
  );
  await mkdir(at("empty"), { recursive: true });
  await assert.rejects(
    reproduce("ablations", { output: at("none"), settings: { dataDir: at("empty") } }),
    (error) => error instanceof DataError && /data set cifar10 is missing\. .*empty/.test(error.message),
  );
  await assert.rejects(readdir(at("none")), /ENOENT/, "nothing is written before");
});

test("the command: a list, JSON, and a run with its table", async () => {
  const { stdout: listed } = await runMain("reproduce");
  for (const { name } of experiments) assert.match(listed, new RegExp(`^${name}: about \\d+ minutes; `, "m"));
  for (const line of listed.split("\n")) assert.ok(line.length <= 80, line);
  const rows = JSON.parse((await runMain("reproduce", "--json")).stdout);
  assert.deepEqual(Object.keys(rows[0]), ["name", "source", "claim", "minutes", "needs"]);
  const { network: _network, ...settings } = small("").settings ?? {};
  await writeFile(at("small.json"), JSON.stringify({ ...settings, network: at("tiny.json"), inputSize: 28 }));
  await writeFile(at("tiny.json"), JSON.stringify(tinyNetwork));
  const args = ["reproduce", "flowers", "--quick", "--config", at("small.json"), "--output", at("command")];
  const { stdout } = await runMain(...args);
  assert.match(
    stdout,
    /^test error; guessing has 80 %\n {2}published curves only; measured [^\n]*\n\nThe comparison .*\npage /s,
  );
  for (const line of stdout.split("\n").slice(0, -2)) assert.ok(line.length <= 80, line);
  const json = JSON.parse((await runMain(...args, "--json")).stdout);
  assert.deepEqual(Object.keys(json), ["output", "end", "result", "page"]);
  assert.match(json.result.command, /^alexnet reproduce flowers --quick/);
  await rm(at("command"), { recursive: true });
});
