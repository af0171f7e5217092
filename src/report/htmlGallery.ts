/** Test images with what the network says of them. */
import { percent } from "./htmlParts.ts";
import { type Content, html, type Markup, trusted } from "./markup.ts";

/** A test image with what the network says of it. */
export interface ReportPrediction {
  readonly png: Uint8Array;
  readonly trueClass: string;
  readonly predictedClass: string;
  readonly probability: number;
}

/** How many predictions are right, in words. */
export function shareRight(predictions: readonly ReportPrediction[]): string {
  const right = predictions.filter(({ trueClass, predictedClass }) => trueClass === predictedClass).length;
  return `${right} of these ${predictions.length} are right.`;
}

/** Test images in rows, under a heading; nothing where there are none. */
export function gallery(heading: string, description: string, predictions: readonly ReportPrediction[]): Content {
  if (predictions.length === 0) return [];
  return html`<section>
<h2>${heading}</h2>
<p>${description}</p>
<ul class="gallery">${predictions.map(galleryItem)}</ul>
</section>`;
}

/** Images smaller than this are shown enlarged, with their pixels sharp. */
const smallImage = 64;

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
function widthOf(png: Uint8Array): number {
  return new DataView(png.buffer, png.byteOffset, png.byteLength).getUint32(16);
}
