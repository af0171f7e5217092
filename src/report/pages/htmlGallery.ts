/** Test images with what the network says of them. */

import { html, type Markup, trusted } from "../markup.ts";
import { percent } from "./htmlParts.ts";

/** A test image with what the network says of it. */
export interface ReportPrediction {
  readonly png: Uint8Array;
  readonly trueClass: string;
  readonly predictedClass: string;
  readonly probability: number;
}

/** Test images that belong together. */
export interface ReportGallery {
  /** Of the file that shows them, without its ending. */
  readonly name: string;
  readonly heading: string;
  readonly description: string;
  readonly predictions: readonly ReportPrediction[];
}

/** How many predictions are right, in words. */
export function shareRight(predictions: readonly ReportPrediction[]): string {
  const right = predictions.filter(({ trueClass, predictedClass }) => trueClass === predictedClass).length;
  return `${right} of these ${predictions.length} are right.`;
}

/** A gallery in rows, under its heading. */
export function gallery({ heading, description, predictions }: ReportGallery): Markup {
  return html`<section>
<h2>${heading}</h2>
<p>${description}</p>
<ul class="gallery">${predictions.map(galleryItem)}</ul>
</section>`;
}

/** Images smaller than this are shown enlarged, with their pixels sharp. */
export const smallImage = 64;

function galleryItem({ png, trueClass, predictedClass, probability }: ReportPrediction): Markup {
  const isRight = trueClass === predictedClass;
  const source = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  return html`<li class="${isRight ? "right" : "wrong"}">
<img src="${source}" alt="A test image of class ${trueClass}"${widthOf(png) < smallImage ? trusted(' class="pixels"') : []}>
<p class="verdict">${isRight ? "✓ right" : "✗ wrong"}</p>
<dl><dt>predicted</dt><dd>${predictedClass}, ${percent(probability)}</dd><dt>true</dt><dd>${trueClass}</dd></dl>
</li>
`;
}

/** Width in pixels: the first number of a PNG's header chunk, 16 bytes into the file. */
export function widthOf(png: Uint8Array): number {
  return new DataView(png.buffer, png.byteOffset, png.byteLength).getUint32(16);
}
