/** The fastest number format, by processor. */
import type { Precision } from "../engine.ts";
import type { OneDnn } from "./native/oneDnn.ts";

/**
 * bf16 with AMX, and on AMD processors with AVX512-BF16; otherwise f32. Intel processors with AVX512-BF16 but without AMX are slower in bf16: a training
 * step of `alexnet-fashion` takes 2.3 times as long as in f32 (Xeon of the fifth generation whose hypervisor hides AMX).
 */
export function fastestPrecision(
  { instructionSet, nativeBf16 }: Pick<OneDnn, "instructionSet" | "nativeBf16">,
  processor: string,
): Precision {
  return nativeBf16 && (/AMX/.test(instructionSet) || /AMD/.test(processor)) ? "bf16" : "f32";
}
