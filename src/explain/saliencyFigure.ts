/** Figure of a saliency map: the network's input, the changes of the probability, both blended, and the scale of the colours. */
import type { Image } from "../image/image.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { formatPercent, formatPoints } from "../report/numbers.ts";

/** Content of the figure; see `Saliency`. */
interface ShownSaliency {
  readonly className: string;
  readonly probability: number;
  readonly window: number;
  readonly most: { readonly drop: number };
  readonly least: { readonly drop: number };
  readonly drops: readonly (readonly number[])[];
}

/** The effects of a saliency map in words: `hiding 28×28 lowers it by at most 3.4 points, raises it by at most 0.2 points`. */
export function describeEffects({ window, most, least }: Pick<ShownSaliency, "window" | "most" | "least">): string {
  const [lowers, raises] = [Math.max(0, most.drop), Math.max(0, -least.drop)];
  return `hiding ${window}×${window} lowers it by at most ${formatPoints(lowers)}, raises it by at most ${formatPoints(raises)}`;
}

const SHOWN_SIDE = 448;
/** Colours of Okabe and Ito's palette: hiding lowers the probability, hiding raises it. */
const needed = [213, 94, 0] as const;
const disturbing = [0, 114, 178] as const;
/** Changes of the probability that have the full colour. The least of them keeps a map without effect pale. */
const fullColours = [0.1, 0.2, 0.5, 1] as const;
const BAR_HEIGHT = 20;

/** Draws the figure as SVG. `seen` is the network's input, of as many rows and columns as the map. */
export async function drawSaliency(network: string, file: string, seen: Image, made: ShownSaliency): Promise<string> {
  const { className, probability, drops } = made;
  const factor = Math.max(1, Math.round(SHOWN_SIDE / Math.max(seen.width, seen.height)));
  const full = fullColourOf(drops);
  const blended = (fraction: number) => zoom(heat(seen, drops, full, fraction), factor);
  const ends = [-full, -full / 2, 0, full / 2, full].map((change) => Math.round(100 * change));
  return drawImageRows({
    title: `${network}: parts of ${file} that support ${className}`,
    rows: [
      {
        heading: `${formatPercent(probability)} with nothing hidden; ${describeEffects(made)}`,
        images: [
          { image: zoom(inColour(seen), factor), lines: ["network input"] },
          { image: blended(0), lines: ["change of the probability"] },
          { image: blended(0.65), lines: ["both"] },
        ],
      },
    ],
    scale: {
      heading: "Change of the probability when hidden, in percentage points (orange: lower, blue: higher)",
      bar: scaleBar(3 * factor * seen.width, full),
      labels: ends.map((points) => `${points > 0 ? "+" : ""}${points}`.replace("-", "−")),
    },
  });
}

/** The change of the probability that has the full colour on a map: the smallest one of the scale that covers all changes. */
function fullColourOf(drops: ShownSaliency["drops"]): number {
  const greatest = drops.flat().reduce((most, drop) => Math.max(most, Math.abs(drop)), 0);
  return fullColours.find((full) => full >= greatest) ?? 1;
}

/** All colours of a map, from the greatest drop on the left to the greatest rise. */
function scaleBar(width: number, full: number): Image {
  const row = Array.from({ length: width }, (_, x) => full * (1 - (2 * x) / (width - 1)));
  const blank = { width, height: BAR_HEIGHT, channels: 3, data: new Uint8Array(3 * width * BAR_HEIGHT) } as const;
  return heat(blank, Array<readonly number[]>(BAR_HEIGHT).fill(row), full, 0);
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

/** Colour in proportion to the change, white without one, multiplied by a fraction of the image's brightness. */
function heat(seen: Image, drops: ShownSaliency["drops"], full: number, fraction: number): Image {
  const { data, width, height } = inColour(seen);
  const mixed = new Uint8ClampedArray(data.length);
  for (let p = 0; p < width * height; p++) {
    const drop = (drops[Math.floor(p / width)]?.[p % width] as number) / full;
    const hue = drop > 0 ? needed : disturbing;
    const brightness = ((data[3 * p] as number) + (data[3 * p + 1] as number) + (data[3 * p + 2] as number)) / 3;
    const ground = 255 * (1 - fraction) + brightness * fraction;
    for (const [c, level] of hue.entries()) mixed[3 * p + c] = ground + Math.abs(drop) * (level - ground);
  }
  return { width, height, channels: 3, data: new Uint8Array(mixed.buffer) };
}
