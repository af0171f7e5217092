/** The live view of a long log: each line is read once, and page and memory do not grow with the lines. Counts bytes and points, not time. */
import assert from "node:assert/strict";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type LogEntry, type LogPosition, logStart, readLogAfter, truncateLog } from "../src/checkpoint/runLog.ts";
import { createLiveRun, type LiveRun, type LiveView } from "../src/runs/liveRun.ts";
import { listRuns } from "../src/runs/runState.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-live-log-"));
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 400, test: 40 });
  const options = { dataDir: join(folder, "data"), threads: 1, epochs: 1, batchSize: 16 };
  await trainWithoutReport({ ...options, network: tinyNetwork, run: join(folder, "trained") });
});
after(() => rm(folder, { recursive: true }));

const LINES = 40_000;

/** Line n of a log that is evaluated each 20 lines. */
function entryAt(n: number): LogEntry {
  const evaluated = n % 20 === 0 ? { testLoss: 0.4 + 1 / n, testAccuracy: 0.9 - 1 / n } : {};
  return {
    epoch: n / 200,
    iteration: 20 * n,
    trainLoss: 0.3 + 2 * Math.exp(-n / 5000) + 0.05 * Math.sin(n),
    trainAccuracy: 0.8 + 0.05 * Math.cos(n),
    ...evaluated,
    learningRate: n < LINES / 2 ? 0.01 : 0.001,
    examplesPerSecond: 200 + Math.sin(n),
    seconds: n,
  };
}

const linesOf = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${JSON.stringify(entryAt(from + i))}\n`).join("");

/** A copy of the run whose log has lines 1 to n. */
async function runWithLines(name: string, lines: number): Promise<string> {
  const directory = join(folder, name);
  await cp(join(folder, "trained"), directory, { recursive: true });
  await writeFile(join(directory, "log.jsonl"), linesOf(1, lines));
  return directory;
}

/** Bytes that this process has read, of files and whatever else. */
async function bytesRead(): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile("/proc/self/io", "utf8"))?.[1]);
}

/** The next view: a view that was just drawn is shown again for a moment. */
async function viewAfter(run: LiveRun, { version }: LiveView): Promise<LiveView> {
  for (;;) {
    const view = await run.view();
    if (view.version !== version) return view;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const pointsOf = (svg: string) => (svg.match(/[ML][\d.]+,[\d.]+/g) ?? []).length;

test("a view of a long log has as many points and bytes as one of a short log; what is new is read alone", async () => {
  const short = await (await createLiveRun(await runWithLines("short", 1000), { fractionOfTime: 1000 })).view();
  const directory = await runWithLines("long", LINES);
  const run = await createLiveRun(directory, { fractionOfTime: 1000 });
  const first = await run.view();
  for (const piece of ["wide", "narrow", "pace"] as const) {
    const [points, shortPoints] = [pointsOf(first.pieces[piece]), pointsOf(short.pieces[piece])];
    assert.ok(points > 300 && points < 1.5 * shortPoints + 600, `${piece}: ${points} points, ${shortPoints} of 1,000`);
    assert.ok(first.pieces[piece].length < 100_000, `${piece}: ${first.pieces[piece].length} bytes`);
  }
  await appendFile(join(directory, "log.jsonl"), linesOf(LINES + 1, LINES + 10));
  const { size } = await stat(join(directory, "log.jsonl"));
  const before = process.platform === "linux" ? await bytesRead() : 0;
  const next = await viewAfter(run, first);
  assert.match(next.pieces.figures, /<dt>iteration<\/dt><dd>800,200<\/dd>/);
  // Configuration, checkpoint and the new lines.
  const read = process.platform === "linux" ? (await bytesRead()) - before : 0;
  assert.ok(size > 6e6 && read < size / 4, `${read} bytes read of a log of ${size}`);
});

test("a log that was rewritten is read again: a rollback removes lines, a new run begins anew", async () => {
  const directory = await runWithLines("rewritten", 1000);
  const run = await createLiveRun(directory, { fractionOfTime: 1000 });
  const first = await run.view();
  assert.match(first.pieces.figures, /<dt>iteration<\/dt><dd>20,000<\/dd>/);
  await truncateLog(directory, 10_000);
  // Longer than before, with other lines.
  const others = linesOf(501, 1200).replaceAll('"trainAccuracy":0.8', '"trainAccuracy":0.1');
  await appendFile(join(directory, "log.jsonl"), others);
  const next = await viewAfter(run, first);
  assert.match(next.pieces.figures, /<dt>iteration<\/dt><dd>24,000<\/dd>/);
  const fresh = await (await createLiveRun(directory, { fractionOfTime: 1000 })).view();
  assert.deepEqual(next.pieces, fresh.pieces);
});

test("lines are visited once, whole, in order, at any pace of a writer", async () => {
  const directory = join(folder, "pieces");
  await mkdir(directory);
  const file = join(directory, "log.jsonl");
  const text = linesOf(1, 400);
  const seen: number[] = [];
  let position: LogPosition | undefined = logStart;
  const read = async () => {
    assert.ok(position);
    position = await readLogAfter(directory, position, ({ iteration }) => seen.push(iteration));
  };
  await read();
  assert.deepEqual(position, logStart);
  // Pieces of lines; 997 bytes are no multiple of any line.
  for (let from = 0; from < text.length; from += 997) {
    await appendFile(file, text.slice(from, from + 997));
    await read();
    assert.equal(seen.length, text.slice(0, from + 997).split("\n").length - 1);
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 400 }, (_, i) => 20 * (i + 1)),
  );
  await writeFile(file, linesOf(2, 500));
  assert.equal(await readLogAfter(directory, position ?? logStart, () => assert.fail("a visit")), undefined);
  await writeFile(file, `${linesOf(1, 2)}${"x".repeat(1 << 19)}`);
  await assert.rejects(
    readLogAfter(directory, logStart, () => {}),
    { name: "CheckpointError", message: /log\.jsonl: line 3: expected a log entry of less than 262144 bytes/ },
  );
});

test("alexnet runs: figures of a long log, as of its lines", async () => {
  const [listed] = await listRuns(await runWithLines("listed", LINES));
  assert.ok(listed && "bestAccuracy" in listed);
  assert.deepEqual([listed.iteration, listed.epoch], [20 * LINES, LINES / 200]);
  assert.deepEqual([listed.bestAccuracy, listed.lastAccuracy], [0.9 - 1 / LINES, 0.9 - 1 / LINES]);
});
