/**
 * The colours of everything that is drawn, by what they are for.
 *
 * A drawing is made in one palette and stands alone with it. In a page the same drawing follows the reader's scheme: `inPage` puts a CSS
 * variable in place of each colour of the light palette, and `themeVariables` gives these their values.
 */
export const themes = ["light", "dark"] as const;
/** Colours of a figure. */
export type Theme = (typeof themes)[number];

/**
 * Hues are of Okabe and Ito's palette or near them: six that people with any kind of colour vision tell apart, each with a contrast of at least
 * 3 : 1 against the background. Source: Okabe and Ito 2008, “Color Universal Design”. `ink` and what stands on cells are for text, 4.5 : 1.
 */
const light = {
  background: "#ffffff",
  ink: "#222222",
  /** Of axes, and what is drawn thinly. */
  rule: "#888888",
  grid: "#dddddd",
  blue: "#0072b2",
  orange: "#d55e00",
  green: "#009e73",
  purple: "#c56da1",
  petrol: "#255160",
  ochre: "#7d5208",
  /** A cell of share 1; one of share 0 is the background. */
  cell: "#00446b",
  /** Text on cells with a share up to `strongCell`, and on those above it. Not quite white, which is the background. */
  onPaleCell: "#000000",
  onStrongCell: "#fefefe",
  // What blocks are filled with, inside of lines.
  picture: "#bbbbbb",
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
  picture: "#8a8a8a",
  learned: "#3b8fc4",
  derived: "#159a76",
  units: "#b5638f",
  kernel: "#f0b030",
};

export const palettes: Readonly<Record<Theme, Palette>> = { light, dark };

/** What files are drawn in. */
export const colours: Palette = light;

/** Above this share text on a cell is `onStrongCell`: where both have the same contrast, in both palettes. */
export const strongCell = 0.708;

const roles = Object.keys(light) as readonly (keyof Palette)[];
const roleOf: ReadonlyMap<string, keyof Palette> = new Map(roles.map((role) => [light[role], role]));

/** A drawing in the light palette, as it goes into a page, which says in words what it shows: screen readers pass over it. */
export function inPage(svg: string): string {
  // In tags only: a class may have the name of an attribute.
  return svg.replace("<svg ", '<svg aria-hidden="true" ').replace(/<[^<>]*>/g, (tag) =>
    tag.replace(/\b(fill|stroke)="(#\w{6})"/g, (attribute, name: string, colour: string) => {
      const role = roleOf.get(colour);
      return role ? `${name}="var(--chart-${role}, ${colour})"` : attribute;
    }),
  );
}

/** The variables of `inPage` as CSS declarations. */
export function themeVariables(theme: Theme): string {
  return roles.map((role) => `--chart-${role}: ${palettes[theme][role]};`).join(" ");
}
