/** Compiled programs, for inference and for training. */
import { ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { binaryCrossEntropy, requireWeights } from "../binaryCrossEntropy.ts";
import type { CompileRequest, DropoutDraws, Program, StepReading, TrainingProgram } from "../engine.ts";
import { addBackward, addForward, type Backward, type Forward, type StoredParameter } from "./chain.ts";
import { type Crew, startCrew } from "./crew.ts";
import type { Kernels } from "./kernelModule.ts";
import { softmaxCrossEntropy } from "./loss.ts";
import { Heap, type MemoryPool } from "./memory.ts";
import { addressOf, type FinishedPlan, type Phase, Plan } from "./plan.ts";
import type { Platform } from "./platform.ts";
import { bytesOf, type EngineTensor, Tensors } from "./tensors.ts";
import { plainLayout } from "./weights.ts";

/** An engine's means of compiling. */
export interface Toolbox {
  readonly module: WebAssembly.Module;
  readonly kernels: Kernels;
  /** For profiles. */
  readonly implementation: string;
  readonly threads: number;
  readonly platform: Platform;
  /** Memories of closed programs. */
  readonly memories: MemoryPool;
}

/** A chain in memory, with its threads. */
interface Compiled {
  readonly request: CompileRequest;
  readonly forward: Forward;
  readonly backward: Backward | undefined;
  readonly heap: Heap;
  readonly crew: Crew;
  readonly tensors: Tensors;
  readonly plan: FinishedPlan;
  readonly phases: { readonly forward: Phase; readonly backward: Phase };
  readonly outputShape: readonly number[];
  readonly inputGradient: EngineTensor | undefined;
  /** Input buffer of callers: memory of its own, which a caller may hold after `close`. */
  readonly input: Float32Array;
  /** Plain images and outputs in the program's memory. */
  readonly images: Float32Array;
  readonly output: Float32Array;
  readonly memory: Program["memory"];
  /** Ends the threads, and gives the memory back after them. */
  free(): void;
}

async function compileChain(toolbox: Toolbox, request: CompileRequest, training: boolean): Promise<Compiled> {
  const { kernels, module, implementation, threads, platform, memories } = toolbox;
  const { batchSize, inputShape, ops } = request;
  const heap = new Heap();
  const building = new Plan(heap, implementation);
  const forward = addForward(building, kernels, request, training);
  const forwardEnd = building.length;
  const backward = training ? addBackward(forward, request) : undefined;
  const end = building.length;
  const scratch = { address: heap.allocate(threads * forward.scratchBytes()), bytes: forward.scratchBytes() };
  const created: WebAssembly.Memory[] = [];
  const plan = building.finish(() => void created.push(heap.create(memories.take(heap.bytes))));
  const [memory] = created as [WebAssembly.Memory];
  const crew = await startCrew({ module, memory, threads, platform, scratch });
  const inputGradient = backward && inputGradientOf(backward, request);
  const stored = [...forward.parameters.values()];
  const all = stored.flatMap(({ value, gradient }) => (gradient ? [value, gradient] : [value]));
  const outputShape = ops.at(-1)?.outputShape ?? inputShape;
  const parameters = stored.reduce((sum, { value }) => sum + bytesOf(value), 0);
  const gradients = stored.reduce((sum, { gradient }) => sum + (gradient ? bytesOf(gradient) : 0), 0);
  const options = { heap, kernels, crew, implementation };
  const input = new Float32Array(batchSize * sizeOf(inputShape));
  return {
    request,
    forward,
    backward,
    heap,
    crew,
    tensors: new Tensors(options, inputGradient ? [...all, inputGradient] : all),
    plan,
    phases: { forward: plan.phase(0, forwardEnd), backward: plan.phase(forwardEnd, end) },
    outputShape,
    inputGradient,
    input,
    images: heap.floats(addressOf(forward.images), input.length),
    output: heap.floats(forward.output, batchSize * sizeOf(outputShape)),
    memory: { parameters, gradients, activations: heap.bytes + input.byteLength - parameters - gradients },
    free: () => void crew.close().then(() => memories.give(memory)),
  };
}

function inputGradientOf(
  { inputGradient }: Backward,
  { batchSize, inputShape }: CompileRequest,
): EngineTensor | undefined {
  if (inputGradient === undefined) return undefined;
  const shape = [batchSize, ...inputShape];
  const name = "input gradient";
  return { name, parameter: name, shape, layout: plainLayout(sizeOf(shape)), address: inputGradient };
}

/** Compiles a chain of operations for inference. */
export async function compileInference(toolbox: Toolbox, request: CompileRequest): Promise<Program> {
  const compiled = await compileChain(toolbox, request, false);
  return {
    ...commonMembers(compiled, () => false),
    parameters: [...compiled.forward.parameters.values()].map(({ name, value }) => ({ name, value })),
    forward: async (images, count, draws) => runForward(compiled, images, count, draws, false).slice(),
  };
}

/** The members that do not depend on the mode. `isInStep` is true between the halves of a step, when the arena holds activations. */
function commonMembers(
  { request, heap, free, tensors, plan, input, outputShape, memory }: Compiled,
  isInStep: () => boolean,
) {
  let staging = new Float32Array(0);
  return {
    batchSize: request.batchSize,
    precision: request.precision,
    input,
    // Calls block, so none still reads the buffer.
    async nextInput() {
      tensors.requireOpen();
      return input;
    },
    outputShape,
    memory,
    scratch(length) {
      tensors.requireOpen();
      if (!isInStep() && 4 * length <= plan.arena.bytes) return heap.floats(plan.arena.address, length);
      if (staging.length < length) staging = new Float32Array(length);
      return staging.subarray(0, length);
    },
    write: async (tensor, values) => tensors.write(tensor, values),
    takeProfile: () => [...plan.takeProfile(), ...tensors.takeProfile()],
    close() {
      if (tensors.close()) free();
    },
  } satisfies Partial<Program>;
}

/** The forward pass as one blocking call: a view of the program's memory, which the next pass overwrites. */
function runForward(
  { request, crew, tensors, phases, images: staging, output, outputShape }: Compiled,
  images: Float32Array,
  count: number,
  { seed, first }: DropoutDraws,
  training: boolean,
): Float32Array {
  const { batchSize, inputShape } = request;
  const imageSize = sizeOf(inputShape);
  tensors.requireOpen();
  if (!Number.isInteger(count) || count < 1 || count > batchSize || images.length < count * imageSize) {
    const got = `${count} images in ${images.length} values`;
    throw new ShapeError(`batch: expected 1 to ${batchSize} images of ${imageSize} values, got ${got}`);
  }
  staging.set(images.subarray(0, count * imageSize));
  crew.prepare({ images: count, seed, first, training });
  crew.run(phases.forward);
  return output.subarray(0, count * sizeOf(outputShape));
}

/** Compiles a chain of operations for training. */
export async function compileTraining(toolbox: Toolbox, request: CompileRequest): Promise<TrainingProgram> {
  const compiled = await compileChain(toolbox, request, true);
  const { isInStep, ...passes } = trainingPasses(compiled);
  return {
    ...commonMembers(compiled, isInStep),
    ...passes,
    ...trainingTensors(compiled),
    inputGradient: compiled.inputGradient,
    // Results are in shared memory once a call returns.
    readback: { everySteps: 1 },
  };
}

/** The passes of a training program. Each call blocks until its work is done, so that the work is in the order of the calls. */
function trainingPasses(compiled: Compiled) {
  const { request, heap, crew, tensors, phases, backward, outputShape, inputGradient } = compiled;
  const { loss: binary } = request;
  if (binary) requireWeights(binary, outputShape);
  const outputSize = sizeOf(outputShape);
  const outputGradient = heap.floats(backward?.outputGradient ?? 0, request.batchSize * outputSize);
  const inputSize = sizeOf(request.inputShape);
  /** Memory of its own, so that logits can still be read after `close`. */
  const logitsOfStep = new Float32Array(request.batchSize * outputSize);
  /** Number of images of the training step whose activations are in the arena, until `backward` overwrites them. */
  let stepCount: number | undefined;
  const forwardTraining = (...[images, count, draws]: Parameters<Program["forward"]>) => {
    stepCount = undefined;
    compiled.forward.checkTraining(count);
    const result = runForward(compiled, images, count, draws, true);
    stepCount = count;
    logitsOfStep.set(result);
    return logitsOfStep.subarray(0, result.length);
  };
  const runBackward = (count: number) => {
    stepCount = undefined;
    crew.run(phases.backward);
    if (inputGradient) heap.floats(inputGradient.address, inputGradient.layout.length).fill(0, count * inputSize);
  };
  const step = (...[images, targets, count, draws]: Parameters<TrainingProgram["forwardBackward"]>): StepReading => {
    const [classes] = outputShape;
    if (outputShape.length !== 1 || classes === undefined) {
      throw new ShapeError(`loss: expected an output [classes], got [${outputShape.join(", ")}]`);
    }
    if (targets.length < count * classes) {
      throw new ShapeError(`targets: expected ${count} rows of ${classes} classes, got ${targets.length} values`);
    }
    const logits = forwardTraining(images, count, draws);
    const loss = binary
      ? binaryCrossEntropy(binary, logits, targets, count, outputGradient)
      : softmaxCrossEntropy(logits, targets, count, classes, outputGradient);
    runBackward(count);
    return { loss, logits };
  };
  return {
    isInStep: () => stepCount !== undefined,
    forward: async (images, count, draws) => {
      stepCount = undefined;
      return runForward(compiled, images, count, draws, false).slice();
    },
    forwardTraining: async (images, count, draws) => forwardTraining(images, count, draws),
    async backward(gradient) {
      tensors.requireOpen();
      if (stepCount === undefined) throw new Error("backward: expected a forwardTraining just before it");
      if (gradient.length !== stepCount * outputSize) {
        throw new ShapeError(`backward: expected ${stepCount * outputSize} values of gradient, got ${gradient.length}`);
      }
      outputGradient.set(gradient);
      runBackward(stepCount);
    },
    forwardBackward: async (images, targets, count, draws) => step(images, targets, count, draws),
  } satisfies Partial<TrainingProgram> & { readonly isInStep: () => boolean };
}

/** Parameters, and the members that compute on tensors. */
function trainingTensors({ forward, tensors }: Compiled) {
  const stored: readonly StoredParameter[] = [...forward.parameters.values()];
  const trained = stored.flatMap(({ name, value, gradient }) => (gradient ? [{ name, value, gradient }] : []));
  return {
    parameters: trained,
    frozen: stored.flatMap(({ name, value, gradient }) => (gradient ? [] : [{ name, value }])),
    read: async (tensor, into) => tensors.read(tensor, into),
    newTensor: (like) => tensors.newTensor(like),
    compileUpdate: (assignments) => tensors.compileUpdate(assignments),
    sumOfSquares: async (given) => given.reduce((sum, tensor) => sum + tensors.sumOfSquares(tensor), 0),
    // A sum of squares of f32 does not overflow in f64: it is finite exactly if all values are.
    firstNonFinite: async (of) =>
      trained.find(({ value, gradient }) => !Number.isFinite(tensors.sumOfSquares(of === "values" ? value : gradient)))
        ?.name,
  } satisfies Partial<TrainingProgram>;
}
