import type { Augmentation } from "./augmentation.ts";
import type { Draw } from "./fit.ts";

/** Recolours pixels in place. */
export type Jitter = (data: Uint8Array, channels: 1 | 3, draw: Draw) => void;

export function createJitter(_strength: NonNullable<Augmentation["jitter"]>): Jitter {
  return () => {};
}
