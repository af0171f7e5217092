/** Pictures laid out where a map has them: in each cell of a grid the one nearest to its centre of those that fall in it. */
import type { Plane } from "../embedding/tsne.ts";
import type { Image } from "../image/image.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { createResizer } from "../image/resize/resize.ts";
import { drawPictureRows } from "../report/figures/imageRows.ts";
import { createInputPicture } from "./inputImage.ts";

export interface PictureGrid {
  /** Takes the next picture, of which a small copy is kept. */
  add(image: Image): void;
  /** Draws them as SVG; the plane has a place for each, in order. */
  draw(plane: Plane, title: string): Promise<string>;
}

/** Pixels of a cell's side. */
const CELL = 36;
/** Cells of a side of the grid: about one for each picture, within these. */
const [FEWEST, MOST] = [8, 44];

/** Makes one for pictures as a network sees them. */
export function createPictureGrid(preprocessing: Preprocessing): PictureGrid {
  const seen = createInputPicture(preprocessing);
  const resize = createResizer("bilinear");
  const pictures: Image[] = [];
  return {
    add(image) {
      const picture = seen(image);
      const scale = CELL / Math.max(picture.width, picture.height);
      const size = { width: Math.round(picture.width * scale) || 1, height: Math.round(picture.height * scale) || 1 };
      const data = new Uint8ClampedArray(size.width * size.height * picture.channels);
      const whole = { left: 0, top: 0, ...size };
      resize(picture, { left: 0, top: 0, width: picture.width, height: picture.height }, size, whole, data);
      pictures.push({ ...size, channels: picture.channels, data: new Uint8Array(data.buffer) });
    },
    draw(plane, title) {
      const side = Math.min(Math.max(Math.ceil(Math.sqrt(pictures.length)), FEWEST), MOST);
      const chosen = nearestToCentres(plane, side);
      const image = laidOut(pictures, chosen, side);
      const heading = `${chosen.size.toLocaleString("en")} of them: in each cell the one nearest to its centre`;
      return drawPictureRows({ title, rows: [{ heading, pictures: [{ image }] }] });
    },
  };
}

/** By cell, rows from the top: the number of the place nearest to its centre among those in it. Both axes have one scale. */
export function nearestToCentres({ x, y }: Plane, side: number): ReadonlyMap<number, number> {
  const [left, right, low, high] = [x.reduce(min), x.reduce(max), y.reduce(min), y.reduce(max)];
  const extent = Math.max(right - left, high - low) || 1;
  const nearest = new Map<number, { readonly i: number; readonly distance: number }>();
  for (let i = 0; i < x.length; i++) {
    const across = (0.5 + ((x[i] as number) - (left + right) / 2) / extent) * side;
    const down = (0.5 - ((y[i] as number) - (low + high) / 2) / extent) * side;
    const [column, row] = [Math.min(Math.floor(across), side - 1), Math.min(Math.floor(down), side - 1)];
    const distance = Math.hypot(across - column - 0.5, down - row - 0.5);
    const cell = row * side + column;
    if (distance < (nearest.get(cell)?.distance ?? Number.POSITIVE_INFINITY)) nearest.set(cell, { i, distance });
  }
  return new Map([...nearest].map(([cell, { i }]) => [cell, i]));
}

const min = (a: number, b: number) => Math.min(a, b);
const max = (a: number, b: number) => Math.max(a, b);

function laidOut(pictures: readonly Image[], chosen: ReadonlyMap<number, number>, side: number): Image {
  const channels = pictures[0]?.channels ?? 1;
  const width = side * CELL;
  const data = new Uint8Array(width * width * channels).fill(255);
  for (const [cell, i] of chosen) {
    const picture = pictures[i] as Image;
    const left = (cell % side) * CELL + Math.floor((CELL - picture.width) / 2);
    const top = Math.floor(cell / side) * CELL + Math.floor((CELL - picture.height) / 2);
    for (let row = 0; row < picture.height; row++) {
      const length = picture.width * channels;
      data.set(picture.data.subarray(row * length, (row + 1) * length), ((top + row) * width + left) * channels);
    }
  }
  return { width, height: width, channels, data };
}
