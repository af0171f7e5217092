/** Pictures in rows under headings, pixel by pixel. */
import { encodePng } from "../../image/files/decode.ts";
import type { Image } from "../../image/image.ts";
import { html, type Markup } from "../markup.ts";
import { displayWidth, truncate } from "../text.ts";
import { colours } from "../theme.ts";

/** Pictures in rows under headings, each with lines below it. */
export interface PictureRows {
  readonly title: string;
  readonly rows: readonly {
    readonly heading: string;
    readonly pictures: readonly { readonly image: Image; readonly lines?: readonly string[] }[];
  }[];
}

const margin = 12;
const gap = 8;
const fontSize = 9;
const lineHeight = 12;
/** Of DejaVu Sans, as a share of its size. */
const characterWidth = 0.62;
/** `toPng` doubles: a pixel of a picture is one of the PNG. */
const unitsPerPixel = 0.5;

/** Draws the rows as SVG, pixel by pixel: a picture of 200 pixels takes 100 units. */
export async function drawPictureRows({ title, rows }: PictureRows): Promise<string> {
  const parts: Markup[] = [];
  let top = margin + 2 * lineHeight;
  let width = margin + textWidth(title) * 1.2;
  for (const { heading, pictures } of rows) {
    width = Math.max(width, margin + textWidth(heading));
    parts.push(html`<text x="${margin}" y="${top}" font-weight="bold">${heading}</text>`);
    top += lineHeight / 2;
    let left = margin;
    let bottom = top;
    for (const { image, lines = [] } of pictures) {
      const [w, h] = [image.width * unitsPerPixel, image.height * unitsPerPixel];
      const href = `data:image/png;base64,${Buffer.from(await encodePng(image)).toString("base64")}`;
      parts.push(
        html`<image x="${left}" y="${top}" width="${w}" height="${h}" image-rendering="optimizeSpeed" href="${href}"/>`,
        ...lines.map((line, i) => {
          const y = top + h + (i + 1) * lineHeight - 2;
          return html`<text x="${left}" y="${y}">${truncate(line, Math.floor(w / (fontSize * characterWidth)))}</text>`;
        }),
      );
      left += w + gap;
      bottom = Math.max(bottom, top + h + lines.length * lineHeight);
    }
    width = Math.max(width, left - gap);
    top = bottom + 2 * lineHeight;
  }
  const size = { width: Math.ceil(width + margin), height: Math.ceil(top - lineHeight) };
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="${fontSize}" fill="${colours.ink}"><rect width="${size.width}" height="${size.height}" fill="${colours.background}"/><text x="${margin}" y="${margin + fontSize}" font-size="${fontSize + 2}" font-weight="bold">${title}</text>${parts}</svg>`
    .markup;
}

function textWidth(text: string): number {
  return displayWidth(text) * fontSize * (characterWidth + 0.08);
}
