/** Overlapping calls on one trained network: in the order of the calls, one at a time, and none after it is closed. */
import { ClosedError } from "../errors.ts";
import { yieldToEvents } from "../yieldToEvents.ts";

/** The calls of one owner of programs. */
export interface CallQueue {
  /** True if a turn that is asked for now begins at once. */
  readonly isIdle: boolean;
  /** A call of the owner, which `close` waits for. Throws ClosedError after `close`. */
  call<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Work within a call that has the programs to itself: begun before this returns if nothing runs, otherwise after all turns asked for earlier. A turn
   * that fails does not hold up the next. Throws the signal's reason if that is aborted before the turn begins.
   */
  turn<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Refuses further calls, waits for those in flight, and frees the memory: at once if there are none. The same promise however often it is called. */
  close(): Promise<void>;
}

/** Queues the calls of `owner`, a name for messages; `free` releases its memory. */
export function createCallQueue(owner: string, free: () => void): CallQueue {
  const inFlight = new Set<Promise<unknown>>();
  const waiting: (() => void)[] = [];
  let isBusy = false;
  let closing: Promise<void> | undefined;
  const startNext = () => {
    const start = waiting.shift();
    if (start) start();
    else isBusy = false;
  };
  return {
    get isIdle() {
      return !isBusy;
    },
    async call(work) {
      if (closing) throw new ClosedError(owner);
      const result = work();
      inFlight.add(result);
      try {
        return await result;
      } finally {
        inFlight.delete(result);
      }
    },
    async turn(work, signal) {
      signal?.throwIfAborted();
      if (isBusy) await waitIn(waiting, signal);
      isBusy = true;
      try {
        return await work();
      } finally {
        // Engines block: between two turns the event loop gets to timers and signals.
        if (waiting.length > 0) void yieldToEvents().then(startNext);
        else isBusy = false;
      }
    },
    close() {
      closing ??=
        inFlight.size === 0 ? new Promise((resolve) => resolve(free())) : Promise.allSettled(inFlight).then(free);
      return closing;
    },
  };
}

/** Resolves when its entry is called; leaves the line and rejects if the signal is aborted before. */
function waitIn(waiting: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const start = () => {
      signal?.removeEventListener("abort", leave);
      resolve();
    };
    const leave = () => {
      waiting.splice(waiting.indexOf(start), 1);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    waiting.push(start);
  });
}
