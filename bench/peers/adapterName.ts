/** Identity of a graphics adapter, as far as both Chromium and Dawn report it. */
import type { GpuAdapterInfo } from "../../src/engine/webgpu/api.ts";

/** Names that both take from the same tables. Chromium hides the others. */
export type AdapterName = Pick<GpuAdapterInfo, "vendor" | "architecture">;

/** True unless both report names, and these differ. */
export function isSameAdapter(one: AdapterName, other: AdapterName): boolean {
  const differ = (a: string, b: string) => a !== "" && b !== "" && a.toLowerCase() !== b.toLowerCase();
  return !differ(one.vendor, other.vendor) && !differ(one.architecture, other.architecture);
}
