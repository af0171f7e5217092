/** The fastest number format, measured: a processor with instructions for bf16 may be slower with them. */
import type { Precision } from "../engine.ts";
import type { LibC } from "./native/libc.ts";
import type { NumberFormat, OneDnn, Session } from "./native/oneDnn.ts";

/** conv4 of AlexNet on 8 images: 1.6 GFLOP, 5 to 10 ms. */
const probe = { images: 8, inChannels: 256, outChannels: 256, size: 13, kernelSize: 3 } as const;
const window = { algorithm: "direct", stride: 1, padding: 1 } as const;
const ROUNDS = 3;
/** bf16 rounds to 8 bits: it must be faster by more than the noise of the measurement. */
const LEAST_GAIN = 1.1;

/** Times a convolution in both formats if the processor has instructions for bf16; otherwise f32 is the fastest. */
export function measureFastest(library: OneDnn, libc: LibC): Precision {
  return library.nativeBf16 && bf16Gain(library, libc) >= LEAST_GAIN ? "bf16" : "f32";
}

/** Time of f32 ÷ time of bf16: the least of some rounds each, in turn. */
function bf16Gain(library: OneDnn, libc: LibC): number {
  const session = library.session();
  const unmap: (() => void)[] = [];
  const map = (bytes: number) => {
    const memory = libc.map(bytes);
    unmap.push(memory.unmap);
    return memory.address;
  };
  try {
    const runs = { f32: convolution(session, "f32", map), bf16: convolution(session, "bf16", map) };
    const least = { f32: Number.POSITIVE_INFINITY, bf16: Number.POSITIVE_INFINITY };
    for (const run of Object.values(runs)) run();
    for (let round = 0; round < ROUNDS; round++) {
      for (const format of ["f32", "bf16"] as const)
        least[format] = Math.min(least[format], milliseconds(runs[format]));
    }
    return least.f32 / least.bf16;
  } finally {
    session.close();
    for (const free of unmap) free();
  }
}

function convolution(session: Session, format: NumberFormat, map: (bytes: number) => bigint): () => void {
  const { images, inChannels, outChannels, size, kernelSize } = probe;
  const op = {
    src: session.any([images, inChannels, size, size], format),
    weights: session.any([outChannels, inChannels, kernelSize, kernelSize], format),
    bias: session.plain([outChannels], "f32"),
    dst: session.any([images, outChannels, size, size], format),
  };
  const forward = session.weightedForward(op, window, false, undefined);
  const place = (role: "src" | "weights" | "dst" | "scratchpad") => {
    const desc = session.query(forward, role);
    return desc ? [[role, session.memory(desc, map(session.bytes(desc)))] as const] : [];
  };
  const bias = session.memory(op.bias, map(session.bytes(op.bias)));
  const args = session.args([
    ...place("src"),
    ...place("weights"),
    ["bias", bias],
    ...place("dst"),
    ...place("scratchpad"),
  ]);
  const primitive = session.primitive(forward);
  return () => session.execute(primitive, args);
}

function milliseconds(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}
