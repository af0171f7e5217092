/** Pixels as callers of the library give them, checked. */
import { DataError } from "../errors.ts";
import type { Image, PixelSize } from "./image.ts";
import { isByteArray } from "./typedArray.ts";

/** Pixels in memory: 8 bits a channel, rows from the top, channels of a pixel side by side. An `ImageData` is one. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  /** 1: grey. 2: grey and alpha. 3: RGB. 4: RGBA. Alpha is put on white, as in files. Default: what the length of `data` says. */
  readonly channels?: number | undefined;
  /** height × width × channels levels from 0 (black) to 255 (white). */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * The image of pixels. Everything is checked, since callers of JavaScript have no types. Without alpha it is a view of the same memory.
 *
 * Throws DataError, beginning with `image`, if it is not a `RawImage`; the message names the kinds of input in `expected`.
 */
export function imageOfPixels(input: unknown, expected = "pixels { width, height, channels, data }"): Image {
  const isObject = typeof input === "object" && input !== null;
  if (!isObject || !("width" in input && "height" in input && "data" in input)) {
    throw new DataError(`image: expected ${expected}, got ${kindOf(input)}`);
  }
  const { width, height, data } = input;
  for (const [name, value] of Object.entries({ width, height })) {
    if (Number.isSafeInteger(value) && (value as number) > 0) continue;
    throw new DataError(`image: ${name}: expected a positive whole number, got ${shown(value)}`);
  }
  if (!isByteArray(data)) {
    throw new DataError(
      `image: data: expected a Uint8Array of levels from 0 to 255, got ${kindOf(data)}; of an image file, pass the bytes alone`,
    );
  }
  const size = { width: width as number, height: height as number };
  const pixels = size.width * size.height;
  const channels = channelsOf("channels" in input ? input.channels : undefined, size, data.length);
  const levels = new Uint8Array(data.buffer, data.byteOffset, data.length);
  if (channels === 1 || channels === 3) return { ...size, channels, data: levels.subarray(0, pixels * channels) };
  return onWhite(size, channels, levels);
}

/** (level · alpha + 255 · (255 − alpha)) / 255, cut to whole levels. Source: libvips, conversion/flatten.c. */
function onWhite({ width, height }: PixelSize, channels: 2 | 4, data: Uint8Array): Image {
  const kept = channels === 2 ? 1 : 3;
  const flat = new Uint8Array(width * height * kept);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    const alpha = data[from + kept] as number;
    for (let c = 0; c < kept; c++) {
      flat[to++] = Math.trunc(((data[from + c] as number) * alpha + 255 * (255 - alpha)) / 255);
    }
  }
  return { width, height, channels: kept, data: flat };
}

function channelsOf(given: unknown, { width, height }: PixelSize, length: number): 1 | 2 | 3 | 4 {
  const actual = length / (width * height);
  const channels = given ?? actual;
  if (given !== undefined && !isChannels(given)) {
    throw new DataError(`image: channels: expected 1, 2, 3 or 4, got ${shown(given)}`);
  }
  if (isChannels(channels) && channels === actual) return channels;
  const expected = isChannels(channels)
    ? `${width}×${height}×${channels} = ${width * height * channels}`
    : `1, 2, 3 or 4 times ${width}×${height} = ${width * height}`;
  const hint = isChannels(actual) ? `, those of ${actual} channels` : "";
  throw new DataError(`image: data: expected ${expected} bytes, got ${length}${hint}`);
}

function isChannels(value: unknown): value is 1 | 2 | 3 | 4 {
  return value === 1 || value === 2 || value === 3 || value === 4;
}

/** A number as it is, the kind of anything else. */
export function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : kindOf(value);
}

/** The kind of a value, for messages: `null`, `string`, `an array`, `Map`. */
export function kindOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Array.isArray(value) ? "an array" : (value.constructor?.name ?? "an object");
}
