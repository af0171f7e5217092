/** Choice of f32 or bf16, with the reason. */
import type { Engine, Precision } from "../engine.ts";

/** Values of `--precision`. */
export const precisionNames = ["auto", "f32", "bf16"] as const;

export type PrecisionName = (typeof precisionNames)[number];

/** A number format, with a message if it was not requested or is slow. */
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

/** Chooses a number format. `auto` is the engine's fastest: bf16 if the hardware has instructions for it. */
export function choosePrecision(
  name: PrecisionName,
  engine: Pick<Engine, "precisions" | "description">,
): ChosenPrecision {
  const { precisions, description } = engine;
  if (name !== "auto") {
    const slow = `precision: ${name} is slower than f32 here: ${description} has no instructions for it`;
    return { precision: name, reason: isNative(engine, name) ? undefined : slow };
  }
  const precision = precisions[0]?.name ?? "f32";
  return {
    precision,
    reason:
      precision === "f32"
        ? `precision: f32, because ${description} has no instructions for bf16`
        : `precision: ${precision}, which this processor supports natively; for f32, use --precision f32`,
  };
}
