/** Galleries of test images with predictions, as HTML and as SVG. */
import { html, type Markup, trusted } from "../markup.ts";
import { formatPercent } from "../numbers.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";
import { percent } from "./htmlParts.ts";

/** A test image and the network's prediction. */
export interface ReportPrediction {
  readonly png: Uint8Array;
  readonly trueClass: string;
  readonly predictedClass: string;
  readonly probability: number;
  /** The important places over the network's input, as PNG. */
  readonly map?: Uint8Array;
}

/** Texts of an image with a prediction: its verdict, and the names of the two classes. */
export interface GalleryTexts {
  readonly verdict: string;
  readonly predicted: string;
  readonly trueClass: string;
}

/** A group of test images. */
export interface ReportGallery {
  /** File name of the figure, without extension. */
  readonly name: string;
  readonly heading: string;
  readonly description: string;
  readonly predictions: readonly ReportPrediction[];
  /** Default: right or wrong, the predicted and the true class. */
  readonly texts?: GalleryTexts;
}

/** Sentence with the number of correct predictions. */
export function describeCorrect(predictions: readonly ReportPrediction[]): string {
  const right = predictions.filter(({ trueClass, predictedClass }) => trueClass === predictedClass).length;
  return `${right} of these ${predictions.length} are right.`;
}

/** Renders a gallery with its heading. */
export function gallery({ heading, description, predictions, texts }: ReportGallery): Markup {
  return html`<section>
<h2>${heading}</h2>
<p>${description}</p>
<ul class="gallery">${predictions.map((prediction) => galleryItem(prediction, texts ?? textsOf(prediction)))}</ul>
</section>`;
}

/** Images smaller than this are shown enlarged, with sharp pixels. */
const smallImage = 64;

function textsOf({ trueClass, predictedClass }: ReportPrediction): GalleryTexts {
  return { verdict: trueClass === predictedClass ? "✓ right" : "✗ wrong", predicted: "predicted", trueClass: "true" };
}

function galleryItem(
  { png, map, trueClass, predictedClass, probability }: ReportPrediction,
  texts: GalleryTexts,
): Markup {
  const isRight = trueClass === predictedClass;
  return html`<li class="${isRight ? "right" : "wrong"}">
${imageOf(png, `A test image of class ${trueClass}`)}
${map ? imageOf(map, `Places that raise the score of ${predictedClass}`) : []}<p class="verdict">${texts.verdict}</p>
<dl><dt>${texts.predicted}</dt><dd>${predictedClass}, ${percent(probability)}</dd><dt>${texts.trueClass}</dt><dd>${trueClass}</dd></dl>
</li>
`;
}

function imageOf(png: Uint8Array, description: string): Markup {
  const source = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  return html`<img src="${source}" alt="${description}"${widthOf(png) < smallImage ? trusted(' class="pixels"') : []}>`;
}

/** Width in pixels, read from the PNG header chunk at byte 16. */
function widthOf(png: Uint8Array): number {
  return new DataView(png.buffer, png.byteOffset, png.byteLength).getUint32(16);
}

const columns = 8;
/** Side in pixels of the square each image is shown in. */
const side = 112;
const gap = 12;
const margin = 16;
const fontSize = 10;
const lineHeight = 13;
/** Distance from the top edge to the first row. */
const top = margin + 3.5 * lineHeight;
/** Letters of DejaVu Sans that fit below an image. */
const letters = Math.floor(side / (0.62 * fontSize));

/**
 * Draws a gallery as SVG with eight whole images per row; small images are enlarged, with sharp pixels. `title` names the network and the
 * data set.
 */
export function drawGallery(title: string, { heading, description, predictions, texts }: ReportGallery): string {
  const rowHeight = side + 3 * lineHeight + gap;
  const width = 2 * margin + columns * (side + gap) - gap;
  const height = top + Math.ceil(predictions.length / columns) * rowHeight + margin - gap;
  const cells = predictions.map(({ png, trueClass, predictedClass, probability }, i) => {
    const x = margin + (i % columns) * (side + gap);
    const y = top + Math.floor(i / columns) * rowHeight;
    const isRight = trueClass === predictedClass;
    const mark = texts ? "?" : isRight ? "✓" : "✗";
    const lines = [
      `${mark} ${formatPercent(probability)}`,
      predictedClass,
      `${texts?.trueClass ?? "true"}: ${trueClass}`,
    ];
    const shown = isRight ? lines.slice(0, 2) : lines;
    const drawn = shown.map((line, l) => {
      const baseline = y + side + (l + 1) * lineHeight;
      return html`<text x="${x}" y="${baseline}"${l === 0 ? html` font-weight="bold"` : []}>${truncate(line, letters)}</text>`;
    });
    const href = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
    const rendering = widthOf(png) < smallImage ? html` image-rendering="optimizeSpeed"` : [];
    return html`<image x="${x}" y="${y}" width="${side}" height="${side}"${rendering} href="${href}"/>${drawn}`;
  });
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="${fontSize}" fill="${colours.ink}"><rect width="${width}" height="${height}" fill="${colours.background}"/><text x="${margin}" y="${margin + fontSize}" font-size="${fontSize + 4}" font-weight="bold">${title}: ${heading}</text><text x="${margin}" y="${margin + 2.3 * lineHeight}">${description}</text>${cells}</svg>`
    .markup;
}
