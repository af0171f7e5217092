/**
 * A run in the browser while it goes on: what the server shows, to whom, at what cost, and when it ends. Longer than other files: all of it
 * runs on one built package and one trained run.
 */
// Runs beside others: what it measures must take long enough, not little.
import assert from "node:assert/strict";
import { once } from "node:events";
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type LiveServer, serveLive } from "../src/cli/liveServer.ts";
import { decodeBytes } from "../src/image/files/decode.ts";
import { createLiveRun } from "../src/runs/liveRun.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { builtCommand, type RunningCommand, start } from "./command.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
let bin: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-live-"));
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 400, test: 40 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  const options = { dataDir: join(folder, "data"), threads: 1, epochs: 2, batchSize: 16 };
  await trainClassifier({ ...options, network: tinyNetwork, run: join(folder, "trained") });
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Asks a server, under a name of its own if given. */
async function ask(url: string, { host, method }: { host?: string; method?: string } = {}): Promise<Answer> {
  const asked = request(url, { method: method ?? "GET", headers: host === undefined ? {} : { host } });
  asked.end();
  const [response] = await once(asked, "response");
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += part;
  return { status: response.statusCode, text };
}

/** Waits for a server to be gone. */
async function assertGone(url: string): Promise<void> {
  for (let left = 200; left > 0; left--) {
    if (
      await ask(url).then(
        () => false,
        () => true,
      )
    )
      return;
    await setTimeout(50);
  }
  assert.fail(`${url} still answers`);
}

/** One that draws whenever there is something new, however many threads that takes. */
async function withServer(directory: string, action: (server: LiveServer) => Promise<void>): Promise<void> {
  const server = await serveLive(await createLiveRun(directory, { fractionOfTime: 1000 }), {
    host: "127.0.0.1",
    port: 0,
  });
  try {
    await action(server);
  } finally {
    server.close();
  }
}

const line = {
  epoch: 3,
  iteration: 999,
  trainLoss: 0.123,
  trainAccuracy: 0.5,
  learningRate: 0.01,
  examplesPerSecond: 77,
  seconds: 9,
};

test("a run that has not begun, then goes on: the page and its pieces follow the log and the checkpoints", async () => {
  const directory = join(folder, "growing");
  await withServer(directory, async ({ url }) => {
    const waiting = await ask(url);
    assert.equal(waiting.status, 200);
    assert.match(waiting.text, /Preparing/);
    assert.match(waiting.text, /No data yet/);

    await cp(join(folder, "trained"), directory, { recursive: true });
    const { text } = await ask(url);
    assert.match(text, /<h1>tiny on fashion-mnist<\/h1>/);
    assert.match(text, /id="status"[^>]*>Finished: .* Accuracy on the test images .*%, best /);
    assert.match(
      text,
      /<img src="data:image\/png;base64,[^"]+" alt="The 8 filters of the first layer, 5×5 weights each">/,
    );
    const [, png = ""] = /src="data:image\/png;base64,([^"]+)"/.exec(text) ?? [];
    const { image } = await decodeBytes(Buffer.from(png, "base64"));
    assert.deepEqual([image.width, image.height], [4 * (5 + 1) - 1, 2 * (5 + 1) - 1]);
    const extreme = (level: number) => level === 0 || level === 255;
    // Of the first filter, whose largest weight is black or white.
    const first = Array.from({ length: 25 }, (_, i) => image.data[Math.floor(i / 5) * image.width + (i % 5)] ?? 128);
    assert.ok(first.some(extreme) && !first.every(extreme));
    const version = /data-version="([^"]*)"/.exec(text)?.[1] ?? "";
    const pieces = `${url}pieces?version=${encodeURIComponent(version)}`;
    assert.deepEqual(await ask(pieces), { status: 204, text: "" });

    await appendFile(join(directory, "log.jsonl"), `${JSON.stringify(line)}\n`);
    await rm(join(directory, "report.html"));
    // What is drawn took some milliseconds: so long the old state is shown.
    let news = await ask(pieces);
    for (; news.status === 204; news = await ask(pieces)) await setTimeout(20);
    const { version: next, pieces: parts } = JSON.parse(news.text);
    assert.notEqual(next, version);
    assert.match(parts.figures, /<dt>iteration<\/dt><dd>999<\/dd>/);
    assert.match(parts.figures, /<dt>images\/s<\/dt><dd>77\.0<\/dd>/);
    assert.ok(text.includes(parts.filters), "the checkpoint is the same, and so are the filters");
    assert.ok(!text.includes(parts.wide), "the curves have grown");
  });
});

test("drawing takes its share of the time and no more: what is new is not drawn before that", async () => {
  const directory = join(folder, "seldom");
  await cp(join(folder, "trained"), directory, { recursive: true });
  const fractionOfTime = 0.05;
  const run = await createLiveRun(directory, { fractionOfTime });
  const before = process.cpuUsage();
  const began = performance.now();
  const first = await run.view();
  const { user, system } = process.cpuUsage(before);
  await appendFile(join(directory, "log.jsonl"), `${JSON.stringify(line)}\n`);
  assert.equal((await run.view()).version, first.version);
  while ((await run.view()).version === first.version) await setTimeout(200);
  const waited = performance.now() - began;
  assert.ok(
    waited >= (user + system) / 1000 / fractionOfTime,
    `${waited} ms after a view of ${(user + system) / 1000} ms`,
  );
});

test("only this machine, under its own names; only reading; only its page", async () => {
  const before = await contents(join(folder, "trained"));
  await withServer(join(folder, "trained"), async ({ url }) => {
    const { port } = new URL(url);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    for (const host of [`127.0.0.1:${port}`, "localhost", `LOCALHOST:${port}`, "[::1]:80", "10.0.0.7"]) {
      assert.equal((await ask(url, { host })).status, 200, host);
    }
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "[evil",
    ]) {
      const refused = await ask(url, { host });
      assert.equal(refused.status, 403, host);
      assert.doesNotMatch(refused.text, /fashion-mnist/);
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) assert.equal((await ask(url, { method })).status, 405);
    assert.deepEqual(await ask(url, { method: "HEAD" }), { status: 200, text: "" });
    for (const path of ["config.json", "../config.json", "%2e%2e/config.json", "/evil.example/"]) {
      assert.equal((await ask(`${url}${path}`)).status, 404, path);
    }
    // An address of this machine that a server for all addresses would answer at.
    await assert.rejects(ask(`http://127.0.0.2:${port}/`), /ECONNREFUSED/);
  });
  assert.deepEqual(await contents(join(folder, "trained")), before);
});

/** Names, sizes and times of a folder's files. */
async function contents(directory: string) {
  const names = (await readdir(directory)).sort();
  return Promise.all(names.map(async (name) => [name, (await stat(join(directory, name))).mtimeMs]));
}

test("a damaged file is said, and the server goes on", async () => {
  const directory = join(folder, "damaged");
  await cp(join(folder, "trained"), directory, { recursive: true });
  await writeFile(join(directory, "log.jsonl"), "{}\n");
  await withServer(directory, async ({ url }) => {
    const { status, text } = await ask(url);
    assert.equal(status, 500);
    assert.match(text, /log\.jsonl: line 1: expected a log entry/);
    await cp(join(folder, "trained/log.jsonl"), join(directory, "log.jsonl"));
    assert.equal((await ask(url)).status, 200);
  });
});

const endless = "--network tiny.json --data-dir data --threads 1 --batch-size 4 --epochs 5000";

function alexnet(args: string): RunningCommand {
  return start([bin, ...args.split(" ")], { cwd: folder });
}

/** Starts a training with a server, and waits until it shows it. */
async function startTraining(args: string): Promise<RunningCommand & { readonly url: string }> {
  const command = alexnet(`train ${endless} ${args}`);
  for (;;) {
    const url = /live at (http:\S+)/.exec(command.stderr())?.[1];
    const { text } = url === undefined ? { text: "" } : await ask(url);
    if (url !== undefined && /id="status"[^>]*>Training\./.test(text)) return { ...command, url };
    assert.equal(command.process.exitCode, null, command.stderr());
    // Seldom: answers count as drawing does.
    await setTimeout(1000);
  }
}

test("train --live: Ctrl-C saves and ends both, and so does a kill that nothing can answer", async () => {
  const stopped = await startTraining("--run stopped --live");
  stopped.process.kill("SIGINT");
  assert.equal((await stopped.outcome).exit, 130);
  await assertGone(stopped.url);
  assert.ok((await readFile(join(folder, "stopped/last.safetensors"))).length > 0);

  const killed = await startTraining("--run killed --live");
  killed.process.kill("SIGKILL");
  await assertGone(killed.url);
});

test("train --live: a page that follows the run is shown its end; then the address is free", async () => {
  const training = alexnet(
    "train --network tiny.json --data-dir data --threads 1 --batch-size 4 --epochs 20 --run ended --live",
  );
  let url: string | undefined;
  while (url === undefined) {
    url = /live at (http:\S+)/.exec(training.stderr())?.[1];
    await setTimeout(20);
  }
  const seen: string[] = [];
  try {
    // As the page does, more often.
    for (;;) {
      seen.push(JSON.parse((await ask(`${url}pieces`)).text).pieces.status);
      await setTimeout(500);
    }
  } catch {
    assert.match(seen[0] ?? "", /^(Preparing|Training)/);
    assert.match(seen.at(-1) ?? "", /^Finished: /);
  }
  assert.equal((await training.outcome).exit, 0, training.stderr());
  await assert.rejects(ask(url), /ECONNREFUSED/);
});

test("a port in use is one message, and no training begins", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const message = `alexnet: live: port ${port} of 127.0.0.1: in use by another program; choose another port, or 0 for a free one\n`;
  const training = await alexnet(`train ${endless} --run refused --live --live-port ${port}`).outcome;
  assert.deepEqual([training.exit, training.stdout, training.stderr], [1, "", message]);
  const alone = await alexnet(`live trained --port ${port}`).outcome;
  assert.deepEqual([alone.exit, alone.stdout, alone.stderr], [1, "", message]);
  assert.ok(!(await readdir(folder)).includes("refused"));
  other.close();
});

test("alexnet live: prints its address, warns where others can reach it, ends by Ctrl-C; without a run it says so", async () => {
  const command = alexnet("live trained --host 0.0.0.0");
  let stdout = "";
  command.process.stdout?.on("data", (text: string) => {
    stdout += text;
  });
  while (!stdout.endsWith("/\n")) await setTimeout(20);
  const url = /^trained at (http:\/\/0\.0\.0\.0:\d+\/)\n$/.exec(stdout)?.[1] ?? "";
  assert.equal((await ask(url)).status, 200);
  command.process.kill("SIGINT");
  const { exit, stderr } = await command.outcome;
  assert.equal(exit, 130);
  assert.equal(stderr, "live: 0.0.0.0: anyone who can reach this address can see the run\n");
  const missing = await alexnet("live nowhere").outcome;
  assert.deepEqual(
    [missing.exit, missing.stderr],
    [1, "alexnet: nowhere: no such run directory; list runs with alexnet runs\n"],
  );
});
