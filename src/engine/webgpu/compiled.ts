/** A planned chain in device memory, ready to run. */
import { ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import type { CompileRequest, DropoutDraws, Program } from "../engine.ts";
import type { GpuBuffer } from "./api.ts";
import { type PlannedChain, planChain } from "./chain.ts";
import type { Bound, Device } from "./device.ts";
import { STEP_BYTES } from "./kernels/wgsl.ts";
import { assignSlots, type PlanLimits, type PlannedBuffer } from "./plan.ts";
import { type EngineTensor, Tensors } from "./tensors.ts";
import { vectorLayout } from "./weights.ts";

/** A parameter in device memory. */
export interface StoredParameter {
  readonly name: string;
  readonly value: EngineTensor;
  readonly gradient: EngineTensor | undefined;
  readonly isUpdated: boolean;
}

/** A chain in device memory. */
export interface Compiled {
  readonly request: CompileRequest;
  readonly device: Device;
  readonly chain: PlannedChain;
  readonly parameters: readonly StoredParameter[];
  readonly inputGradient: EngineTensor | undefined;
  readonly tensors: Tensors;
  readonly outputShape: readonly number[];
  readonly input: Float32Array;
  readonly memory: Program["memory"];
  buffer(planned: PlannedBuffer): GpuBuffer;
  /** Adds the kernels from `first` up to `end` for a number of images. */
  run(first: number, end: number, images: number): void;
  /** Sets the numbers that kernels read. */
  prepare(images: number, draws: DropoutDraws, training: boolean): void;
  /** Frees all memory after calls in flight. */
  free(): void;
}

/**
 * Compiles a chain. Throws ShapeError for a tensor that the adapter cannot bind, NativeError if memory is short or the adapter refuses a kernel.
 */
export async function compileChain(
  device: Device,
  limits: PlanLimits,
  request: CompileRequest,
  training: boolean,
): Promise<Compiled> {
  const chain = planChain(request, limits, training);
  const { slotOf, bytes } = assignSlots(chain.plan.buffers);
  requireBindable(chain, device);
  const name = `network for ${request.batchSize} image${request.batchSize === 1 ? "" : "s"}`;
  const { buffers, step, kernels } = await device.scoped(name, async () => {
    const buffers = bytes.map((size) => device.storage(size));
    const step = device.uniform(STEP_BYTES);
    const pipelines = await Promise.all(chain.plan.dispatches.map(({ code }) => device.pipeline(code)));
    const kernels = chain.plan.dispatches.map(({ bindings }, i) => {
      const used = bindings.map(({ buffer, ...part }) => ({
        buffer: buffers[slotOf.get(buffer) as number] as GpuBuffer,
        ...part,
      }));
      return device.bind(pipelines[i] as (typeof pipelines)[number], step, used);
    });
    return { buffers, step, kernels };
  });
  const buffer = (planned: PlannedBuffer) => buffers[slotOf.get(planned) as number] as GpuBuffer;
  const parameters = parametersOf(chain, buffer);
  const inputGradient = inputGradientOf(chain, request, buffer);
  const stored = parameters.flatMap(({ value, gradient }) => (gradient ? [value, gradient] : [value]));
  const tensors = new Tensors(device, inputGradient ? [...stored, inputGradient] : stored);
  if (chain.positiveWeights && request.loss) {
    device.write(buffer(chain.positiveWeights), Float32Array.from(request.loss.positiveWeights));
  }
  const numbers = new Uint32Array(STEP_BYTES / 4);
  return {
    request,
    device,
    chain,
    parameters,
    inputGradient,
    tensors,
    outputShape: request.ops.at(-1)?.outputShape ?? request.inputShape,
    input: inputOf(request),
    memory: memoryOf(parameters, bytes),
    buffer,
    run: (first, end, images) => runKernels(device, chain, kernels, { first, end, images }),
    prepare(images, { seed, first }, isTraining) {
      numbers.set([images, seed >>> 0, first >>> 0, Number(isTraining)]);
      device.write(step, numbers);
    },
    free() {
      // Commands of freed memory cannot start any more.
      device.submit();
      void device.settled().then(() => {
        for (const each of [...buffers, step]) each.destroy();
        tensors.free();
      });
    },
  };
}

/** Memory that threads can prepare images in, where the runtime shares memory between threads. */
function inputOf({ batchSize, inputShape }: CompileRequest): Float32Array {
  const length = batchSize * sizeOf(inputShape);
  if (typeof SharedArrayBuffer === "undefined") return new Float32Array(length);
  return new Float32Array(new SharedArrayBuffer(4 * length)) as Float32Array;
}

function runKernels(
  device: Device,
  { plan }: PlannedChain,
  kernels: readonly Bound[],
  { first, end, images }: { readonly first: number; readonly end: number; readonly images: number },
): void {
  for (let i = first; i < end; i++) {
    device.dispatch(kernels[i] as Bound, (plan.dispatches[i] as (typeof plan.dispatches)[number]).workgroups(images));
  }
}

function parametersOf({ parameters }: PlannedChain, buffer: Compiled["buffer"]): readonly StoredParameter[] {
  return parameters.map(({ name, shape, layout, value, gradient, isUpdated }) => ({
    name,
    isUpdated,
    value: { name, shape, layout, buffer: buffer(value) },
    gradient: gradient && { name: `gradient of ${name}`, shape, layout, buffer: buffer(gradient) },
  }));
}

function inputGradientOf(
  { inputGradient }: PlannedChain,
  { batchSize, inputShape }: CompileRequest,
  buffer: Compiled["buffer"],
): EngineTensor | undefined {
  if (!inputGradient) return undefined;
  const shape = [batchSize, ...inputShape];
  return { name: "input gradient", shape, layout: vectorLayout(sizeOf(shape)), buffer: buffer(inputGradient) };
}

function memoryOf(parameters: readonly StoredParameter[], bytes: readonly number[]): Program["memory"] {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const values = sum(parameters.map(({ value }) => 4 * value.layout.length));
  const gradients = sum(parameters.map(({ gradient }) => 4 * (gradient?.layout.length ?? 0)));
  return { parameters: values, gradients, activations: sum(bytes) - values - gradients };
}

/** Throws ShapeError for a kernel with more bindings than the adapter has, or larger buffers. */
function requireBindable({ plan }: PlannedChain, { limits, bindingBytes }: Device): void {
  const { maxBufferSize, maxStorageBuffersPerShaderStage: most } = limits;
  const mib = (size: number) => `${Math.ceil(size / 2 ** 20)} MiB`;
  for (const { layer, bindings } of plan.dispatches) {
    const largest = Math.max(...bindings.map(({ buffer }) => buffer.bytes));
    if (bindings.length <= most && largest <= maxBufferSize) continue;
    throw new ShapeError(
      `${layer}: a tensor has ${mib(largest)}, above the adapter's ${most} bindings of ${mib(bindingBytes)} or buffers of ${mib(maxBufferSize)}; use a smaller --batch-size, or another engine`,
    );
  }
}
