/** Figure of a saliency map: the network's input, the changes of the probability, both blended, and the scale of the colours. */
import type { Image } from "../image/image.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { formatPercent, formatPoints } from "../report/numbers.ts";
import { fullColourOf, heat, inColour } from "./heat.ts";

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

/** All colours of a map, from the greatest drop on the left to the greatest rise. */
function scaleBar(width: number, full: number): Image {
  const row = Array.from({ length: width }, (_, x) => full * (1 - (2 * x) / (width - 1)));
  const blank = { width, height: BAR_HEIGHT, channels: 3, data: new Uint8Array(3 * width * BAR_HEIGHT) } as const;
  return heat(blank, Array<readonly number[]>(BAR_HEIGHT).fill(row), full, 0);
}
