/** How well colours are told apart: contrast for everyone, and distances for people with each kind of colour vision. */

type Rgb = readonly [number, number, number];

/** Of `#abc` or `#aabbcc`, as fractions of sRGB. */
export function parseColour(colour: string): Rgb {
  const digits = colour.length === 4 ? [...colour.slice(1)].map((digit) => digit + digit).join("") : colour.slice(1);
  const [red = Number.NaN, green = Number.NaN, blue = Number.NaN] = (digits.match(/../g) ?? []).map(
    (byte) => Number.parseInt(byte, 16) / 255,
  );
  return [red, green, blue];
}

/** What is seen of a colour of that opacity in front of another. */
export function blend(front: Rgb, back: Rgb, opacity: number): Rgb {
  const at = (i: 0 | 1 | 2) => opacity * front[i] + (1 - opacity) * back[i];
  return [at(0), at(1), at(2)];
}

function linear(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

/** Contrast of two colours, 1 to 21. Source: WCAG 2.2, "contrast ratio" and "relative luminance". */
export function contrast(a: Rgb, b: Rgb): number {
  const luminance = ([red, green, blue]: Rgb) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** What becomes of linear RGB where one kind of cone is missing. Source: Machado, Oliveira and Fernandes 2009, severity 1. */
export const visions: Readonly<Record<string, readonly [Rgb, Rgb, Rgb]>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** Distance of two colours as one vision sees them: ΔE of CIELAB 1976, where 2.3 is just noticeable. */
export function distance(a: Rgb, b: Rgb, vision: readonly [Rgb, Rgb, Rgb]): number {
  const [p, q] = [lab(seen(a, vision)), lab(seen(b, vision))];
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

function seen([red, green, blue]: Rgb, vision: readonly [Rgb, Rgb, Rgb]): Rgb {
  const colour = [linear(red), linear(green), linear(blue)] as const;
  const row = (m: Rgb) => Math.min(1, Math.max(0, m[0] * colour[0] + m[1] * colour[1] + m[2] * colour[2]));
  return [row(vision[0]), row(vision[1]), row(vision[2])];
}

/** Of linear sRGB, white D65. */
function lab([red, green, blue]: Rgb): Rgb {
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047);
  const y = f(0.2126729 * red + 0.7151522 * green + 0.072175 * blue);
  const z = f((0.0193339 * red + 0.119192 * green + 0.9503041 * blue) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
