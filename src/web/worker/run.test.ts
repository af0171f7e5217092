import assert from "node:assert/strict";
import { test } from "node:test";
import { fromArrays } from "../../dataset/arrays.ts";
import { createWasmEngine } from "../../engine/wasm/wasm.ts";
import { conv2d, flatten, linear, relu } from "../../layers/kinds.ts";
import type { AnyLayer } from "../../layers/layer.ts";
import { findRecipe, parseRecipe } from "../../training/recipe.ts";
import { initialPosition } from "../../training/state.ts";
import type { SavedState } from "./checkpoints.ts";
import { createRun, type Run } from "./run.ts";
import type { TrainerEvent } from "./trainerApi.ts";

const layers = [
  conv2d("conv1", { outChannels: 2, kernelSize: 3 }),
  relu("relu1"),
  flatten("flatten"),
  linear("fc2", { outFeatures: 2 }),
] as readonly AnyLayer[];
const network = { name: "small", source: "", deviations: [], input: [1, 8, 8], layers } as const;
const [images, batchSize] = [80, 4];

/** A run on squares that are dark or light; `react` is called with its events. */
async function runOn(
  { state, learningRate = 0.01 }: { readonly state?: SavedState; readonly learningRate?: number },
  react: (event: TrainerEvent, run: () => Run) => void,
) {
  const squares = Array.from({ length: images }, (_, i) => ({
    ...{ width: 8, height: 8, channels: 1 as const },
    data: new Uint8Array(64).fill(100 * (i % 2) + i),
  }));
  const dataset = fromArrays(
    squares,
    squares.map((_, i) => i % 2),
    { validationFraction: 0.5 },
  );
  const recipe = parseRecipe({ ...findRecipe("small"), name: "browser", epochs: 2, batchSize, learningRate });
  const engine = await createWasmEngine({ threads: 1 });
  const saved: SavedState[] = [];
  const run: Run = await createRun({
    network,
    recipe,
    dataset,
    engine,
    start: initialPosition,
    ...(state && { state }),
    save: async (each) => void saved.push(structuredClone(each)),
    onEvent: (event) => react(event, () => run),
  });
  return { run, saved, close: () => engine.close() };
}

test("a pause during an evaluation leaves no prediction of it in the next one", async () => {
  let isPaused = false;
  const evaluated: (readonly number[])[] = [];
  const { run, close } = await runOn({}, (event, own) => {
    if (event.kind === "test") evaluated.push(event.test.images.map(({ index }) => index));
    if (event.kind !== "testing" || isPaused) return;
    isPaused = true;
    assert.ok(event.images < event.of, "several batches");
    void own().pause();
  });
  await run.train(false);
  assert.ok(isPaused);
  assert.equal(run.progress.iteration, images / 2 / batchSize);
  await run.train(false);
  const all = Array.from({ length: images / 2 }, (_, i) => i);
  assert.deepEqual(evaluated, [all, all]);
  close();
});

test("a pause evaluates the weights, so that a download is of the newest or better ones", async () => {
  const evaluated: number[] = [];
  const { run, saved, close } = await runOn({}, (event, own) => {
    if (event.kind === "test") evaluated.push(event.test.iteration);
    if (event.kind === "iteration" && event.point.iteration === 3) void own().pause();
  });
  await run.train(false);
  assert.equal(run.isRunning, false);
  assert.ok(run.progress.iteration < images / 2 / batchSize, "within the first epoch");
  assert.deepEqual(evaluated, [run.progress.iteration]);
  const { weights } = await run.model();
  assert.deepEqual([...weights], saved.at(-1)?.weights);
  await run.close();
  close();
});

test("a save on request is of the next position, and training continues", async () => {
  const { run, saved, close } = await runOn({}, (event, own) => {
    if (event.kind === "iteration" && event.point.iteration === 3) own().save();
  });
  await run.train(false);
  const [first] = saved;
  assert.ok(first);
  const { iteration } = first.position;
  assert.ok(iteration >= 3 && iteration < images / 2 / batchSize, "within the first epoch, before its evaluation");
  assert.equal(saved.filter(({ position }) => position.iteration === iteration).length, 1);
  assert.equal(run.progress.epoch, 2);
  close();
});

test("a run that continues from a saved state ends with the weights of an uninterrupted one, bit for bit", async () => {
  const whole = await runOn({}, () => {});
  await whole.run.train(false);
  const first = await runOn({}, () => {});
  await first.run.train(true);
  const state = first.saved.at(-1);
  assert.equal(state?.position.iteration, 1);
  const rest = await runOn({ ...(state && { state }) }, () => {});
  await rest.run.train(false);
  assert.deepEqual(rest.saved.at(-1)?.weights, whole.saved.at(-1)?.weights);
  assert.deepEqual((await rest.run.model()).weights, (await whole.run.model()).weights);
  for (const { close } of [whole, first, rest]) close();
});

test("a run that diverges ends with a remedy for the page", async () => {
  const ends: TrainerEvent[] = [];
  const { run, close } = await runOn({ learningRate: 1e30 }, (event) => {
    if (event.kind === "stopped") ends.push(event);
  });
  await run.train(false);
  const [end] = ends;
  assert.equal(end?.kind === "stopped" && end.end, "failed");
  const problem = end?.kind === "stopped" ? (end.problem ?? "") : "";
  assert.match(problem, /after iteration \d+; create a run with a lower learning rate than 1e\+30$/);
  close();
});
