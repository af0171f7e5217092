/**
 * Colours of all drawings, named by use.
 *
 * A drawing uses one palette and is complete by itself. In a page it follows the reader's colour scheme: `inPage` replaces each colour of
 * the light palette by a CSS variable, and `themeVariables` defines these variables.
 */
export const themes = ["light", "dark"] as const;
/** Colours of a figure. */
export type Theme = (typeof themes)[number];

/**
 * Six hues from or near Okabe and Ito's palette, distinguishable with any colour vision, at a contrast of at least 3 : 1 to the background.
 * Text colours (`ink`, text on cells) have at least 4.5 : 1. Source: Okabe and Ito 2008, “Color Universal Design”.
 */
const light = {
  background: "#ffffff",
  ink: "#222222",
  /** Axes and thin lines. */
  rule: "#888888",
  grid: "#dddddd",
  blue: "#0072b2",
  orange: "#d55e00",
  green: "#009e73",
  purple: "#c56da1",
  petrol: "#255160",
  ochre: "#7d5208",
  /** A cell of fraction 1; a cell of fraction 0 has the background colour. */
  cell: "#00446b",
  /** Text on cells up to `strongCell`, and on cells above it. Slightly off white, because white is the background. */
  onPaleCell: "#000000",
  onStrongCell: "#fefefe",
  // Fills of blocks.
  image: "#bbbbbb",
  learned: "#56b4e9",
  derived: "#57c9a5",
  units: "#cc79a7",
  kernel: "#e69f00",
} as const;

export type Palette = Readonly<Record<keyof typeof light, string>>;

const dark: Palette = {
  background: "#15181b",
  ink: "#e8eaed",
  rule: "#8a939b",
  grid: "#363c42",
  blue: "#56b4e9",
  orange: "#fa7b02",
  green: "#49e1b6",
  purple: "#d094b4",
  petrol: "#9ad7eb",
  ochre: "#fdca62",
  cell: "#4aa3d8",
  onPaleCell: "#ffffff",
  onStrongCell: "#000000",
  image: "#8a8a8a",
  learned: "#3b8fc4",
  derived: "#159a76",
  units: "#b5638f",
  kernel: "#f0b030",
};

export const palettes: Readonly<Record<Theme, Palette>> = { light, dark };

/** Palette of files. */
export const colours: Palette = light;

/** Above this fraction, text on a cell is `onStrongCell`. At the threshold both text colours have equal contrast, in both palettes. */
export const strongCell = 0.708;

const roles = Object.keys(light) as readonly (keyof Palette)[];
const roleOf: ReadonlyMap<string, keyof Palette> = new Map(roles.map((role) => [light[role], role]));

/** Prepares a drawing in the light palette for a page. Screen readers skip it, because the page describes it in words. */
export function inPage(svg: string): string {
  // Replaces inside tags only: a class may be named like an attribute.
  return svg.replace("<svg ", '<svg aria-hidden="true" ').replace(/<[^<>]*>/g, (tag) =>
    tag.replace(/\b(fill|stroke)="(#\w{6})"/g, (attribute, name: string, colour: string) => {
      const role = roleOf.get(colour);
      return role ? `${name}="var(--chart-${role}, ${colour})"` : attribute;
    }),
  );
}

/** CSS declarations of the variables of `inPage`. */
export function themeVariables(theme: Theme): string {
  return roles.map((role) => `--chart-${role}: ${palettes[theme][role]};`).join(" ");
}
