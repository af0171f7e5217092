/** The loop of every thread: steps of a phase, one after the other, with a barrier after each. */
import type { Body, ModuleBuilder } from "../../../assembler/assembler.ts";
import { type Callable, call, f64, i32, load } from "../../../assembler/instructions.ts";
import { control, kernelSignature, STEP_BYTES, stepField } from "./kernel.ts";

/** Looks at a word before a thread sleeps: some tens of microseconds. */
const SPINS = 4000;

/** Spins, then sleeps, while the word at an address has the expected value and no thread has failed. */
function waitWhile(body: Body, address: number, expected: ReturnType<typeof load.i32>): void {
  const spins = body.i32(SPINS);
  const isSame = () => i32.eq(load.atomic(address), expected);
  body.while(
    () => i32.and(isSame(), i32.ne(spins, 0)),
    () => body.increase(spins, -1),
  );
  body.while(
    () => i32.and(isSame(), i32.not(load.atomic(control.failed))),
    () => body.wait(address, expected),
  );
}

/** All threads arrive before any continues. */
function barrierFunction(module: ModuleBuilder): Callable<undefined> {
  return module.function([], undefined, (body) => {
    const threads = body.i32(load.i32(control.threads));
    const passed = body.i32(load.atomic(control.passed));
    body.if(
      i32.eq(body.atomicAdd(control.arrived, 1), i32.sub(threads, 1)),
      () => {
        body.atomicStore(control.arrived, 0);
        body.atomicStore(control.passed, i32.add(passed, 1));
        body.if(i32.lt(1, threads), () => body.notify(control.passed));
      },
      () => waitWhile(body, control.passed, passed),
    );
  });
}

/** Exports `run` (the steps of the phase, as one thread) and `serve` (phases as they start, until the end). Both take the thread's number. */
export function exportRun(module: ModuleBuilder, now: Callable<"f64">): void {
  const barrier = barrierFunction(module);
  const kernelType = module.type(kernelSignature);
  const run = module.function(["i32"], undefined, (body, thread) => {
    const step = body.i32(load.i32(control.steps));
    const end = body.i32(i32.add(step, i32.mul(load.i32(control.stepCount), STEP_BYTES)));
    const start = body.local("f64");
    body.for(step, end, STEP_BYTES, () => {
      body.if(i32.not(thread), () => body.set(start, call(now)));
      const field = (offset: number) => load.i32(step, offset);
      body.callIndirect(
        kernelType,
        field(stepField.kernel),
        field(stepField.args),
        i32.add(step, stepField.counter),
        thread,
      );
      body.call(barrier);
      body.if(load.atomic(control.failed), () => body.return());
      body.if(i32.not(thread), () => {
        body.storeI32(step, 0, stepField.counter);
        body.storeI32(step, i32.add(field(stepField.runs), 1), stepField.runs);
        const seconds = f64.add(load.f64(step, stepField.seconds), f64.sub(call(now), start));
        body.storeF64(step, seconds, stepField.seconds);
      });
    });
  });
  const serve = module.function(["i32"], undefined, (body, thread) => {
    const seen = body.i32(0);
    body.while(
      () => i32.not(i32.or(load.atomic(control.ended), load.atomic(control.failed))),
      () => {
        waitWhile(body, control.started, seen);
        body.set(seen, load.atomic(control.started));
        body.if(i32.not(load.atomic(control.ended)), () => body.call(run, thread));
      },
    );
  });
  module.export("run", run);
  module.export("serve", serve);
}
