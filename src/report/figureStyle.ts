/** What all figures have in common. */

export const font = "DejaVu Sans, Verdana, sans-serif";
export const ink = "#222222";

/** Okabe and Ito's hues: told apart by people who see few colours. */
export const hues = { blue: "#0072b2", vermilion: "#d55e00", green: "#009e73", grey: "#888888" } as const;

/** How axes are drawn, as vega has it. */
export function axisStyle(fontSize: number) {
  return {
    titleFont: font,
    titleFontSize: fontSize,
    titleFontWeight: "normal",
    titleColor: ink,
    titlePadding: 10,
    labelFont: font,
    labelFontSize: fontSize - 1,
    labelColor: ink,
    domainColor: hues.grey,
    tickColor: hues.grey,
    gridColor: "#dddddd",
  } as const;
}
