/** A network in a process of its own, which is started again when it dies, is stopped or hangs. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { ConfigError } from "../errors.ts";
import type { EngineFacts, EngineSource } from "./engineFacts.ts";
import { engineArguments, engineEnvironment } from "./engineStart.ts";
import { lengthOf, type Pieces } from "./pieces.ts";
import { RequestError, unavailable } from "./requestError.ts";
import { answerKinds, createFrameReader, type Frame, headerOf, requestKinds } from "./wire.ts";

/** Images for a network. */
export interface Images {
  readonly count: number;
  /** `pixels`: 8 bits, [count, H, W, C] of the input's size. `values`: normalized, f32, [count, C, H, W]. */
  readonly kind: "pixels" | "values";
  readonly data: Pieces;
}

/** A served network. */
export interface EngineHost {
  readonly facts: EngineFacts;
  /** False while the process is being started again. */
  readonly isReady: boolean;
  /** Number of times that the process was started again. */
  readonly restarts: number;
  /** Identifier of the process; undefined between two processes. */
  readonly pid: number | undefined;
  /**
   * Probabilities of the images, [count, classes]. Rejects with RequestError if the process ends before the answer, or the outputs of an image are not
   * finite; with the signal's reason if that is aborted.
   */
  infer(images: Images, signal: AbortSignal): Promise<Float64Array>;
  /** Ends the process. Requests in flight are rejected. */
  close(): Promise<void>;
}

/** Options of a served network. */
export interface EngineHostOptions {
  /** Called with notes and warnings. */
  readonly onMessage: (message: string) => void;
  /** Milliseconds without a sign of life until the process is replaced. Default 1500. */
  readonly silence?: number;
}

/** Six signs of life: a busy machine delays a few of them. */
const SILENCE = 1500;
/** Milliseconds more until the first sign of life. */
const START = 60_000;
/** Milliseconds between two checks. */
const CHECK = 250;
/** Milliseconds of one computation until the process counts as hung: beyond the slowest batch of the reference engine. */
const HANG = 300_000;
/** Milliseconds before a start that follows a failed one, doubled for each further failure up to the limit. */
const DELAY = { first: 100, limit: 5000 } as const;

interface Waiting {
  resolve(probabilities: Float64Array): void;
  reject(error: unknown): void;
}

/** One process, from its start to its end. */
interface Life {
  readonly child: ChildProcess;
  readonly pipe: Duplex;
  readonly waiting: Map<number, Waiting>;
  readonly ended: Promise<void>;
  lastSign: number;
  facts?: EngineFacts;
  failure?: string;
}

/** Opens a network in a process. Throws ConfigError with the process's message if it cannot be opened. */
export async function startEngine(source: EngineSource, options: EngineHostOptions): Promise<EngineHost> {
  const { onMessage, silence = SILENCE } = options;
  const timer = setInterval(() => watch(), CHECK);
  let isClosed = false;
  let restarts = 0;
  let ids = 0;
  let lastCheck = performance.now();
  let life: Life;

  const begin = (note: (message: string) => void): Promise<EngineFacts> =>
    new Promise((resolve, reject) => {
      life = startLife(source, { onReady: resolve, onNote: note });
      life.ended.then(() => reject(new ConfigError(life.failure ?? "the engine process ended before it was ready")));
    });

  const watch = () => {
    const now = performance.now();
    const isLate = now - lastCheck > silence / 2;
    lastCheck = now;
    // This process was stopped itself: signs of life are still to be read.
    if (isLate) life.lastSign = Math.max(life.lastSign, now);
    if (now - life.lastSign > silence) kill(life, "it gave no sign of life");
  };

  const keepRunning = async () => {
    for (let delay = 0; ; ) {
      await life.ended;
      if (isClosed) return;
      onMessage(`${source.path}: the engine process ended (${reasonOf(life)}); starting it again`);
      restarts++;
      await new Promise((resolve) => setTimeout(resolve, delay));
      if (isClosed) return;
      delay = await begin(() => undefined).then(
        () => 0,
        () => Math.min(Math.max(2 * delay, DELAY.first), DELAY.limit),
      );
    }
  };

  const facts = await begin(onMessage).catch((error: unknown) => {
    clearInterval(timer);
    throw error;
  });
  void keepRunning();
  return {
    facts,
    get isReady() {
      return life.facts !== undefined && !life.pipe.destroyed;
    },
    get restarts() {
      return restarts;
    },
    get pid() {
      return life.child.pid;
    },
    infer(images, signal) {
      if (!life.facts || life.pipe.destroyed) return Promise.reject(restarting());
      return ask(life, ids++ >>> 0, images, signal);
    },
    async close() {
      isClosed = true;
      clearInterval(timer);
      kill(life, "the server is closing");
      await life.ended;
    },
  };
}

function restarting(): RequestError {
  return unavailable("the engine is being started again; repeat the request");
}

function kill(life: Life, reason: string): void {
  life.failure ??= reason;
  life.child.kill("SIGKILL");
}

function reasonOf({ child, failure }: Life): string {
  return failure ?? (child.signalCode ? `signal ${child.signalCode}` : `exit code ${child.exitCode}`);
}

function startLife(
  source: EngineSource,
  { onReady, onNote }: { onReady(facts: EngineFacts): void; onNote(message: string): void },
): Life {
  const child = spawn(process.execPath, engineArguments(process.execArgv), {
    env: engineEnvironment(source, process.env),
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  const pipe = child.stdio[3] as Duplex;
  const waiting = new Map<number, Waiting>();
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    // After its last words, which the pipe may still hold when it exits.
    child.once("close", () => resolve());
  }).then(() => {
    pipe.destroy();
    for (const { reject } of waiting.values()) reject(restarting());
    waiting.clear();
  });
  const life: Life = { child, pipe, waiting, ended, lastSign: performance.now() + START };
  pipe.on("error", () => undefined);
  pipe.on(
    "data",
    createFrameReader((frame) => receive(life, frame, onReady, onNote)),
  );
  return life;
}

function receive(
  life: Life,
  { kind, id, payload }: Frame,
  onReady: (facts: EngineFacts) => void,
  onNote: (message: string) => void,
): void {
  life.lastSign = performance.now();
  const text = () => new TextDecoder().decode(payload);
  const handlers: Readonly<Record<number, () => void>> = {
    [answerKinds.beat]: () => {
      if (id > HANG) kill(life, "a computation did not end");
    },
    [answerKinds.probabilities]: () => {
      const { buffer, byteOffset, length } = payload;
      settle(life, id)?.resolve(new Float64Array(buffer, byteOffset, length / 8));
    },
    [answerKinds.refusal]: () => settle(life, id)?.reject(new RequestError(422, text())),
    [answerKinds.ready]: () => {
      life.facts = JSON.parse(text()) as EngineFacts;
      onReady(life.facts);
    },
    [answerKinds.note]: () => onNote(text()),
    [answerKinds.failure]: () => {
      life.failure = text();
    },
  };
  handlers[kind]?.();
}

function settle({ waiting }: Life, id: number): Waiting | undefined {
  const found = waiting.get(id);
  waiting.delete(id);
  return found;
}

function ask(life: Life, id: number, { kind, count, data }: Images, signal: AbortSignal): Promise<Float64Array> {
  const { pipe, waiting } = life;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const leave = () => {
      if (!settle(life, id)) return;
      if (!pipe.destroyed) pipe.write(headerOf(requestKinds.cancel, id, 0, 0));
      reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    waiting.set(id, { resolve, reject });
    pipe.cork();
    pipe.write(headerOf(requestKinds[kind], id, count, lengthOf(data)));
    for (const piece of data) pipe.write(piece);
    pipe.uncork();
  });
}
