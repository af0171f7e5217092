/** Facts about a graphics adapter. */
import type { GpuAdapter } from "./api.ts";

/** Name of an adapter for people. */
export function nameOf({ info }: Pick<GpuAdapter, "info">): string {
  return (
    info.description || [info.vendor, info.architecture || info.device].filter(Boolean).join(" ") || "graphics adapter"
  );
}

/** True for an adapter that computes on the processor: SwiftShader, lavapipe, WARP. */
export function isSoftware({ info }: Pick<GpuAdapter, "info">): boolean {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render|\bwarp\b/i.test(text);
}
