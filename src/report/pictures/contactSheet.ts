/** Pictures in rows and columns, with headings. */
import { html } from "../markup.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";

/** A picture as a PNG file. */
export interface SheetPicture {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** Pictures in rows and columns, with a heading for each. */
export interface ContactSheet {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly heading: string; readonly pictures: readonly SheetPicture[] }[];
  /** Side of the square that each picture is shown in, in pixels. */
  readonly cell: number;
}

const gap = 6;
const margin = 12;
const textHeight = 14;

/** Draws a sheet as SVG, whole pictures in squares, larger ones shrunk. A row's heading stands above it. */
export function drawContactSheet({ title, columns, rows, cell }: ContactSheet): string {
  const step = cell + gap;
  const rowStep = cell + textHeight + gap;
  const top = margin + 2 * textHeight + gap;
  const width = 2 * margin + columns.length * step - gap;
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

function cellOf({ png, width, height }: SheetPicture, left: number, top: number, cell: number) {
  const scale = Math.min(cell / width, cell / height, 1);
  const [w, h] = [width * scale, height * scale];
  const href = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  return html`<image x="${left + (cell - w) / 2}" y="${top + (cell - h) / 2}" width="${w}" height="${h}" href="${href}"/>`;
}
