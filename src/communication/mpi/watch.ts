/** Messages around a ring of processes, by which each knows the state of all others, and finds one that has stopped. */
import { type Control, states } from "./control.ts";
import { addressOf, type Mpi } from "./library.ts";

/** Milliseconds between two messages to the next process. */
const BEAT_MS = 250;
/** Extra milliseconds before a process reports another one than its neighbour, whose own message is the most precise. */
const SECOND_MS = 1500;
/** Milliseconds between polls for the last messages. */
const SHORT_NAP = 0.2;
/** Words of a process in a message. */
const [BEAT, ISSUED, STATE, ITERATION] = [0, 1, 2, 3];
const FIELDS = 4;
/** State of a process in its last message. */
const LEAVING = -1;

/** Watches the other processes. */
export interface Watch {
  /** Sends and receives what is due. Returns a description of a process that has stopped; undefined if there is none. */
  look(): string | undefined;
  /** Sends and receives the last messages. Call it once all processes do. */
  end(): void;
}

/** A process's messages; `timeout` in milliseconds. */
export function startWatch(mpi: Mpi, control: Control, timeout: number): Watch {
  const { rank, size } = mpi;
  if (size === 1) return { look: () => undefined, end() {} };
  const [outgoing, incoming] = [shared(size), shared(size)];
  const known = new Int32Array(size * FIELDS);
  const [sending, receiving] = [mpi.slot(), mpi.slot()];
  const [next, previous] = [(rank + 1) % size, (rank + size - 1) % size];
  const bytes = outgoing.words.byteLength;
  const began = performance.now();
  const heard = new Array<number>(size).fill(began);
  let lastCompleted = control.completed();
  let lastProgress = began;
  let isSending = false;
  /** True once the last message of the previous process has arrived. */
  let isOver = false;
  let lastBeat = Number.NEGATIVE_INFINITY;
  mpi.startReceive(incoming.address, bytes, previous, receiving);

  function send(state: number): void {
    const at = rank * FIELDS;
    known[at + BEAT] = (known[at + BEAT] as number) + 1;
    known[at + ISSUED] = control.issued();
    known[at + STATE] = state;
    known[at + ITERATION] = control.iteration();
    outgoing.words.set(known);
    mpi.startSend(outgoing.address, bytes, next, sending);
    isSending = true;
  }
  function merge(now: number): void {
    for (let other = 0; other < size; other++) {
      const at = other * FIELDS;
      const isNewer = (((incoming.words[at + BEAT] as number) - (known[at + BEAT] as number)) | 0) > 0;
      if (other === rank || !isNewer) continue;
      known.set(incoming.words.subarray(at, at + FIELDS), at);
      heard[other] = now;
    }
  }
  function exchange(now: number): void {
    if (isSending && mpi.isDone(sending)) isSending = false;
    if (!isOver && mpi.isDone(receiving)) {
      merge(now);
      isOver = incoming.words[previous * FIELDS + STATE] === LEAVING;
      if (!isOver) mpi.startReceive(incoming.address, bytes, previous, receiving);
    }
    if (isSending || now - lastBeat < BEAT_MS) return;
    lastBeat = now;
    send(control.state());
  }
  /** The nearest earlier process of the ring that satisfies a condition: messages of those before it pass through it. */
  function nearest(isFound: (other: number) => boolean): number | undefined {
    for (let step = 1; step < size; step++) {
      const other = (rank + size - step) % size;
      if (isFound(other)) return other;
    }
    return undefined;
  }
  const iterationOf = (other: number) => known[other * FIELDS + ITERATION] as number;
  function describe(other: number, what: string): string {
    const seconds = timeout / 1000;
    return (
      `process ${other} ${what} for ${seconds} s, last at iteration ${iterationOf(other)} ` +
      `(seen by process ${rank}, itself at iteration ${control.iteration()})`
    );
  }
  /** The first finder is the next process, which hears from it directly. */
  const limitFor = (other: number) => timeout + (other === previous ? 0 : SECOND_MS);
  function findSilent(now: number): string | undefined {
    const silent = nearest((other) => now - (heard[other] as number) > limitFor(other));
    return silent === undefined ? undefined : describe(silent, "has not been heard");
  }
  function findHung(now: number): string | undefined {
    const completed = control.completed();
    if (completed !== lastCompleted || control.state() !== states.blocked) {
      lastCompleted = completed;
      lastProgress = now;
      return undefined;
    }
    const waited = now - lastProgress;
    if (waited <= timeout) return undefined;
    const isBehind = (other: number) =>
      known[other * FIELDS + STATE] !== states.blocked &&
      (((known[other * FIELDS + ISSUED] as number) - control.issued()) | 0) < 0;
    const hung = nearest((other) => isBehind(other) && waited > limitFor(other));
    if (hung !== undefined) return describe(hung, "has kept the others waiting");
    return waited > timeout + 2 * SECOND_MS ? `an exchange has taken more than ${timeout / 1000} s` : undefined;
  }
  return {
    look() {
      const now = performance.now();
      exchange(now);
      return findSilent(now) ?? findHung(now);
    },
    end() {
      while (isSending && !mpi.isDone(sending)) control.nap(SHORT_NAP);
      lastBeat = Number.POSITIVE_INFINITY;
      send(LEAVING);
      while (isSending || !isOver) {
        exchange(performance.now());
        control.nap(SHORT_NAP);
      }
    },
  };
}

function shared(size: number) {
  const words = new Int32Array(new SharedArrayBuffer(4 * FIELDS * size));
  return { words, address: addressOf(words) };
}
