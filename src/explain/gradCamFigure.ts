/** Figure of a Grad-CAM: the network's input, the important places, and both blended. */
import type { Image } from "../image/image.ts";
import { drawImageRows } from "../report/figures/imageRows.ts";
import { zoom } from "../report/figures/tiles.ts";
import { formatPercent } from "../report/numbers.ts";
import { heat, inColour } from "./heat.ts";

/** Content of the figure; see `GradCam`. */
interface ShownGradCam {
  readonly className: string;
  readonly probability: number;
  readonly layer: string;
  readonly values: readonly (readonly number[])[];
  readonly places: readonly (readonly number[])[];
}

const SHOWN_SIDE = 448;

/** The important places over the network's input, of as many rows and columns. */
export function overlay(seen: Image, places: readonly (readonly number[])[]): Image {
  return heat(seen, places, 1, 0.65);
}

/** Draws the figure as SVG. `seen` is the network's input. */
export async function drawGradCam(network: string, file: string, seen: Image, made: ShownGradCam): Promise<string> {
  const { className, probability, layer, values, places } = made;
  const factor = Math.max(1, Math.round(SHOWN_SIDE / Math.max(seen.width, seen.height)));
  return drawImageRows({
    title: `${network}: places of ${file} that raise the score of ${className}`,
    rows: [
      {
        heading: `${formatPercent(probability)}; Grad-CAM at ${layer}, ${values.length}×${values[0]?.length ?? 0} places, the most important in full colour`,
        images: [
          { image: zoom(inColour(seen), factor), lines: ["network input"] },
          { image: zoom(heat(seen, places, 1, 0), factor), lines: ["importance"] },
          { image: zoom(overlay(seen, places), factor), lines: ["both"] },
        ],
      },
    ],
  });
}
