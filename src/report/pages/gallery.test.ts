import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { toPng } from "../figures/png.ts";
import { drawGallery, type ReportPrediction } from "./gallery.ts";

const pngOf = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "#804020" } })
    .png()
    .toBuffer();
const someImages: readonly ReportPrediction[] = [
  { png: await pngOf(28, 90), trueClass: "Sneaker", predictedClass: "Sneaker", probability: 0.981 },
  { png: await pngOf(227, 50), trueClass: "Dress", predictedClass: "Coat", probability: 0.612 },
];

test("a gallery as SVG says what the page says of each image, and marks what is wrong", async () => {
  const gallery = { name: "images", heading: "Sample of test images", description: "1 of 2.", predictions: someImages };
  const svg = drawGallery("net on data", gallery);
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
  const right = ["✓ 98.1 %", "Sneaker"];
  const wrong = ["✗ 61.2 %", "Coat", "true: Dress"];
  assert.deepEqual(texts, ["net on data: Sample of test images", "1 of 2.", ...right, ...wrong]);
  // The small one alone has sharp pixels.
  assert.equal(svg.match(/optimizeSpeed/g)?.length, 1);
  const many = { ...gallery, predictions: Array.from({ length: 17 }, () => someImages[1] as ReportPrediction) };
  const { width = 0, height = 0 } = await sharp(toPng(drawGallery("net on data", many))).metadata();
  assert.ok(width > 900 && height > 3 * 112);
});
