/** Form of kernels: functions of a record of arguments in memory, whose work is divided into items among the threads. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import { type Callable, i32, type Local, load, type V128 } from "../../../assembler/instructions.ts";

/** Words at the start of memory, each in a cache line of its own where threads wait for it. Addresses in bytes. */
export const control = {
  /** Number of phases that were started. */
  started: 64,
  /** Threads that have arrived at the barrier. */
  arrived: 128,
  /** Number of barriers that were passed. */
  passed: 192,
  /** 1 once a thread has failed. */
  failed: 256,
  /** Address and number of the steps of the phase. */
  steps: 320,
  stepCount: 324,
  /** Number of images in the pass. */
  images: 328,
  threads: 332,
  /** Random numbers of dropout, see `DropoutDraws`. */
  seed: 336,
  first: 340,
  /** 1 in training. */
  training: 344,
  /** 1 if the workers shall end. */
  ended: 348,
  /** Scratch memory of thread 0, and the bytes of each thread's. */
  scratch: 352,
  scratchBytes: 356,
  /** 64 zeros. */
  zeros: 384,
  /** First byte after these words. */
  end: 4096,
} as const;

/** Bytes of a step: number of its kernel, address of its arguments, counter of its items, runs, and seconds as f64. */
export const STEP_BYTES = 24;
export const stepField = { kernel: 0, args: 4, counter: 8, runs: 12, seconds: 16 } as const;

/** Lanes that channels are padded to: the columns of a tile. */
export const LANES = 8;

/** A kernel in the module, with the names of its arguments. */
export interface Kernel<F extends string = string> {
  /** Number in the table. */
  readonly number: number;
  readonly fields: readonly F[];
}

/** The parameters of every kernel: its arguments, the counter of its items, the number of the thread. */
export const kernelSignature = { parameters: ["i32", "i32", "i32"], result: undefined } as const;

/** Parts of a kernel's code. */
export interface KernelScope<F extends string> {
  readonly body: Body;
  /** Arguments, read at the start. */
  readonly arg: Readonly<Record<F, Local<"i32">>>;
  /** An argument that is an f32, four times. */
  constant(field: F): V128;
  /** This thread's scratch memory. */
  readonly scratch: Local<"i32">;
  /** Number of images in the pass. */
  readonly images: Local<"i32">;
  /** Runs the body for each item that this thread takes, until all `total` are taken by some thread. */
  items(total: Local<"i32">, body: (item: Local<"i32">) => void): void;
}

/** Adds a kernel to the module. What an item computes must not depend on the thread, so that results have the same bits for any number. */
export function addKernel<const F extends string>(
  module: ModuleBuilder,
  fields: readonly F[],
  build: (scope: KernelScope<F>) => void,
): Kernel<F> {
  const target: Callable<undefined> = module.function(
    kernelSignature.parameters,
    kernelSignature.result,
    (body, args, counter, thread) => {
      const arg = Object.fromEntries(
        fields.map((field, i) => [field, body.local("i32", load.i32(args, 4 * i))]),
      ) as unknown as Record<F, Local<"i32">>;
      build({
        body,
        arg,
        constant: (field) => load.splat(args, 4 * fields.indexOf(field)),
        scratch: body.i32(i32.add(load.i32(control.scratch), i32.mul(thread, load.i32(control.scratchBytes)))),
        images: body.i32(load.i32(control.images)),
        items(total, run) {
          const item = body.i32(body.atomicAdd(counter, 1));
          body.while(
            () => i32.lt(item, total),
            () => {
              run(item);
              body.set(item, body.atomicAdd(counter, 1));
            },
          );
        },
      });
    },
  );
  return { number: module.enter(target), fields };
}
