/** Choice of f32 or bf16, with the reason. */
import type { Engine, InferencePrecision, Precision } from "../engine.ts";

/** Values of `--precision`. */
export const precisionNames = ["auto", "f32", "bf16"] as const;

export type PrecisionName = (typeof precisionNames)[number];

/** Values of `--precision` for inference; `auto` is the run's precision, never int8. */
export const inferencePrecisionNames = [...precisionNames, "int8"] as const satisfies readonly (
  | "auto"
  | InferencePrecision
)[];

export type InferencePrecisionName = (typeof inferencePrecisionNames)[number];

/** The message for int8 where training is asked for. */
export const int8Refusal = "int8 is for inference (predict, evaluate); train in f32 or bf16";

/** A number format, and the reason for it if it was chosen automatically. */
export interface ChosenPrecision {
  readonly precision: Precision;
  readonly reason: string | undefined;
}

/** True if the hardware has instructions for a number format. */
export function isNative({ precisions }: Pick<Engine, "precisions">, precision: Precision): boolean {
  return precisions.some(({ name, native }) => name === precision && native);
}

/** Number formats that the hardware has instructions for, in the order of `precisionNames`. */
export function nativePrecisions(engine: Pick<Engine, "precisions">): readonly Precision[] {
  return precisionNames.filter((name) => name !== "auto").filter((name) => isNative(engine, name));
}

/** Chooses a number format. `auto` is the engine's fastest. */
export function choosePrecision(
  name: PrecisionName,
  engine: Pick<Engine, "precisions" | "fastestPrecision" | "description">,
): ChosenPrecision {
  const { description } = engine;
  if (name !== "auto") {
    const isEmulated = engine.precisions.some((each) => each.name === name && !each.native);
    const slow = `precision: ${name} is slower than f32 here: ${description} has no instructions for it`;
    return { precision: name, reason: isEmulated ? slow : undefined };
  }
  const precision = engine.fastestPrecision;
  return { precision, reason: reasonFor(precision, isNative(engine, "bf16"), description) };
}

function reasonFor(precision: Precision, hasBf16: boolean, description: string): string {
  if (precision !== "f32")
    return `precision: ${precision}, which is faster on this processor; for f32, use --precision f32`;
  return hasBf16
    ? "precision: f32, which is faster on this processor than bf16; bf16 needs less memory"
    : `precision: f32, because ${description} has no instructions for bf16`;
}
