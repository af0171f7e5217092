// Runs alone: it holds limits of time.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { type LocalServer, serve } from "../../../test/localServer.ts";
import { DataError } from "../../errors.ts";
import { downloadFile } from "./download.ts";

const bytes = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, i) => (i * i) % 251));
const md5 = createHash("md5").update(bytes).digest("hex");

type Answer = (range: string | undefined, response: ServerResponse) => void;

/** Answers like a server that supports ranges. */
const ranges: Answer = (range, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  if (range === undefined) response.end(bytes);
  else if (start >= bytes.length) response.writeHead(416).end();
  else {
    response.writeHead(206, { "Content-Range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
    response.end(bytes.subarray(start));
  }
};

/** Aborts after this many bytes of the file. */
const cutAt =
  (end: number): Answer =>
  (range, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const headers = { "Content-Length": bytes.length - start };
    if (range === undefined) response.writeHead(200, headers);
    else response.writeHead(206, { ...headers, "Content-Range": `bytes ${start}-99999/100000` });
    response.write(bytes.subarray(start, end));
    onReceived = () => received >= end && response.destroy();
  };

let root: string;
let folder: string;
let server: LocalServer;
let url: string;
let answer = ranges;
let asked: (string | undefined)[] = [];
const encodings = new Set<string | undefined>();
let received = 0;
let onReceived: () => void = () => {};
before(async () => {
  root = await mkdtemp(join(tmpdir(), "alexnet-resume-"));
  server = await serve((request, response) => {
    asked.push(request.headers.range);
    encodings.add(request.headers["accept-encoding"]);
    answer(request.headers.range, response);
  });
  url = `${server.url}/file`;
});
beforeEach(async () => {
  folder = await mkdtemp(join(root, "test-"));
  [asked, answer, onReceived] = [[], ranges, () => {}];
});
after(async () => {
  server.close();
  await rm(root, { recursive: true });
});

function download(signal?: AbortSignal): Promise<void> {
  received = 0;
  const onBytes = (length: number) => {
    received += length;
    onReceived();
  };
  return downloadFile({ url, path: join(folder, "file"), md5, timeoutSeconds: 10, onBytes, signal });
}

async function assertWhole(): Promise<void> {
  assert.deepEqual(await readdir(folder), ["file"]);
  assert.ok((await readFile(join(folder, "file"))).equals(bytes));
  assert.equal(received, bytes.length);
}

async function assertFails(message: RegExp, left: readonly string[]): Promise<void> {
  await assert.rejects(download(), (error: unknown) => {
    assert.ok(error instanceof DataError);
    assert.ok(error.message.startsWith(`${url}: `), error.message);
    assert.match(error.message, message);
    return true;
  });
  assert.deepEqual(await readdir(folder), left);
}

const partName = (pid: number) => `file.${md5}.${pid}.part`;
const ownPart = partName(process.pid);

test("after two interruptions, only the rest is requested", async () => {
  answer = cutAt(30_000);
  await assertFails(/ \(30000 bytes are kept; run again to resume\)$/, [ownPart]);
  answer = cutAt(70_000);
  await assertFails(/ \(70000 bytes are kept;/, [ownPart]);
  [answer, onReceived] = [ranges, () => {}];
  await download();
  await assertWhole();
  assert.deepEqual(asked, [undefined, "bytes=30000-", "bytes=70000-"]);
  assert.deepEqual([...encodings], ["identity"]);
});

test("an abort while waiting stops it immediately with the signal's reason, and keeps received bytes", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  answer = (_range, response) => {
    response.writeHead(200, { "Content-Length": bytes.length });
    response.write(bytes.subarray(0, 30_000));
    onReceived = () => received >= 30_000 && controller.abort(reason);
  };
  const began = performance.now();
  await assert.rejects(download(controller.signal), (error) => error === reason);
  // Without the abort it would wait for ten seconds.
  assert.ok(performance.now() - began < 5000);
  assert.deepEqual(await readdir(folder), [ownPart]);
  asked = [];
  await assert.rejects(download(AbortSignal.abort(reason)), (error) => error === reason);
  assert.deepEqual(asked, []);
  [answer, onReceived] = [ranges, () => {}];
  await download();
  await assertWhole();
  assert.match(asked[0] ?? "", /^bytes=[1-9]\d*-$/);
});

test("a server that sends the whole file, another range, or reports its end: the download starts again", async () => {
  const whole: Answer = (_range, response) => response.end(bytes);
  const misplaced: Answer = (range, response) => {
    if (range === undefined) response.end(bytes);
    else response.writeHead(206, { "Content-Range": "bytes 0-99999/100000" }).end(bytes);
  };
  const ended: Answer = (range, response) => {
    if (range === undefined) response.end(bytes);
    else response.writeHead(416).end();
  };
  for (const [behaviour, requests] of [
    [whole, 1],
    [misplaced, 2],
    [ended, 2],
  ] as const) {
    asked = [];
    answer = behaviour;
    await rm(join(folder, "file"), { force: true });
    await writeFile(join(folder, ownPart), bytes.subarray(0, 5000));
    await download();
    await assertWhole();
    assert.deepEqual(asked, ["bytes=5000-", undefined].slice(0, requests));
  }
});

test("bytes with a wrong checksum are discarded, and the next attempt starts again", async () => {
  await writeFile(join(folder, ownPart), Buffer.alloc(5000, 1));
  await assertFails(/: expected the MD5 checksum [0-9a-f]{32}, got [0-9a-f]{32}$/, []);
  await download();
  await assertWhole();
  assert.deepEqual(asked, ["bytes=5000-", undefined]);
});

test("404 for the rest: received bytes are kept", async () => {
  await writeFile(join(folder, ownPart), bytes.subarray(0, 5000));
  answer = (_range, response) => void response.writeHead(404).end();
  await assertFails(/: expected status 206 or 200, got 404 Not Found \(5000 bytes are kept; /, [ownPart]);
});

test("a complete file is not requested", async () => {
  await writeFile(join(folder, ownPart), bytes);
  await download();
  await assertWhole();
  assert.deepEqual(asked, []);
});

test("a dead process's partial file is resumed; those of running processes and of other files are untouched", async () => {
  const { pid: dead } = spawnSync(process.execPath, ["--version"]);
  await writeFile(join(folder, partName(dead)), bytes.subarray(0, 60_000));
  const others = [partName(process.ppid), `file.${"0".repeat(32)}.${dead}.part`, `other.${md5}.${dead}.part`];
  for (const name of others) await writeFile(join(folder, name), "x");
  await download();
  assert.deepEqual(asked, ["bytes=60000-"]);
  assert.deepEqual((await readdir(folder)).sort(), ["file", ...others].sort());
});

test("a folder that cannot be created", async () => {
  await writeFile(join(folder, "occupied"), "");
  const path = join(folder, "occupied/file");
  await assert.rejects(
    downloadFile({ url, path, md5, timeoutSeconds: 10, onBytes: () => {} }),
    new RegExp(`^DataError: ${url}: a file with this name exists; `),
  );
});
