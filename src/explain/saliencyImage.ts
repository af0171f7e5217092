/** Saliency as an image. */
import type { Image } from "../image/image.ts";
import { drawPictureRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { formatPercent } from "../report/numbers.ts";

/** What is drawn of a measurement. */
interface ShownSaliency {
  readonly className: string;
  readonly probability: number;
  readonly window: number;
  readonly most: { readonly drop: number };
  readonly drops: readonly (readonly number[])[];
}

const SHOWN_SIDE = 448;
/** Of Okabe and Ito's palette: what lowers the probability when hidden, and what raises it. */
const needed = [213, 94, 0] as const;
const disturbing = [0, 114, 178] as const;

/** The picture as the network gets it, where hiding changes the probability, and both over one another. */
export async function drawSaliency(network: string, file: string, seen: Image, made: ShownSaliency): Promise<string> {
  const { className, probability, window, most, drops } = made;
  const factor = Math.max(1, Math.round(SHOWN_SIDE / Math.max(seen.width, seen.height)));
  const greatest = Math.max(...drops.map((row) => Math.max(...row.map(Math.abs)))) || 1;
  const blended = (picture: number) => zoom(heat(seen, drops, greatest, picture), factor);
  const lines = [`orange: hiding it lowers the probability`, `blue: hiding it raises it`];
  return drawPictureRows({
    title: `${network}: which parts of ${file} tell ${className}`,
    rows: [
      {
        heading: `${formatPercent(probability)} with nothing hidden; ${window}×${window} hidden lowers it by at most ${(100 * most.drop).toFixed(1)} points`,
        pictures: [
          { image: zoom(inColour(seen), factor), lines: ["as the network gets it"] },
          { image: blended(0), lines },
          { image: blended(0.65), lines: ["both"] },
        ],
      },
    ],
  });
}

function inColour({ width, height, channels, data }: Image): Image {
  if (channels === 3) return { width, height, channels, data };
  return {
    width,
    height,
    channels: 3,
    data: Uint8Array.from({ length: 3 * data.length }, (_, i) => data[Math.floor(i / 3)] as number),
  };
}

/** Colour where it matters, white elsewhere; with a share of the picture's brightness. */
function heat(seen: Image, drops: ShownSaliency["drops"], greatest: number, share: number): Image {
  const { data, width, height } = inColour(seen);
  const mixed = new Uint8ClampedArray(data.length);
  for (let p = 0; p < width * height; p++) {
    const drop = (drops[Math.floor(p / width)]?.[p % width] as number) / greatest;
    const hue = drop > 0 ? needed : disturbing;
    const brightness = ((data[3 * p] as number) + (data[3 * p + 1] as number) + (data[3 * p + 2] as number)) / 3;
    const ground = 255 * (1 - share) + brightness * share;
    for (const [c, level] of hue.entries()) mixed[3 * p + c] = ground + Math.abs(drop) * (level - ground);
  }
  return { width, height, channels: 3, data: new Uint8Array(mixed.buffer) };
}
