/** SVG to PNG. */
import { Resvg } from "@resvg/resvg-js";
import { withFonts } from "./fonts.ts";

const scale = 2;

/** Renders an SVG as PNG at twice its size, with fonts for all its characters (see `withFonts`). */
export function toPng(svg: string): Uint8Array {
  const figure = withFonts(svg);
  return new Resvg(figure.svg, { font: figure.font, fitTo: { mode: "zoom", value: scale } }).render().asPng();
}
