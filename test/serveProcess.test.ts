/** The server as a process: its command, the engine's death, and the end. */
// Runs beside others: its limits of time are wide.
import assert from "node:assert/strict";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { encodePng } from "../src/image/files/decode.ts";
import { builtCommand, type RunningCommand, start } from "./command.ts";
import { noise } from "./packPictures.ts";
import { writeColour } from "./servedNetworks.ts";
import { ask, jsonOf, refusalOf, startServing } from "./serving.ts";

let folder: string;
let bin: string;
let image: Uint8Array;
const at = (name: string) => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-process-"));
  await writeColour(at("colour.safetensors"));
  await mkdir(at("other"));
  await cp(at("colour.safetensors"), at("other/colour.safetensors"));
  image = await encodePng(noise(1, 20, 20, 3));
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

/** With an option of the process that Node.js refuses for a thread: each process takes it, each thread inherits it. */
function serve(...args: readonly string[]): RunningCommand {
  return start(["--max-old-space-size=4096", bin, "serve", ...args], { cwd: folder });
}

/** The first line that a command prints. */
async function firstLine({ process }: RunningCommand): Promise<string> {
  let text = "";
  process.stdout?.on("data", (chunk: string) => {
    text += chunk;
  });
  while (!text.includes("\n")) {
    assert.equal(process.exitCode, null);
    await setTimeout(20);
  }
  return text;
}

test("a port in use, a path that is no run, names alike and contradictions are one message each", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  await writeFile(at("text.safetensors"), "text");
  const refused: readonly (readonly [args: readonly string[], exit: number, message: RegExp])[] = [
    [
      ["colour.safetensors", "--port", String(port)],
      1,
      new RegExp(`^alexnet: serve: port ${port} of 127.0.0.1: in use by another program`),
    ],
    [["nowhere"], 1, /^alexnet: nowhere: /],
    [["text.safetensors"], 1, /^alexnet: text\.safetensors: /],
    [["colour.safetensors", "other/colour.safetensors"], 2, /both served as "colour\.safetensors"; rename one/],
    [["colour.safetensors", "--queue", "8"], 2, /--queue 8: expected at least --max-batch 32/],
    [["colour.safetensors", "--max-wait", "soon"], 2, /expected a number of milliseconds/],
    [[], 2, /missing required argument/],
  ];
  const outcomes = await Promise.all(refused.map(([args]) => serve(...args).outcome));
  for (const [i, [args, exit, message]] of refused.entries()) {
    const outcome = outcomes[i];
    assert.deepEqual([outcome?.exit, outcome?.stdout], [exit, ""], args.join(" "));
    assert.match(outcome?.stderr ?? "", message);
  }
  other.close();
});

test("prints its address, warns where others can reach it, answers the accepted requests at SIGTERM, and exits with 0", async () => {
  const flags = [
    "--port",
    "0",
    "--json",
    "--host",
    "0.0.0.0",
    "--max-batch",
    "4",
    "--max-wait",
    "800ms",
    "--queue",
    "10",
  ];
  const command = serve("colour.safetensors", ...flags);
  const { url, models } = JSON.parse(await firstLine(command)) as {
    readonly url: string;
    readonly models: readonly string[];
  };
  assert.deepEqual(models, ["colour.safetensors"]);
  assert.match(command.stderr(), /serve: 0\.0\.0\.0: there is no password/);
  const local = url.replace("0.0.0.0", "127.0.0.1");
  // Three images wait for a fourth.
  const waiting = Array.from({ length: 3 }, () => ask(local, "/predict", { body: image }));
  const idle = connect(Number(new URL(url).port), "127.0.0.1");
  while (!/^alexnet_queue_images\{[^}]*\} 3$/m.test((await ask(local, "/metrics")).body.toString()))
    await setTimeout(20);
  command.process.kill("SIGTERM");
  for (const answered of await Promise.all(waiting)) {
    assert.equal(answered.status, 200);
    assert.equal(answered.headers["connection"], "close");
  }
  const { exit } = await command.outcome;
  assert.equal(exit, 0);
  idle.destroy();
  await assert.rejects(ask(local, "/v2/health/live"), /ECONNREFUSED/);
});

test("the engine killed or stopped: requests in flight get 503, later ones an answer, and the server stays", async () => {
  // Requests wait for others, so that the engine ends before it computes them.
  const server = await startServing({ colour: at("colour.safetensors") }, { maxBatch: 32, maxWait: 5000 });
  const engine = server.engines.get("colour");
  assert.ok(engine);
  try {
    for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
      const waiting = [ask(server.url, "/predict", { body: image }), ask(server.url, "/predict", { body: image })];
      while (!/^alexnet_queue_images\{[^}]*\} 2$/m.test((await ask(server.url, "/metrics")).body.toString())) {
        await setTimeout(20);
      }
      process.kill(engine.pid as number, signal);
      for (const answered of await Promise.all(waiting)) {
        assert.match(refusalOf(answered, 503), /the engine is being started again/);
        assert.equal(answered.headers["retry-after"], "1");
      }
      assert.equal((await ask(server.url, "/v2/health/live")).status, 200);
      assert.match(refusalOf(await ask(server.url, "/v2/health/ready"), 503), /being started again/);
      assert.match(refusalOf(await ask(server.url, "/predict", { body: image }), 503), /being started again/);
      while (!engine.isReady) await setTimeout(20);
    }
    jsonOf(await ask(server.url, "/predict", { body: image }));
    assert.equal(engine.restarts, 2);
    assert.match(
      (await ask(server.url, "/metrics")).body.toString(),
      /^alexnet_engine_restarts_total\{model="colour"\} 2$/m,
    );
    assert.deepEqual(
      server.messages.map((message) => /\((.*)\)/.exec(message)?.[1]),
      ["signal SIGKILL", "it gave no sign of life"],
    );
  } finally {
    await server.close();
  }
});

test("a full queue: 503 with Retry-After before the body is read; a batch takes as many places as it has images", async () => {
  const server = await startServing({ colour: at("colour.safetensors") }, { queue: 3, maxBatch: 4, maxWait: 1500 });
  try {
    const waiting = Array.from({ length: 3 }, () => ask(server.url, "/predict", { body: image }));
    while (!/^alexnet_queue_images\{[^}]*\} 3$/m.test((await ask(server.url, "/metrics")).body.toString()))
      await setTimeout(20);
    const { hostname, port, host } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST /predict HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5000\r\n\r\n`);
    const [first] = (await once(socket, "data")) as [Buffer];
    assert.match(first.toString(), /^HTTP\/1\.1 503 [\s\S]*Retry-After: 1\r\n/);
    socket.destroy();
    for (const answered of await Promise.all(waiting)) assert.equal(answered.status, 200);
  } finally {
    await server.close();
  }
});
