/** Training of the sample in a tab, relative to the same engine in Node.js, and the test accuracy of a short run. */
/// <reference lib="dom" />
import type { Browser, Page } from "playwright-core";
import { decodeSample } from "../src/dataset/sampleFile.ts";
import { createWasmEngine } from "../src/engine/wasm/wasm.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { withInput } from "../src/network/network.ts";
import { spread } from "../src/report/tables/spread.ts";
import { initialPosition } from "../src/training/state.ts";
import { createRun, type Run } from "../src/web/worker/run.ts";
import { openRecorded, type PageRecord, recordOf } from "./webRecord.ts";

/** Rounds, and milliseconds of each turn and of the run whose accuracy is measured. */
interface TrainingOptions {
  readonly rounds: number;
  readonly turn: number;
  readonly accuracyAfter: number;
}

/** Images per second as medians, the median of their ratios, and a test accuracy. */
interface MeasuredTraining {
  readonly tab: number;
  readonly node: number;
  readonly ratio: number;
  readonly accuracy: number;
}

/** Trains by turns in Node.js and in a tab at `url`. */
export async function measureTraining(
  browser: Browser,
  url: string,
  { rounds, turn, accuracyAfter }: TrainingOptions,
): Promise<MeasuredTraining> {
  const page = await openRecorded(browser, url);
  // The engine of Node.js here, whatever graphics adapter there is.
  await page.getByLabel("Computation").selectOption("wasm");
  await page.getByRole("button", { name: "Use the Fashion-MNIST sample" }).click();
  await page.getByText("Ankle boot").first().waitFor();
  await createRunIn(page, "1000");
  const { recipe } = await recordOf(page);
  if (!recipe) throw new Error("the page has created no run");
  const bytes = await page.evaluate(async () => {
    const response = await fetch("fashion-mnist.bin.gz");
    const unpacked = response.body?.pipeThrough(new DecompressionStream("gzip"));
    return [...new Uint8Array(await new Response(unpacked).arrayBuffer())];
  });
  const node = await createNodeRun(Uint8Array.from(bytes), recipe, turn);
  const speeds: { readonly tab: number[]; readonly node: number[] } = { tab: [], node: [] };
  // The first turns compile.
  for (let round = -1; round < rounds; round++) {
    const [inNode, inTab] = [await node.speed(), await speedInTab(page, turn)];
    if (round < 0) continue;
    speeds.node.push(inNode);
    speeds.tab.push(inTab);
  }
  await node.close();
  const accuracy = await accuracyIn(page, accuracyAfter);
  await page.context().close();
  const ratios = speeds.tab.map((speed, i) => speed / (speeds.node[i] ?? Number.NaN));
  const [tab = Number.NaN, inNode = Number.NaN, ratio = Number.NaN] = [speeds.tab, speeds.node, ratios].map(
    (values) => spread(values).median,
  );
  return { tab, node: inNode, ratio, accuracy };
}

/** Test accuracy of a new run with the settings of the page, once it is paused. */
async function accuracyIn(page: Page, milliseconds: number): Promise<number> {
  await createRunIn(page, "10");
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForTimeout(milliseconds);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Start" }).waitFor({ timeout: 0 });
  return (await recordOf(page)).tests.at(-1) ?? 0;
}

async function createRunIn(page: Page, epochs: string): Promise<void> {
  await page.getByLabel("Epochs").fill(epochs);
  await page.getByLabel("Epochs").press("Enter");
  await page.getByRole("button", { name: "Create the run" }).click();
  await page.getByText(`0.00 / ${Number(epochs).toLocaleString("en-US")}`).waitFor();
}

/** Images per second of a turn, by the clock. */
async function speedInTab(page: Page, turn: number): Promise<number> {
  const { iterations } = await recordOf(page);
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForTimeout(turn);
  const pause = page.getByRole("button", { name: "Pause" });
  await pause.click();
  // A second time, without the evaluation.
  await page.getByText(/^Testing/).waitFor();
  await pause.click();
  await page.getByRole("button", { name: "Start" }).waitFor();
  const record = await recordOf(page);
  return speedOf(record.iterations.slice(iterations.length), record.recipe?.batchSize ?? Number.NaN);
}

function speedOf(times: readonly number[], batchSize: number): number {
  const [first = Number.NaN, last = first] = [times[0], times.at(-1)];
  return (1000 * batchSize * (times.length - 1)) / (last - first);
}

async function createNodeRun(sample: Uint8Array, recipe: NonNullable<PageRecord["recipe"]>, turn: number) {
  const dataset = decodeSample(sample);
  const engine = await createWasmEngine();
  const { height, width } = dataset.imageSize ?? { height: 28, width: 28 };
  let times: number[] = [];
  const run: Run = await createRun({
    network: withInput(findNetwork("alexnet-small"), [dataset.channels, height, width]),
    recipe,
    dataset,
    engine,
    start: initialPosition,
    save: async () => {},
    onEvent: ({ kind }) => {
      if (kind === "iteration") times.push(performance.now());
      if (kind === "testing") void run.pause();
    },
  });
  return {
    async speed(): Promise<number> {
      times = [];
      const training = run.train(false);
      setTimeout(() => void run.pause(), turn);
      await training;
      return speedOf(times, recipe.batchSize);
    },
    async close() {
      await run.close();
      engine.close();
    },
  };
}
