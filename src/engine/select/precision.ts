/** Choice of f32 or bf16, with the reason. */
import type { Engine, Precision } from "../engine.ts";

/** What `--precision` takes. */
export const precisionNames = ["auto", "f32", "bf16"] as const;

export type PrecisionName = (typeof precisionNames)[number];

/** A number format, and why it was taken if it was left to us. */
export interface ChosenPrecision {
  readonly precision: Precision;
  readonly reason: string | undefined;
}

/** `auto` takes bf16 where the processor has instructions for it: elsewhere it is no faster than f32, or much slower. */
export function choosePrecision(name: PrecisionName, { nativeBf16, description }: Engine): ChosenPrecision {
  if (name === "bf16" && !nativeBf16) {
    return {
      precision: name,
      reason: `precision: bf16 is slower than f32 here: ${description} has no instructions for it`,
    };
  }
  if (name !== "auto") return { precision: name, reason: undefined };
  return nativeBf16
    ? {
        precision: "bf16",
        reason: `precision: bf16, which this processor multiplies natively; --precision f32 for f32`,
      }
    : { precision: "f32", reason: `precision: f32, since there are no instructions for bf16 in ${description}` };
}
