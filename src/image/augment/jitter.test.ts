import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { readGolden } from "../../../test/golden.ts";
import { decodeImage } from "../files/decode.ts";
import type { Image } from "../image.ts";
import { createFitter } from "../prepare/fitter.ts";
import type { Augmentation } from "./augmentation.ts";
import { createAdjustments, createJitter } from "./jitter.ts";
import { createRandomNumbers } from "./randomChanges.ts";

interface Result {
  readonly sha256: string;
  readonly some: string;
}

type Step = readonly [name: keyof NonNullable<Augmentation["jitter"]>, amount: number];

interface Adjusted extends Result {
  readonly name: Step[0];
  readonly amount: number;
}

interface Golden {
  readonly photo: readonly Adjusted[];
  readonly luma: readonly Adjusted[];
  readonly extremes: readonly Adjusted[];
  readonly allColours: readonly Adjusted[];
  readonly chains: readonly (Result & { readonly steps: readonly Step[] })[];
}

const golden = await readGolden<Golden>("jitter");
const photo = await decodeImage("test/golden/raccoon.jpg");
const adjustments = createAdjustments();

function assertSame(data: Uint8Array, { sha256, some }: Result, what: string): void {
  const step = Math.max(Math.floor(data.length / 16), 1);
  const sample = Uint8Array.from({ length: Math.min(16, data.length) }, (_, i) => data[i * step] as number);
  assert.equal(Buffer.from(sample).toString("hex"), some, what);
  assert.equal(createHash("sha256").update(data).digest("hex"), sha256, what);
}

function assertAsPillow(picture: Pick<Image, "data" | "channels">, all: readonly Adjusted[]): void {
  for (const expected of all) {
    const data = Uint8Array.from(picture.data);
    adjustments[expected.name](data, picture.channels, expected.amount);
    assertSame(data, expected, `${expected.name} ${expected.amount}`);
  }
}

/** Every triple of some levels. */
function extremes(): Uint8Array {
  const levels = [0, 1, 2, 63, 64, 127, 128, 129, 191, 192, 253, 254, 255];
  return Uint8Array.from(levels.flatMap((r) => levels.flatMap((g) => levels.flatMap((b) => [r, g, b]))));
}

function allColours(): Uint8Array {
  const data = new Uint8Array(3 << 24);
  for (let i = 0, j = 0; i < 1 << 24; i++) {
    data[j++] = i >> 16;
    data[j++] = i >> 8;
    data[j++] = i;
  }
  return data;
}

describe("adjustments: equal to torchvision on Pillow's images, to the bit", () => {
  test("a photo", () => assertAsPillow(photo, golden.photo));

  test("grey: saturation and hue do nothing", () => {
    const [height, width] = [photo.height, photo.width];
    const luma = createFitter({ size: [height, width], channels: 1, fit: { kind: "native" }, resize: "bilinear" })(
      photo,
    );
    assertAsPillow(luma, golden.luma);
  });

  test("extremes", () => assertAsPillow({ data: extremes(), channels: 3 }, golden.extremes));

  test("all 2^24 colours", () => assertAsPillow({ data: allColours(), channels: 3 }, golden.allColours));

  test("one after the other, in three orders", () => {
    for (const { steps, ...expected } of golden.chains) {
      const data = Uint8Array.from(photo.data);
      for (const [name, amount] of steps) adjustments[name](data, 3, amount);
      assertSame(data, expected, JSON.stringify(steps));
    }
  });
});

describe("createJitter", () => {
  const none = { brightness: 0, contrast: 0, saturation: 0, hue: 0 };
  const drawsOf = (numbers: readonly number[]) => {
    let used = 0;
    const draw = () => numbers[used++ % numbers.length] as number;
    return { draw, used: () => used };
  };

  test("seven draws whatever the strength; no strength changes nothing", () => {
    for (const strength of [
      none,
      { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      { ...none, hue: 0.5 },
    ]) {
      const data = Uint8Array.from(photo.data);
      const { draw, used } = drawsOf([0.9, 0.1, 0.3, 0.7]);
      createJitter(strength)(data, 3, draw);
      assert.equal(used(), 7);
      assert.equal(Buffer.compare(data, photo.data) === 0, strength === none);
    }
  });

  test("amounts and order are those drawn", () => {
    // Fisher–Yates from the end with these three: hue, contrast, brightness, saturation.
    const order = [0.6, 0.1, 0.6] as const;
    const data = Uint8Array.from(photo.data);
    createJitter({ brightness: 0.4, contrast: 0.8, saturation: 1, hue: 0.5 })(
      data,
      3,
      drawsOf([0.25, 0.875, 0.625, 0.125, ...order]).draw,
    );
    const expected = Uint8Array.from(photo.data);
    const steps = inOrder(order).map((i) => (["brightness", "contrast", "saturation", "hue"] as const)[i]);
    const amounts = { brightness: 0.8, contrast: 1.6, saturation: 1.25, hue: -0.375 };
    for (const step of steps) if (step) adjustments[step](expected, 3, amounts[step]);
    assert.deepEqual(data, expected);
  });

  test("every order comes, about as often as any other", () => {
    const { begin, uniform } = createRandomNumbers(3, "jitter.test");
    const counts = new Map<string, number>();
    for (let i = 0; i < 4800; i++) {
      begin(0, i);
      const order = inOrder([uniform(), uniform(), uniform()]).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    assert.equal(counts.size, 24);
    // 200 each, standard deviation 14: five of them.
    for (const [order, count] of counts) assert.ok(Math.abs(count - 200) < 70, `${order}: ${count}`);
  });
});

/** 0 … 3 in the order of three draws, by swapping from the end. */
function inOrder(draws: readonly [number, number, number]): number[] {
  const order = [0, 1, 2, 3];
  draws.forEach((draw, k) => {
    const [i, j] = [3 - k, Math.floor(draw * (4 - k))];
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  });
  return order;
}
