/** Colours of a saliency map over an image. */
import type { Image } from "../image/image.ts";

/** Colours of Okabe and Ito's palette: hiding lowers the probability, hiding raises it. */
const needed = [213, 94, 0] as const;
const disturbing = [0, 114, 178] as const;
/** Changes of the probability that have the full colour. The least of them keeps a map without effect pale. */
const fullColours = [0.1, 0.2, 0.5, 1] as const;

/** The change of the probability that has the full colour on a map: the smallest one of the scale that covers all changes. */
export function fullColourOf(drops: readonly (readonly number[])[]): number {
  const greatest = drops.flat().reduce((most, drop) => Math.max(most, Math.abs(drop)), 0);
  return fullColours.find((full) => full >= greatest) ?? 1;
}

/** The same image in three channels. */
export function inColour({ width, height, channels, data }: Image): Image {
  if (channels === 3) return { width, height, channels, data };
  return {
    width,
    height,
    channels: 3,
    data: Uint8Array.from({ length: 3 * data.length }, (_, i) => data[Math.floor(i / 3)] as number),
  };
}

/** Colour in proportion to the change, white without one, multiplied by a fraction of the image's brightness. */
export function heat(seen: Image, drops: readonly (readonly number[])[], full: number, fraction: number): Image {
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
