/** Messages between the two threads of an engine process. */
import type { EngineFacts } from "./engineFacts.ts";

/** From the thread of the pipe: images that are ready to compute, and requests that nobody waits for. */
export type ToEngine =
  /** Memory for one image's values; its index is the number of slots before it. */
  | { readonly slot: SharedArrayBuffer }
  /** A request: the slots of its images, and the time of its arrival in milliseconds since 1970. */
  | { readonly id: number; readonly slots: readonly number[]; readonly at: number }
  | { readonly cancel: number };

/** From the thread of the engine. */
export type FromEngine =
  | { readonly ready: EngineFacts }
  | { readonly note: string }
  | { readonly failure: string }
  /** Probabilities of a request's images one after the other, or its error; its slots are free again. */
  | {
      readonly id: number;
      readonly slots: readonly number[];
      readonly probabilities?: Float64Array<ArrayBuffer>;
      readonly error?: string;
    };

/** Index of the time, in milliseconds since 1970, at which the computation in progress began; 0 between computations. */
export const BUSY_SINCE = 0;
