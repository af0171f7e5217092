/** Reads goldens. */
import { readFile } from "node:fs/promises";
import { fillUniform, fillWords, randomStream } from "../src/random.ts";

/** A file of test/golden, as scripts/golden wrote it. */
export async function readGolden<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`golden/${name}.json`, import.meta.url), "utf8")) as T;
}

/** Little-endian f64 values from base64. */
export function doubles(base64: string): Float64Array {
  return new Float64Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
}

/** Little-endian f32 values from base64. */
export function floats(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
}

/** Uniform numbers of (seed, purpose), as `uniform(stream(seed, purpose), 0, …)` of scripts/golden/threefry.py draws them. */
export function drawn(seed: number, purpose: string, length: number, low: number, high: number): Float32Array {
  const values = new Float32Array(length);
  fillUniform(randomStream(seed, purpose), 0, values, low, high);
  return values;
}

/** Class numbers of (seed, "labels"). */
export function drawnLabels(seed: number, length: number, classes: number): number[] {
  const words = new Uint32Array(length);
  fillWords(randomStream(seed, "labels"), 0, words);
  return Array.from(words, (word) => word % classes);
}
