/** What `train --tensorboard` writes, read as TensorBoard does. */
import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readLog } from "../src/checkpoint/runLog.ts";
import { tensorboardObserver } from "../src/cli/tensorboard.ts";
import { crc32c, scalarsRecord } from "../src/report/tensorboardEvents.ts";
import { readRunConfig } from "../src/settings/runConfig.ts";
import { builtCommand, type Outcome, run, start } from "./command.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
let bin: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-tensorboard-"));
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 640, test: 40 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function alexnet(args: string): Promise<Outcome> {
  return run([bin, ...args.split(" ")], { cwd: folder });
}

const training = "--network tiny.json --data-dir data --threads 1 --batch-size 16";

/** The events of a file, read from the format's description; checks both checksums of every record. */
function readEvents(file: Buffer) {
  const unmask = (masked: number) => {
    const turned = (masked - 0xa282ead8) >>> 0;
    return ((turned >>> 17) | (turned << 15)) >>> 0;
  };
  const events: { step: number; isStart: boolean; values: Record<string, number> }[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    assert.equal(unmask(file.readUInt32LE(at + 8)), crc32c(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    assert.equal(unmask(file.readUInt32LE(at + 12 + length)), crc32c(data));
    at += 16 + length;
    const fields = fieldsOf(data);
    const summary = fields.find(({ field }) => field === 5)?.bytes;
    const values = (summary ? fieldsOf(summary) : []).map(({ bytes }) => {
      const [tag, value] = fieldsOf(bytes);
      return [tag?.bytes.toString(), value?.bytes.readFloatLE()] as const;
    });
    events.push({
      step: fields.find(({ field }) => field === 2)?.number ?? 0,
      isStart: fields.some(({ field }) => field === 7),
      values: Object.fromEntries(values),
    });
  }
  return events;
}

function fieldsOf(message: Buffer): { field: number; number: number; bytes: Buffer }[] {
  const fields: { field: number; number: number; bytes: Buffer }[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const type = key & 7;
    const number = type === 0 ? varint() : 0;
    const length = type === 2 ? varint() : ({ 0: 0, 1: 8, 5: 4 }[type] ?? Number.NaN);
    assert.ok(Number.isFinite(length), `wire type ${type}`);
    fields.push({ field: key >>> 3, number, bytes: message.subarray(at, at + length) });
    at += length;
  }
  return fields;
}

/** What TensorBoard shows of a folder: files in the order of their names; a start drops what was said of its step and later ones. */
async function shownBy(directory: string) {
  let shown: ReturnType<typeof readEvents> = [];
  for (const name of (await readdir(directory)).sort()) {
    for (const event of readEvents(await readFile(join(directory, name)))) {
      if (event.isStart) shown = shown.filter(({ step }) => step < event.step);
      if (Object.keys(event.values).length > 0) shown.push(event);
    }
  }
  return shown;
}

test("--tensorboard: every line of the log, at its iteration; a killed and resumed run has each once", async () => {
  const killed = start([bin, ...`train ${training} --epochs 400 --run tb-run --tensorboard tb`.split(" ")], {
    cwd: folder,
  });
  // Past an epoch's checkpoint, and some lines beyond.
  while ((await readLog(join(folder, "tb-run"))).length < 20) await new Promise((resolve) => setTimeout(resolve, 20));
  killed.process.kill("SIGKILL");
  await killed.outcome;
  // As if it had got further than its checkpoint: what TensorBoard has of that, the run goes over again.
  const [first = ""] = await readdir(join(folder, "tb/tb-run"));
  const beyond = { wallTime: 1, step: 100_000 };
  await appendFile(join(folder, "tb/tb-run", first), scalarsRecord(beyond, { "train/loss": 99 }));
  const { epoch = 0 } = (await readLog(join(folder, "tb-run"))).at(-1) ?? {};
  const config = join(folder, "tb-run/config.json");
  const text = await readFile(config, "utf8");
  await writeFile(config, text.replace('"epochs": 400', `"epochs": ${Math.ceil(epoch) + 2}`));
  const resumed = await alexnet("train --run tb-run --resume --data-dir data --threads 1 --tensorboard tb");
  assert.equal(resumed.exit, 0, resumed.stderr);

  const files = await readdir(join(folder, "tb/tb-run"));
  assert.equal(files.length, 2);
  const shown = await shownBy(join(folder, "tb/tb-run"));
  const log = await readLog(join(folder, "tb-run"));
  const float = Math.fround;
  assert.deepEqual(
    shown.map(({ step, values }) => [
      step,
      values["train/loss"] ?? values["epoch/train_loss"],
      values["test/accuracy"],
    ]),
    log.map(({ iteration, trainLoss, testAccuracy }) => [
      iteration,
      float(trainLoss),
      testAccuracy === undefined ? undefined : float(testAccuracy),
    ]),
  );
});

test("--tensorboard: what a rollback takes back is shown no more", async () => {
  const rescue = "--learning-rate 1e30 --on-divergence rollback --rollback-factor 1e-32 --epochs 1";
  const { exit, stderr } = await alexnet(`train ${training} ${rescue} --run rescued --tensorboard back`);
  assert.equal(exit, 0, stderr);
  const [name = ""] = await readdir(join(folder, "back/rescued"));
  const starts = readEvents(await readFile(join(folder, "back/rescued", name))).filter(({ isStart }) => isStart);
  assert.deepEqual(
    starts.map(({ step }) => step),
    [1, 1],
  );

  const config = await readRunConfig(join(folder, "rescued"));
  const [line] = await readLog(join(folder, "rescued"));
  assert.ok(config && line);
  const events = await tensorboardObserver(join(folder, "back"));
  events.onStart({ directory: "told", config, epoch: 0, iteration: 0 });
  const log = (iteration: number, trainLoss: number) => events.onLog({ ...line, iteration, trainLoss });
  for (const iteration of [20, 40, 60]) log(iteration, 9);
  events.onRollback({ epoch: 0.5, iteration: 30, rollback: 1, reason: "it did", learningRateFactor: 0.1 });
  log(40, 1);
  const shown = await shownBy(join(folder, "back/told"));
  assert.deepEqual(
    shown.map(({ step, values }) => [step, values["train/loss"]]),
    [
      [20, 9],
      [40, 1],
    ],
  );
});

test("--tensorboard: a folder that cannot be is refused before anything begins", async () => {
  const { exit, stderr } = await alexnet(`train ${training} --run never --tensorboard tiny.json/tb`);
  assert.equal(exit, 1);
  assert.match(stderr, /^alexnet: tiny\.json\/tb: cannot be written: /);
  assert.ok(!(await readdir(folder)).includes("never"));
});
