/** Rows and columns of images with headings, as SVG. */
import { encodePng } from "../../image/files/decode.ts";
import type { Image } from "../../image/image.ts";
import { html, type Markup } from "../markup.ts";
import { displayWidth, truncate } from "../text.ts";
import { colours } from "../theme.ts";

/** Rows of images under headings, each image with lines of text below it. */
export interface ImageRows {
  readonly title: string;
  readonly rows: readonly {
    readonly heading: string;
    readonly images: readonly { readonly image: Image; readonly lines?: readonly string[] }[];
  }[];
  readonly scale?: ColourScale;
}

/** Legend of colours, below the rows. */
export interface ColourScale {
  readonly heading: string;
  /** The colours from left to right. */
  readonly bar: Image;
  /** Texts at the bar's left end, at equal distances, and at its right end. */
  readonly labels: readonly string[];
}

const margin = 12;
const gap = 8;
const fontSize = 9;
const lineHeight = 12;
/** Character width of DejaVu Sans as a fraction of its size. */
const characterWidth = 0.62;
/** SVG units per pixel: `toPng` doubles, so each image pixel becomes one PNG pixel. */
const unitsPerPixel = 0.5;

/** Draws the rows as SVG, pixel by pixel: an image 200 pixels wide takes 100 units. */
export async function drawImageRows({ title, rows, scale }: ImageRows): Promise<string> {
  const parts: Markup[] = [];
  let top = margin + 2 * lineHeight;
  let width = margin + textWidth(title) * 1.2;
  for (const { heading, images } of rows) {
    width = Math.max(width, margin + textWidth(heading));
    parts.push(html`<text x="${margin}" y="${top}" font-weight="bold">${heading}</text>`);
    top += lineHeight / 2;
    let left = margin;
    let bottom = top;
    for (const { image, lines = [] } of images) {
      const [w, h] = [image.width * unitsPerPixel, image.height * unitsPerPixel];
      parts.push(
        await imageAt(image, left, top),
        // A map without effect is white on white.
        ...(scale ? [outline(left, top, w, h)] : []),
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
  if (scale) {
    const drawn = await drawScale(scale, top);
    parts.push(drawn.markup);
    width = Math.max(width, drawn.right);
    top = drawn.bottom;
  }
  const size = { width: Math.ceil(width + margin), height: Math.ceil(top - lineHeight) };
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="${fontSize}" fill="${colours.ink}"><rect width="${size.width}" height="${size.height}" fill="${colours.background}"/><text x="${margin}" y="${margin + fontSize}" font-size="${fontSize + 2}" font-weight="bold">${title}</text>${parts}</svg>`
    .markup;
}

async function imageAt(image: Image, left: number, top: number): Promise<Markup> {
  const [w, h] = [image.width * unitsPerPixel, image.height * unitsPerPixel];
  const href = `data:image/png;base64,${Buffer.from(await encodePng(image)).toString("base64")}`;
  return html`<image x="${left}" y="${top}" width="${w}" height="${h}" image-rendering="optimizeSpeed" href="${href}"/>`;
}

function outline(x: number, y: number, width: number, height: number): Markup {
  return html`<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="none" stroke="${colours.rule}" stroke-width="0.5"/>`;
}

async function drawScale({ heading, bar, labels }: ColourScale, top: number) {
  const [w, h] = [bar.width * unitsPerPixel, bar.height * unitsPerPixel];
  const barTop = top + lineHeight / 2;
  const texts = labels.map((label, i) => {
    const x = margin + (w * i) / (labels.length - 1);
    const anchor = i === 0 ? "start" : i === labels.length - 1 ? "end" : "middle";
    return html`<text x="${x}" y="${barTop + h + lineHeight - 2}" text-anchor="${anchor}">${label}</text>`;
  });
  const markup = html`<text x="${margin}" y="${top}" font-weight="bold">${heading}</text>${await imageAt(bar, margin, barTop)}${outline(margin, barTop, w, h)}${texts}`;
  const right = margin + Math.max(w, textWidth(heading));
  return { markup, right, bottom: barTop + h + 2.5 * lineHeight };
}

function textWidth(text: string): number {
  return displayWidth(text) * fontSize * (characterWidth + 0.08);
}

/** An image as a PNG file. */
export interface SheetImage {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Rows and columns of images, with a heading per row and column. */
export interface ContactSheet {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly heading: string; readonly pictures: readonly SheetImage[] }[];
  /** Side in pixels of the square each image is shown in. */
  readonly cell: number;
}

const cellGap = 6;
const textHeight = 14;

/** Draws a contact sheet as SVG. Images are shown whole in squares, larger ones reduced; each row's heading is above it. */
export function drawContactSheet({ title, columns, rows, cell }: ContactSheet): string {
  const step = cell + cellGap;
  const rowStep = cell + textHeight + cellGap;
  const top = margin + 2 * textHeight + cellGap;
  const width = 2 * margin + columns.length * step - cellGap;
  const height = top + rows.length * rowStep + margin;
  const letters = Math.floor(cell / 5.5);
  const head = columns.map(
    (name, c) =>
      html`<text x="${margin + c * step}" y="${margin + 2 * textHeight - 2}">${truncate(name, letters)}</text>`,
  );
  const body = rows.map(({ heading, pictures }, r) => {
    const y = top + r * rowStep;
    const cells = pictures.map((picture, c) => cellOf(picture, margin + c * step, y + textHeight, cell));
    return html`<text x="${margin}" y="${y + textHeight - 4}">${truncate(heading, letters * columns.length)}</text>${cells}`;
  });
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans" font-size="9" fill="${colours.ink}"><rect width="${width}" height="${height}" fill="${colours.background}"/><text x="${margin}" y="${margin + textHeight - 4}" font-weight="bold">${truncate(title, Math.floor((width - 2 * margin) / 5.8))}</text>${head}${body}</svg>`
    .markup;
}

function cellOf({ png, width, height }: SheetImage, left: number, top: number, cell: number) {
  const scale = Math.min(cell / width, cell / height, 1);
  const [w, h] = [width * scale, height * scale];
  const href = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  return html`<image x="${left + (cell - w) / 2}" y="${top + (cell - h) / 2}" width="${w}" height="${h}" href="${href}"/>`;
}
