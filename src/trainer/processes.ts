/** Steps of a run that several processes train together: the same errors, decisions and weights on all of them. */
import { alone, type Communicator } from "../engine/communicator.ts";
import { AlexNetError, messageOf, PeerError } from "../errors.ts";
import type { Scheme } from "../network/schemes.ts";

/** Processes that train a run, and the division of its work among them. */
export interface Job {
  readonly communicator: Communicator;
  readonly scheme: Scheme;
}

/** The job of a single process. */
export const oneProcess: Job = { communicator: alone, scheme: "data" };

/** Error of another process, as it is sent. */
export interface Failure {
  readonly message: string;
  readonly exitCode: number;
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** The result of an action, or its error. */
export async function settle<T>(action: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await action() };
  } catch (error) {
    return { error };
  }
}

/** The error of an outcome as it is sent; undefined if there is none. */
export function failureOf(outcome: Outcome<unknown>): Failure | undefined {
  if (!("error" in outcome)) return undefined;
  const { error } = outcome;
  return { message: messageOf(error), exitCode: error instanceof AlexNetError ? error.exitCode : 1 };
}

/**
 * Runs an action on every process. If it fails on any, it fails on all: the first one that failed throws its error, the others throw PeerError.
 */
export async function together<T>(communicator: Communicator, action: () => Promise<T>): Promise<T> {
  const outcome = await settle(action);
  const failures = await communicator.agree(failureOf(outcome) ?? null);
  const first = failures.findIndex((failure) => failure !== null);
  if (first < 0 && "value" in outcome) return outcome.value;
  if (first === communicator.rank && "error" in outcome) throw outcome.error;
  throw peerError(first, failures[first] as Failure);
}

/** The error that a process throws for one of process `rank`. */
export function peerError(rank: number, { message, exitCode }: Failure): PeerError {
  return new PeerError(`process ${rank}: ${message}`, exitCode);
}

/** Runs an action on process 0, then on all others, so that these find what it downloads or caches. */
export async function firstThenOthers<T>(communicator: Communicator, action: () => Promise<T>): Promise<T> {
  const isFirst = communicator.rank === 0;
  const done = await together(communicator, async () => (isFirst ? { value: await action() } : undefined));
  const { value } = await together(communicator, async () => done ?? { value: await action() });
  return value;
}

/** Runs an action on process 0 and returns its result, as JSON, on all of them. */
export async function fromFirst<T>(communicator: Communicator, action: () => Promise<T>): Promise<T> {
  const own = await together(communicator, async () =>
    communicator.rank === 0 ? { value: await action() } : undefined,
  );
  const [first] = await communicator.agree(own ?? null);
  return (first as { readonly value: T }).value;
}

/** A stop that all processes make at the same iteration, as soon as one of them is asked to. */
export interface SharedStop {
  /** Aborted on all processes by the same call of `look`. */
  readonly signal: AbortSignal | undefined;
  /** Exchanges the requests, and a flag of process 0, which it returns. All processes call it together. */
  look(flag: boolean): boolean;
}

/** Creates the stop of a process that `own` asks to stop. */
export function shareStop(communicator: Communicator, own: AbortSignal | undefined): SharedStop {
  const { size } = communicator;
  if (size === 1) return { signal: own, look: (flag) => flag };
  const controller = new AbortController();
  const words = new Uint8Array(2);
  const all = new Uint8Array(2 * size);
  return {
    signal: controller.signal,
    look(flag) {
      words[0] = Number(own?.aborted === true);
      words[1] = Number(flag);
      communicator.gather(words, all);
      communicator.wait();
      const isAsked = all.some((word, i) => i % 2 === 0 && word !== 0);
      if (isAsked && !controller.signal.aborted) controller.abort();
      return all[1] !== 0;
    },
  };
}
