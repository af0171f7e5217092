/** The figures that a server is to reach, each as a scenario that measures it. Longer than other files: one function for each figure. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { openClassifier } from "../../src/model/classifier.ts";
import { openClassModel } from "../../src/model/openModel.ts";
import { sizeOf } from "../../src/shape.ts";
import { closedLoad, countOf, joinResults, LoadConnection, openLoad, quantile, type Reply } from "./load.ts";
import { badRequests, noiseBytes, pixelShape, predictRequest, smallImage, tensorRequest } from "./requests.ts";
import { type SoakServer, startSoakServer } from "./server.ts";

/** A measured figure and its bound. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  /** True if the value must not be below the bound, otherwise not above it. */
  readonly isLowest?: boolean;
  readonly unit?: string;
  /** True for a time or a speed, which depends on what else the machine does. */
  readonly isTimed?: boolean;
}

/** A network and the size of a scenario: 1 is the full one. */
export interface SoakOptions {
  readonly run: string;
  readonly scale: number;
}

/** Runs with a server, and checks that it stops as it should. */
async function withServer<T>(
  { run }: SoakOptions,
  flags: readonly string[],
  work: (server: SoakServer) => Promise<T>,
): Promise<T> {
  const server = await startSoakServer(run, flags);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Images/s of the engine at batch 32, in this process. */
async function engineRate(run: string, seconds: number): Promise<number> {
  const { program, close } = await openClassModel(run, { batchSize: 32 });
  const forward = () => program.forward(program.input, 32, { seed: 0, first: 0 });
  program.input.fill(0.1);
  await forward();
  const began = performance.now();
  let images = 0;
  for (; performance.now() - began < 1000 * seconds; images += 32) await forward();
  const rate = (1000 * images) / (performance.now() - began);
  close();
  return rate;
}

/** Concurrent requests of single images against the engine's rate at batch 32, in rounds that alternate. */
export async function throughput(options: SoakOptions): Promise<readonly Figure[]> {
  return withServer(options, [], async ({ url, model }) => {
    const seconds = Math.max(10 * options.scale, 4);
    const shape = await pixelShape(url, model);
    const request = tensorRequest(url, model, shape, noiseBytes(1, sizeOf(shape)));
    await closedLoad(url, request, { connections: 64, seconds: 5 });
    const ratios: number[] = [];
    for (let round = 0; round < 3; round++) {
      const before = await engineRate(options.run, seconds / 2);
      const result = await closedLoad(url, request, { connections: 96, seconds });
      const after = await engineRate(options.run, seconds / 2);
      ratios.push((2 * countOf(result, 200)) / result.seconds / (before + after));
    }
    return [
      {
        name: "throughput ÷ engine at batch 32",
        isTimed: true,
        value: quantile(ratios, 0.5),
        bound: 0.85,
        isLowest: true,
      },
    ];
  });
}

/** Ten times the requests that the server can answer. */
export async function overload(options: SoakOptions): Promise<readonly Figure[]> {
  return withServer(options, [], async (server) => {
    const { url } = server;
    const seconds = 60 * options.scale;
    const request = predictRequest(url, await smallImage(1));
    await closedLoad(url, request, { connections: 64, seconds: 5 });
    const full = await closedLoad(url, request, { connections: 64, seconds: Math.max(seconds / 4, 3) });
    const maximum = countOf(full, 200) / full.seconds;
    // Buffers of connections and garbage reach their usual size before memory is compared.
    await openLoad(url, request, { rate: 10 * maximum, seconds: Math.max(seconds / 4, 8) });
    const before = await server.residentBytes();
    const half = { rate: 10 * maximum, seconds: seconds / 2 };
    const first = await openLoad(url, request, half);
    const between = await server.residentBytes();
    const result = joinResults(first, await openLoad(url, request, half));
    const after = await server.residentBytes();
    // A leak grows in both halves; garbage that is not collected yet, in one.
    const growth = (of: "server" | "engine") => (2 * Math.min(between[of] - before[of], after[of] - between[of])) / 1e6;
    const rate = countOf(result, 200) / result.seconds;
    const other = [...result.byStatus.keys()].filter((status) => status !== 200 && status !== 503).length;
    const milliseconds = (status: number) => quantile(result.byStatus.get(status) ?? [], 0.99);
    return [
      { name: "answers/s without overload", value: maximum, bound: 0, isLowest: true },
      {
        name: "requests/s ÷ capacity",
        isTimed: true,
        value: (countOf(result, 200) + countOf(result, 503)) / result.seconds / maximum,
        bound: 5,
        isLowest: true,
      },
      { name: "goodput ÷ maximum", isTimed: true, value: rate / maximum, bound: 0.75, isLowest: true },
      { name: "p99 of answers", isTimed: true, value: milliseconds(200), bound: 1000 * (100 / rate + 0.5), unit: "ms" },
      { name: "p99 of 503", isTimed: true, value: milliseconds(503), bound: 50, unit: "ms" },
      { name: "other outcomes", value: other, bound: 0 },
      { name: "growth of server", value: growth("server"), bound: 50, unit: "MB" },
      { name: "growth of engine", value: growth("engine"), bound: 50, unit: "MB" },
    ];
  });
}

/** Kinds of slowhttptest: slow headers, bodies, reading, and ranges. */
const slowKinds = ["-H", "-B", "-X", "-R"] as const;

/** Slow clients, while a client that is not slow asks. Requires slowhttptest. */
export async function slowClients(options: SoakOptions): Promise<readonly Figure[]> {
  return withServer(options, [], async ({ url }) => {
    const request = predictRequest(url, await smallImage(1));
    const seconds = Math.max(Math.round(40 * options.scale), 6);
    const failures: number[] = [];
    const delays: number[] = [];
    for (const kind of slowKinds) {
      const path = kind === "-B" ? "predict" : "";
      const args = [
        kind,
        "-c",
        "1000",
        "-r",
        "250",
        "-l",
        String(seconds),
        "-i",
        "5",
        "-p",
        "5",
        "-u",
        `${url}${path}`,
      ];
      const slow = promisify(execFile)("slowhttptest", args, { maxBuffer: 2 ** 28 }).catch(() => undefined);
      let isRunning = true;
      void slow.then(() => {
        isRunning = false;
      });
      while (isRunning) {
        const connection = new LoadConnection(url);
        const reply = await connection.send(request).catch(() => undefined);
        connection.close();
        if (reply?.status === 200) delays.push(reply.milliseconds);
        else failures.push(reply?.status ?? 0);
        await sleep(100);
      }
    }
    return [
      { name: "requests beside slow clients", isTimed: true, value: delays.length, bound: 4 * seconds, isLowest: true },
      { name: "of these without an answer", value: failures.length, bound: 0 },
      { name: "slowest answer", isTimed: true, value: Math.max(...delays), bound: 5000, unit: "ms" },
    ];
  });
}

/** The engine's process is killed or stopped, under load. */
export async function kills(options: SoakOptions): Promise<readonly Figure[]> {
  return withServer(options, [], async (server) => {
    const { url } = server;
    const rounds = Math.max(Math.round(50 * options.scale), 2);
    const request = predictRequest(url, await smallImage(1));
    const refusals: number[] = [];
    const recoveries: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const pid = await server.enginePid();
      if (pid === undefined) throw new Error("kills: no engine process");
      const connections = Array.from({ length: 16 }, () => new LoadConnection(url));
      const replies = connections.map((connection) => connection.send(request));
      await sleep(20);
      const began = performance.now();
      process.kill(pid, round % 2 === 0 ? "SIGKILL" : "SIGSTOP");
      await Promise.allSettled(replies);
      refusals.push(performance.now() - began);
      for (const connection of connections) connection.close();
      recoveries.push(await recovery(url, request, began));
    }
    return [
      { name: "kills and stops", value: rounds, bound: rounds, isLowest: true },
      {
        name: "slowest answer of those in flight",
        isTimed: true,
        value: Math.max(...refusals),
        bound: 5000,
        unit: "ms",
      },
      { name: "slowest recovery", isTimed: true, value: Math.max(...recoveries), bound: 5000, unit: "ms" },
      { name: "median recovery", isTimed: true, value: quantile(recoveries, 0.5), bound: 5000, unit: "ms" },
    ];
  });
}

/** Milliseconds since `began` until a request is answered by another process. */
async function recovery(url: string, request: Uint8Array, began: number): Promise<number> {
  for (;;) {
    const connection = new LoadConnection(url);
    const reply = await connection.send(request).catch(() => undefined);
    connection.close();
    if (reply?.status === 200) return performance.now() - began;
    if (performance.now() - began > 60_000) return Number.POSITIVE_INFINITY;
    await sleep(50);
  }
}

/** Mixed requests: every answer is that of its own image, or the refusal of its own mistake. */
export async function mixed(options: SoakOptions): Promise<readonly Figure[]> {
  return withServer(options, [], async ({ url, model }) => {
    const count = Math.round(10_000 * options.scale);
    const cases = await mixedCases(options.run, url, model);
    let [next, wrong, serverErrors] = [0, 0, 0];
    const client = async () => {
      const connection = new LoadConnection(url);
      for (let i = next++; i < count; i = next++) {
        const { request, isRight } = cases[(i * 7919) % cases.length] as MixedCase;
        const reply = await connection.send(request);
        if (reply.status >= 500) serverErrors++;
        if (!isRight(reply)) wrong++;
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: 32 }, client));
    return [
      { name: "mixed requests", value: count, bound: count, isLowest: true },
      { name: "wrong answers", value: wrong, bound: 0 },
      { name: "answers of 5xx", value: serverErrors, bound: 0 },
    ];
  });
}

interface MixedCase {
  readonly request: Buffer;
  isRight(reply: Reply): boolean;
}

const CASES = 24;

async function mixedCases(run: string, url: string, model: string): Promise<readonly MixedCase[]> {
  const classifier = await openClassifier(run);
  const shape = await pixelShape(url, model);
  const cases: MixedCase[] = badRequests(url, model).map((request) => ({
    request,
    isRight: ({ status }) => status >= 400 && status < 500,
  }));
  const [, height = 0, width = 0, channels = 0] = shape;
  for (let i = 0; i < CASES; i++) {
    const image = await smallImage(i);
    const expected = new Map((await classifier.predict(image)).map((each) => [each.className, each.probability]));
    cases.push({
      request: predictRequest(url, image),
      isRight({ status, body }) {
        if (status !== 200) return false;
        const { classes } = JSON.parse(body.toString()) as {
          readonly classes: readonly { readonly className: string; readonly probability: number }[];
        };
        return classes.every(({ className, probability }) => isClose(probability, expected.get(className)));
      },
    });
    // Other fits keep more of an image than the input, so that an image of the input's size is another input than its tensor.
    if (classifier.model.preprocessing.fit.kind !== "resize") continue;
    const pixels = noiseBytes(1000 + i, sizeOf(shape));
    const raw = { width, height, channels, data: pixels };
    const byName = new Map((await classifier.predict(raw)).map((each) => [each.className, each.probability]));
    const { classNames } = classifier.model;
    cases.push({
      request: tensorRequest(url, model, shape, pixels),
      isRight({ status, body }) {
        const tail = body.subarray(body.length - 8 * classNames.length);
        return status === 200 && classNames.every((name, c) => isClose(tail.readDoubleLE(8 * c), byName.get(name)));
      },
    });
  }
  await classifier.close();
  return cases;
}

/** Batches of different sizes are different programs: f32 sums in another order. */
function isClose(value: number, expected: number | undefined): boolean {
  return expected !== undefined && Math.abs(value - expected) <= 1e-5;
}

/** SIGTERM under load: every accepted request is answered. */
export async function termination(options: SoakOptions): Promise<readonly Figure[]> {
  const server = await startSoakServer(options.run);
  const request = predictRequest(server.url, await smallImage(1));
  await closedLoad(server.url, request, { connections: 16, seconds: 3 });
  const connections = Array.from({ length: 48 }, () => new LoadConnection(server.url));
  const replies = connections.map((connection) => connection.send(request));
  // Long enough that all are accepted, shorter than they take.
  await sleep(60);
  const accepted = await queued(server.url);
  const ended = once(server.process, "exit");
  const began = performance.now();
  server.process.kill("SIGTERM");
  const settled = await Promise.allSettled(replies);
  const [code] = (await ended) as [number | null];
  const answered = settled.filter((each) => each.status === "fulfilled" && each.value.status === 200).length;
  return [
    { name: "requests in the queue at SIGTERM", value: accepted, bound: 1, isLowest: true },
    { name: "requests without an answer", value: connections.length - answered, bound: 0 },
    { name: "exit code", value: code ?? -1, bound: 0 },
    { name: "time to exit", isTimed: true, value: performance.now() - began, bound: 30_000, unit: "ms" },
  ];
}

async function queued(url: string): Promise<number> {
  const text = await (await fetch(`${url}metrics`)).text();
  return Number(/^alexnet_queue_images\{[^}]*\} (\d+)$/m.exec(text)?.[1] ?? 0);
}
