/** Network inputs equal torchvision's: the 8-bit pixels to the bit, the values but for float32 rounding. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { readGolden } from "../../../test/golden.ts";
import { decodeImage } from "../files/decode.ts";
import { type Image, wholeOf } from "../image.ts";
import { createResizer } from "../resize/resize.ts";
import type { Filter } from "../resize/taps.ts";
import type { Fit } from "./fit.ts";
import { createPreprocessor, type Preprocessing } from "./preprocess.ts";

interface Result {
  readonly sha256: string;
  /** Every 20011th. */
  readonly values: readonly number[];
}

type Pair = readonly [width: number, height: number];

/** See scripts/golden/preprocess.py. */
interface Golden {
  readonly chains: readonly (Result & {
    readonly fit: keyof typeof fits;
    readonly filter: Filter;
    readonly side: number;
    readonly from: Pair;
  })[];
  readonly resizedCrops: readonly (Result & {
    readonly filter: Filter;
    readonly window: readonly [left: number, top: number, width: number, height: number];
  })[];
  readonly letterboxes: readonly {
    readonly filter: Filter;
    readonly from: Pair;
    readonly to: Pair;
    readonly sha256: string;
  }[];
}

const golden = await readGolden<Golden>("preprocess");
const photo = await decodeImage("test/golden/raccoon.jpg");
const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

/** The photo if it has that size, else byte i is (37 i² + 11 i) mod 251. */
function source([width, height]: Pair): Image {
  if (width === photo.width && height === photo.height) return photo;
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (37 * i * i + 11 * i) % 251);
  return { width, height, channels: 3, data };
}

function inputOf(image: Image, [width, height]: Pair, fit: Fit, filter: Filter, scale: Scale): Float32Array {
  const preprocessing: Preprocessing = { size: [height, width], channels: 3, fit, resize: filter, ...scale };
  const target = new Float32Array(3 * height * width);
  createPreprocessor(preprocessing)(image, target, 0);
  return target;
}

type Scale = Pick<Preprocessing, "mean" | "deviation">;

/** `crop` takes the central 256 × 256 first, as the paper does; so a window of odd size can lie a pixel beside that of `CenterCrop` alone. */
const fits = {
  resize: { kind: "resize" },
  crop: { kind: "crop", shorterSide: 256 },
  "random-resized-crop": { kind: "random-resized-crop", shorterSide: 256, scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
} as const satisfies Readonly<Record<string, Fit>>;

/** Values are the levels themselves. */
const levels: Scale = { mean: [0, 0, 0], deviation: [1 / 255, 1 / 255, 1 / 255] };
/** Values are the levels less one: a level is never 0, which is what a pixel without one has. */
const levelsLessOne: Scale = { mean: [-1 / 255, -1 / 255, -1 / 255], deviation: levels.deviation };

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function assertAsTorchvision(
  image: Image,
  size: Pair,
  fit: Fit,
  filter: Filter,
  { sha256: hash, values }: Result,
): void {
  const what = `${fit.kind} ${filter} ${image.width}×${image.height} → ${size.join("×")}`;
  assert.equal(sha256(Uint8Array.from(inputOf(image, size, fit, filter, levels), Math.round)), hash, what);
  const some = inputOf(image, size, fit, filter, { mean, deviation }).filter((_, i) => i % 20011 === 0);
  // torchvision rounds level / 255, mean, difference and deviation to float32, each by up to 2^-25 of 1; divided by 0.22, and the quotient of
  // up to 2.7 rounded by 2^-23 there and once here.
  assertClose(some, values, { absolute: (3 * 2 ** -25) / 0.22 + 2 * 2 ** -23 }, what);
}

describe("createPreprocessor: torchvision's pixels to the bit, its values but for rounding", () => {
  for (const kind of ["resize", "crop", "random-resized-crop"] as const) {
    for (const side of [224, 227]) {
      test(`${kind} to ${side}, in evaluation`, () => {
        const chains = golden.chains.filter((chain) => chain.fit === kind && chain.side === side);
        assert.equal(chains.length, 24);
        for (const { filter, from, ...expected } of chains) {
          assertAsTorchvision(source(from), [side, side], fits[kind], filter, expected);
        }
      });
    }
  }

  test("windows resized: functional.resized_crop", () => {
    for (const { filter, window, ...expected } of golden.resizedCrops) {
      const [left, top, width, height] = window;
      const size = { width: 224, height: 224 };
      const data = new Uint8ClampedArray(224 * 224 * 3);
      createResizer(filter)(photo, { left, top, width, height }, size, wholeOf(size), data);
      const cut: Image = { ...size, channels: 3, data: new Uint8Array(data) };
      assertAsTorchvision(cut, [224, 224], { kind: "native" }, filter, expected);
    }
  });

  test("letterbox: Pillow's resize, pasted", () => {
    for (const { filter, from, to, sha256: expected } of golden.letterboxes) {
      const values = inputOf(source(from), to, { kind: "pad" }, filter, levelsLessOne);
      const pixels = Int16Array.from(values, (value) => Math.round(value) - 1);
      assert.equal(sha256(new Uint8Array(pixels.buffer)), expected, `${filter} ${from.join("×")} → ${to.join("×")}`);
    }
  });
});
