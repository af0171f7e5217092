/** The engines that run through every suite. */
import type { Engine } from "../src/engine/engine.ts";
import { createOneDnnEngine, type OneDnnOptions } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { isNative } from "../src/engine/select/precision.ts";
import { createWasmEngine } from "../src/engine/wasm/wasm.ts";
import { createWebGpuEngine } from "../src/engine/webgpu/webgpu.ts";
import type { CompileSettings } from "./chains.ts";
import { sharingOneDevice, skippedWithoutAdapter, softwareAdapter } from "./webgpuAdapter.ts";

/** An engine, and one of the ways to compile on it. */
export interface EngineUnderTest {
  readonly name: string;
  create(options?: { readonly threads?: number }): Engine | Promise<Engine>;
  readonly settings: CompileSettings;
  readonly arithmetic: Arithmetic;
  /** Computed by a software adapter: suites of whole layers leave it out. */
  readonly isEmulated?: boolean;
}

/** How an engine computes under its settings: what the bounds of the tests follow. */
export interface Arithmetic {
  /** Format of sums. */
  readonly sums: "f64" | "f32";
  /** Rounds to the numbers that activations, their gradients, and weights to be multiplied are kept in. */
  readonly keep: (x: number) => number;
  /**
   * The distance from 1 to the next number that is kept, if a number is rounded to be kept: 2^-7, as bf16 has 8 bits of mantissa with the one
   * that is not stored. 0 where sums are kept as they are: the bounds count their roundings.
   */
  readonly step: number;
  /** The largest relative L2 error of a convolution, in units of the direct convolution's. */
  readonly convolutionError: number;
  /** The relative L2 error that a convolution has on top, where its factors are rounded once more than its input and weights are. */
  readonly factorError: number;
}

/** x to bf16, the upper half of an f32: to the nearest, of two to the even one. */
export function roundToBf16(x: number): number {
  bits.float[0] = x;
  const word = bits.word[0] as number;
  bits.word[0] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  return bits.float[0];
}

const scratch = new ArrayBuffer(4);
const bits = { float: new Float32Array(scratch), word: new Uint32Array(scratch) };

const f64: Arithmetic = { sums: "f64", keep: (x) => x, step: 0, convolutionError: 1, factorError: 0 };
const f32: Arithmetic = { ...f64, sums: "f32" };
const bf16: Arithmetic = { ...f32, keep: roundToBf16, step: 2 ** -7 };

/**
 * Measured on the 3×3 layers of AlexNet and its relatives at batch 128 (`test/convolutionError.ts`), relative L2 of output, input gradient and
 * weight gradient: direct at most 2.3e-7, 2.3e-7, 2.6e-6; by Winograd's F(4×4, 3×3) at most 1.4e-6, 1.4e-6, 0.9e-6, on Zen 5 and on a Xeon with AMX.
 */
const WINOGRAD_ERROR = 7;

/**
 * By the discrete Fourier transform at most 5.4e-7, 5.5e-7, 3.9e-7, by the same program on a Xeon without AMX, where direct convolution has at most
 * 2.3e-7, 2.3e-7, 2.5e-6.
 */
const DFT_ERROR = 2.5;

/**
 * Of both factors in the frequency domain, in steps: a number rounded to be kept is off by 0.2 steps, root mean square of numbers of every size; two
 * factors by √2 times that, and the three real products that make a complex one by up to √2 times as much again. Measured 0.42.
 */
const DFT_FACTOR_ERROR = 0.5;

const withDft = (options?: OneDnnOptions) => createOneDnnEngine({ ...options, convolution: "dft" });

let adapter: ReturnType<typeof sharingOneDevice> | undefined;
/** The kernels of graphics adapters, which a software adapter compiles and runs more slowly than its own. */
const throughTiles = process.env["ALEXNET_TEST_WEBGPU"] === "tiles";

const all: readonly EngineUnderTest[] = [
  {
    name: "reference",
    create: createReferenceEngine,
    settings: { precision: "f32", exact: true },
    arithmetic: f64,
  },
  {
    name: "wasm",
    create: (options) => createWasmEngine(options),
    settings: { precision: "f32", exact: true },
    arithmetic: f32,
  },
  {
    name: "webgpu",
    create() {
      adapter ??= sharingOneDevice(softwareAdapter());
      return createWebGpuEngine(adapter, throughTiles ? { products: "tiles" } : {});
    },
    settings: { precision: "f32", exact: true },
    arithmetic: f32,
    isEmulated: true,
  },
  {
    name: "onednn, f32, exact",
    create: createOneDnnEngine,
    settings: { precision: "f32", exact: true },
    arithmetic: f32,
  },
  {
    name: "onednn, f32",
    create: createOneDnnEngine,
    settings: { precision: "f32", exact: false },
    arithmetic: { ...f32, convolutionError: WINOGRAD_ERROR },
  },
  {
    name: "onednn, bf16",
    create: createOneDnnEngine,
    settings: { precision: "bf16", exact: false },
    arithmetic: bf16,
  },
  {
    name: "onednn, f32, DFT",
    create: withDft,
    settings: { precision: "f32", exact: false },
    arithmetic: { ...f32, convolutionError: DFT_ERROR },
  },
  {
    name: "onednn, bf16, DFT",
    create: withDft,
    settings: { precision: "bf16", exact: false },
    arithmetic: { ...bf16, convolutionError: DFT_ERROR, factorError: DFT_FACTOR_ERROR * bf16.step },
  },
];

/** Beginning of the names of the engines to test: of checks that vary oneDNN alone, its instructions or version. */
const wanted = process.env["ALEXNET_TEST_ENGINES"] ?? "";

/**
 * Every engine, in every precision and by every algorithm, runs through the same suites. Left out, and that is said, are bf16 on a processor
 * without instructions for it, since the library may have none of it there, and WebGPU without Chromium's driver.
 */
export const engines: readonly EngineUnderTest[] = all
  .filter(({ name }) => name.startsWith(wanted))
  .filter(isComputedHere);

function isComputedHere({ name, settings }: EngineUnderTest): boolean {
  if (name === "webgpu") {
    const reason = skippedWithoutAdapter();
    if (reason) console.warn(`tests of ${name} are skipped: ${reason}`);
    return reason === false;
  }
  if (settings.precision === "f32") return true;
  const engine = createOneDnnEngine();
  const isComputed = isNative(engine, settings.precision);
  engine.close();
  if (!isComputed) console.warn(`tests of ${name} are skipped: no instructions for it in ${engine.description}`);
  return isComputed;
}
