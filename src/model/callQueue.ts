/** Queue of overlapping calls on one trained network: they run one at a time, in order, and are refused once it is closed. */
import { ClosedError } from "../errors.ts";
import { yieldToEvents } from "../yieldToEvents.ts";

/** The calls of one owner of programs. */
export interface CallQueue {
  /** True if a turn requested now begins at once. */
  readonly isIdle: boolean;
  /** A call of the owner, which `close` waits for. Throws ClosedError after `close`. */
  call<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Work within a call that has exclusive use of the programs. It begins before this returns if nothing runs, otherwise after all turns requested
   * earlier. A turn that fails does not hold up the next. Throws the signal's reason if that is aborted before the turn begins.
   */
  turn<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Refuses further calls, waits for those in flight, and frees the memory, at once if there are none. Every call returns the same promise. */
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
        // Engines block the event loop: between two turns it runs timers and signal handlers.
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

/** Resolves when its entry is called; leaves the queue and rejects if the signal is aborted before that. */
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
