/** The WebAssembly engine. */
import { ModuleBuilder } from "../../assembler/assembler.ts";
import { f32x4, relaxedMultiplyAdd, vector } from "../../assembler/instructions.ts";
import { ConfigError, NativeError } from "../../errors.ts";
import type { Engine } from "../engine.ts";
import { f32Engine } from "../f32Engine.ts";
import { buildKernels, type InstructionSet } from "./kernelModule.ts";
import { MemoryPool } from "./memory.ts";
import { findPlatform, type Platform } from "./platform.ts";
import { compileInference, compileTraining, type Toolbox } from "./program.ts";

/** Options of the engine. */
export interface WasmOptions {
  /** Number of compute threads, from 1 to 256. Default: the processors that the runtime reports; 1 where threads cannot share memory. */
  readonly threads?: number;
}

/** Must change whenever any computed number changes. */
const version = "1";

const MAX_THREADS = 256;

/**
 * The engine that runs anywhere: kernels in WebAssembly, generated here as bytes, with SIMD and threads over shared memory. Each call blocks until its
 * work is done. Results have the same bits for any number of threads.
 *
 * Compiling throws ShapeError for a program that needs more than 4 GiB, NativeError if memory or threads cannot be had, UnimplementedError for a
 * precision other than f32, ConfigError for training in several processes.
 *
 * Throws NativeError if the runtime has no WebAssembly SIMD or no shared memory; ConfigError for a number of threads below 1 or above what is
 * possible.
 */
export async function createWasmEngine(options: WasmOptions = {}): Promise<Engine> {
  return createEngineOn(await findPlatform(), options);
}

/** Creates the engine with the threads of a given platform. */
export async function createEngineOn(platform: Platform, options: WasmOptions = {}): Promise<Engine> {
  requireSharedMemory();
  const instructionSet = requireSimd();
  const threads = threadsOf(options, platform);
  const { bytes, kernels } = buildKernels(instructionSet);
  const module = await WebAssembly.compile(bytes);
  const implementation = `wasm ${instructionSet}`;
  const memories = new MemoryPool();
  const toolbox: Toolbox = { module, kernels, implementation, threads, platform, memories };
  const description = `WebAssembly ${version} (${instructionSet}), ${threads} thread${threads === 1 ? "" : "s"}`;
  return f32Engine(
    { name: "wasm", description, version, threads },
    {
      compile: (request) => compileInference(toolbox, request),
      compileTraining(request) {
        if ((request.communicator?.size ?? 1) > 1) {
          throw new ConfigError("engine wasm: cannot train in several processes; use the oneDNN engine");
        }
        return compileTraining(toolbox, request);
      },
      free: () => memories.close(),
    },
  );
}

function threadsOf({ threads }: WasmOptions, { processors, singleThread }: Platform): number {
  const wanted = threads ?? (singleThread ? 1 : Math.min(processors, MAX_THREADS));
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_THREADS) {
    throw new ConfigError(`threads: expected a whole number from 1 to ${MAX_THREADS}, got ${wanted}`);
  }
  if (wanted > 1 && singleThread) throw new ConfigError(`threads: expected 1, got ${wanted}: ${singleThread}`);
  return wanted;
}

/** The best instruction set of the runtime. */
function requireSimd(): InstructionSet {
  if (WebAssembly.validate(probe((a) => relaxedMultiplyAdd(a, a, a)))) return "relaxed SIMD";
  if (WebAssembly.validate(probe((a) => f32x4.add(a, a)))) return "SIMD";
  throw new NativeError(
    "engine wasm: this runtime has no WebAssembly SIMD; use Node.js 20 or a current browser, or --engine reference",
  );
}

/** A module with one instruction. */
function probe(instruction: (a: ReturnType<typeof vector>) => ReturnType<typeof vector>): BufferSource {
  const module = new ModuleBuilder();
  module.enter(module.function([], "v128", (body) => body.return(instruction(vector(1)))));
  return module.bytes();
}

function requireSharedMemory(): void {
  try {
    new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  } catch (cause) {
    const message = "engine wasm: this runtime has no shared memory for WebAssembly; use --engine reference";
    throw new NativeError(message, { cause });
  }
}
