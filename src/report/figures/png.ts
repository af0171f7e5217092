/** SVG to PNG. */
import { createRequire } from "node:module";
import { Resvg } from "@resvg/resvg-js";

const scale = 2;

/** Renders an SVG as PNG at twice its size, with fonts of a package: text looks the same on machines without any. */
export function toPng(svg: string): Uint8Array {
  const { resolve } = createRequire(import.meta.url);
  const fontFiles = ["DejaVuSans", "DejaVuSans-Bold"].map((name) => resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`));
  const font = { loadSystemFonts: false, fontFiles, defaultFontFamily: "DejaVu Sans" };
  return new Resvg(svg, { font, fitTo: { mode: "zoom", value: scale } }).render().asPng();
}
