import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import * as z from "zod";
import { importTypeScript } from "../../test/command.ts";
import { CheckpointError } from "../errors.ts";
import { openRun, readConfig, writeConfig } from "./runDirectory.ts";
import { appendLog, type LogEntry, readLog, truncateLog } from "./runLog.ts";

const folders: string[] = [];
let folder = "";
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "alexnet-run-")), "runs", "a");
  folders.push(join(folder, "..", ".."));
});
after(async () => {
  for (const each of folders) await rm(each, { recursive: true });
});

const child = [...importTypeScript, join(import.meta.dirname, "../../test/checkpointProcess.ts")];

function start(task: string): ChildProcess {
  return spawn(process.execPath, [...child, task, folder], { stdio: ["ignore", "pipe", "inherit"] });
}

async function firstLine(process: ChildProcess): Promise<string> {
  const [data] = (await once(process.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return data.toString().trim();
}

/** The folder is unlocked: it can be opened, and closing it leaves nothing. */
async function assertFree(): Promise<void> {
  const run = await openRun(folder);
  assert.equal((await readdir(folder)).length, 1, "its own lock and no other");
  await run.close();
  assert.deepEqual(await readdir(folder), []);
}

test("a run directory is created, locked and unlocked; leftovers of dead processes are removed, other files kept", async () => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "last.safetensors.12345.alexnet-tmp"), "half");
  await writeFile(join(folder, "notes.tmp"), "mine");
  const run = await openRun(folder);
  await assert.rejects(openRun(folder), {
    name: "CheckpointError",
    message: `${folder}: run directory in use by process ${process.pid}; wait for it, stop it, or choose another one`,
  });
  await run.close();
  assert.deepEqual(await readdir(folder), ["notes.tmp"]);
  await (await openRun(folder)).close();
});

test("another process holds the run directory until it is killed", async () => {
  const holder = start("hold");
  assert.equal(await firstLine(holder), "held");
  await assert.rejects(openRun(folder), {
    message: `${folder}: run directory in use by process ${holder.pid}; wait for it, stop it, or choose another one`,
  });
  holder.kill("SIGKILL");
  await once(holder, "exit");
  await assertFree();
});

test("of several processes that start at once, exactly one gets the run directory", async () => {
  const racers = [start("hold"), start("hold"), start("hold")];
  const outcomes = await Promise.all(racers.map(firstLine));
  for (const racer of racers) racer.kill("SIGKILL");
  await Promise.all(racers.map((racer) => once(racer, "exit")));
  assert.equal(outcomes.filter((outcome) => outcome === "held").length, 1, outcomes.join("\n"));
  assert.equal(outcomes.filter((outcome) => outcome.includes("in use by process")).length, 2);
  await assertFree();
});

test("a process that ends without closing leaves no lock", async () => {
  await once(start("leave"), "exit");
  assert.deepEqual(await readdir(folder), []);
});

test("a zombie process does not hold the lock", async () => {
  // `exec` turns the shell into a parent that never waits for its child.
  const script = '"$0" "$@" & echo; exec sleep 60';
  const parent = spawn("bash", ["-c", script, process.execPath, ...child, "die", folder], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    await lockOf(/^lock-/);
    await assertFreeSoon();
  } finally {
    parent.kill("SIGKILL");
  }
});

async function lockOf(pattern: RegExp): Promise<string> {
  for (;;) {
    const names = await readdir(folder).catch(() => []);
    const found = names.find((name) => pattern.test(name));
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The lock exists before its owner kills itself: on a loaded machine, long before. */
async function assertFreeSoon(): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const run = await openRun(folder).catch(() => undefined);
    if (run) return run.close();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await assertFree();
}

test("a lock left by a dead process is released when another process has its ID", async () => {
  const run = await openRun(folder);
  const [lock] = await readdir(folder);
  await run.close();
  assert.ok(lock?.startsWith(`lock-${process.pid}-`));
  // This process's parent is running, but started at another time than the lock records.
  await writeFile(join(folder, (lock as string).replace(`-${process.pid}-`, `-${process.ppid}-`)), "");
  await assertFree();
});

test("the configuration is read back through its schema, and its errors name the file", async () => {
  const schema = z.object({ seed: z.int() });
  await mkdir(folder, { recursive: true });
  assert.equal(await readConfig(folder, schema), undefined);
  await writeConfig(folder, { seed: 1 });
  await writeConfig(folder, { seed: 2 });
  assert.deepEqual(await readConfig(folder, schema), { seed: 2 });
  for (const text of ["", '{"seed":', '{"seed":"x"}', '{"sead":1}']) {
    await writeFile(join(folder, "config.json"), text);
    await assert.rejects(readConfig(folder, schema), (error: Error) => {
      assert.ok(error instanceof CheckpointError);
      assert.ok(error.message.startsWith(`${join(folder, "config.json")}: not the configuration of a run: `));
      return true;
    });
  }
});

function entryAt(iteration: number): LogEntry {
  return {
    epoch: iteration / 469,
    iteration,
    trainLoss: 2.3 - iteration / 1000,
    trainAccuracy: 0.1,
    ...(iteration % 2 === 0 ? { testLoss: 2, testAccuracy: 0.2 } : {}),
    learningRate: 0.01,
    examplesPerSecond: 50.5,
    seconds: iteration * 2.5,
  };
}

test("the log grows by a line, and is cut back to an iteration to the byte", async () => {
  await mkdir(folder, { recursive: true });
  const file = join(folder, "log.jsonl");
  assert.deepEqual(await readLog(folder), []);
  for (const iteration of [1, 2, 3]) await appendLog(folder, entryAt(iteration));
  const upTo3 = await readFile(file, "utf8");
  assert.equal(upTo3.split("\n").length, 4);
  await appendLog(folder, entryAt(4));
  assert.deepEqual(await readLog(folder), [1, 2, 3, 4].map(entryAt));
  await truncateLog(folder, 3);
  assert.equal(await readFile(file, "utf8"), upTo3);
  await truncateLog(folder, 0);
  assert.deepEqual(await readLog(folder), []);
});

test("a line truncated at any byte is ignored, and removed when the log is truncated", async () => {
  await mkdir(folder, { recursive: true });
  const file = join(folder, "log.jsonl");
  await appendLog(folder, entryAt(1));
  const whole = await readFile(file, "utf8");
  await appendLog(folder, entryAt(2));
  const both = await readFile(file, "utf8");
  for (let kept = whole.length; kept < both.length; kept++) {
    await writeFile(file, both.slice(0, kept));
    assert.deepEqual(await readLog(folder), [entryAt(1)]);
  }
  await truncateLog(folder, 2);
  assert.equal(await readFile(file, "utf8"), whole);
});

test("an invalid line inside the log is an error that names it", async () => {
  await mkdir(folder, { recursive: true });
  await appendLog(folder, entryAt(1));
  const file = join(folder, "log.jsonl");
  const whole = await readFile(file, "utf8");
  for (const line of ["x", "{}", '{"epoch":1}']) {
    await writeFile(file, `${whole}${line}\n${whole}`);
    const message = /log\.jsonl: line 2: expected a log entry: /;
    await assert.rejects(readLog(folder), { name: "CheckpointError", message });
  }
});

test("no space for a log line: an error, and the log is unchanged", async () => {
  await mkdir(folder, { recursive: true });
  await appendLog(folder, entryAt(1));
  const file = join(folder, "log.jsonl");
  const before = await readFile(file, "utf8");
  // The other process may write files of 1024 bytes: no whole number of its lines, so that half a line would fit.
  const limited = ["-c", 'ulimit -f 1; exec "$0" "$@"', process.execPath, ...child, "log", folder];
  const { stdout } = await promisify(execFile)("bash", limited, { env: { ...process.env, TSX_DISABLE_CACHE: "1" } });
  assert.match(stdout, /^CheckpointError: .*log\.jsonl: cannot be written: EFBIG/);
  const kept = await readFile(file, "utf8");
  assert.ok(kept.startsWith(before) && kept.endsWith("}\n") && kept.length < 1024);
  assert.ok((await readLog(folder)).length > 1);
});
