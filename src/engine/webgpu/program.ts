/** Compiled programs, for inference and for training. */
import { ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { binaryCrossEntropy, requireWeights } from "../binaryCrossEntropy.ts";
import type {
  CompileRequest,
  DropoutDraws,
  Program,
  StepReading,
  TrainableParameter,
  TrainingProgram,
} from "../engine.ts";
import { softmaxCrossEntropy } from "../softmaxCrossEntropy.ts";
import { type Compiled, compileChain, type StoredParameter } from "./compiled.ts";
import type { Device } from "./device.ts";
import type { PlanLimits, PlannedBuffer } from "./plan.ts";

/** Steps after which results are read: enough that the device never waits for the host. */
const EVERY_STEPS = 8;
/** Calls in flight for which `nextInput` does not wait: copies of their images occupy memory. */
const CALLS_IN_FLIGHT = 2;

/** Compiles a chain of operations for inference. */
export async function compileInference(device: Device, limits: PlanLimits, request: CompileRequest): Promise<Program> {
  const compiled = await compileChain(device, limits, request, false);
  const { calls, ...common } = commonMembers(compiled);
  return { ...common, parameters: compiled.parameters };
}

/** The members that do not depend on the mode. */
function commonMembers(compiled: Compiled) {
  const { request, tensors, input, outputShape, memory, free } = compiled;
  const calls: Promise<unknown>[] = [];
  let staging = new Float32Array(0);
  return {
    batchSize: request.batchSize,
    precision: request.precision,
    input,
    outputShape,
    memory,
    algorithms: algorithmsOf(compiled),
    /** The same buffer every time: calls copy it before they return. */
    async nextInput() {
      tensors.requireOpen();
      await calls.at(-CALLS_IN_FLIGHT)?.catch(() => {});
      return input;
    },
    async forward(images: Float32Array, count: number, draws: DropoutDraws) {
      startForward(compiled, images, count, draws, false);
      return remember(
        calls,
        readOutput(compiled, count, (output) => output.slice()),
      );
    },
    scratch(length: number) {
      tensors.requireOpen();
      if (staging.length < length) staging = new Float32Array(length);
      return staging.subarray(0, length);
    },
    write: (tensor, values) => tensors.write(tensor, values),
    takeProfile: () => [],
    close() {
      if (tensors.close()) free();
    },
    calls,
  } satisfies Partial<Program> & { readonly calls: Promise<unknown>[] };
}

/** Remembers the last calls in flight. */
function remember<T>(calls: Promise<unknown>[], call: Promise<T>): Promise<T> {
  calls.push(call);
  if (calls.length > CALLS_IN_FLIGHT) calls.shift();
  return call;
}

/** Tiles of the forward products. */
function algorithmsOf({ chain: { plan } }: Compiled): Readonly<Record<string, string>> {
  const forward = plan.dispatches.filter(
    ({ direction, work, tile }) => direction === "forward" && work === "convolution" && tile,
  );
  return Object.fromEntries(forward.map(({ layer, tile }) => [layer, `direct, tiles of ${tile}`]));
}

/** Starts the forward pass. */
function startForward(
  compiled: Compiled,
  images: Float32Array,
  count: number,
  draws: DropoutDraws,
  training: boolean,
): void {
  const { request, device, tensors, chain, buffer } = compiled;
  const imageSize = sizeOf(request.inputShape);
  tensors.requireOpen();
  if (!Number.isInteger(count) || count < 1 || count > request.batchSize || images.length < count * imageSize) {
    const got = `${count} images in ${images.length} values`;
    throw new ShapeError(`batch: expected 1 to ${request.batchSize} images of ${imageSize} values, got ${got}`);
  }
  device.write(buffer(chain.images), images, count * imageSize);
  compiled.prepare(count, draws, training);
  compiled.run(0, chain.forwardEnd, count);
}

/** Reads the output of the pass that was started last. */
function readOutput<T>(
  { device, chain, buffer, outputShape }: Compiled,
  count: number,
  use: (output: Float32Array) => T,
): Promise<T> {
  const bytes = 4 * count * sizeOf(outputShape);
  return device.read([{ buffer: buffer(chain.output), bytes }], ([view]) => use(new Float32Array(view as ArrayBuffer)));
}

/** Compiles a chain of operations for training. */
export async function compileTraining(
  device: Device,
  limits: PlanLimits,
  request: CompileRequest,
): Promise<TrainingProgram> {
  const { loss } = request;
  if (loss) requireWeights(loss, request.ops.at(-1)?.outputShape ?? request.inputShape);
  const compiled = await compileChain(device, limits, request, true);
  const { calls, ...common } = commonMembers(compiled);
  return {
    ...common,
    ...trainingPasses(compiled, calls, common.forward),
    ...trainingTensors(compiled),
    readback: { everySteps: EVERY_STEPS },
  };
}

/** Results of a step, whose memory is used again. */
interface Results {
  readonly targets: Float32Array;
  readonly logits: Float32Array;
  isBusy: boolean;
}

/** Memory for the results of steps: each stays valid until `EVERY_STEPS` later steps have started. */
function createRing(length: number) {
  const create = (): Results => ({
    targets: new Float32Array(length),
    logits: new Float32Array(length),
    isBusy: false,
  });
  const ring = Array.from({ length: EVERY_STEPS + 1 }, create);
  let next = 0;
  return (): Results => {
    const at = next++ % ring.length;
    if (ring[at]?.isBusy) ring[at] = create();
    const results = ring[at] as Results;
    results.isBusy = true;
    return results;
  };
}

/** The passes of a training program. Each call adds its work before it returns, so that the work is in the order of the calls. */
function trainingPasses(compiled: Compiled, calls: Promise<unknown>[], evaluate: Program["forward"]) {
  const { request, device, tensors, chain, outputShape, inputGradient, buffer } = compiled;
  const outputSize = sizeOf(outputShape);
  const takeResults = createRing(request.batchSize * outputSize);
  const lossOf = hostLoss(request, outputSize);
  /** Number of images of the training step whose activations are in memory, until `backward` overwrites them. */
  let stepCount: number | undefined;
  const start = (...[images, count, draws]: Parameters<Program["forward"]>) => {
    stepCount = undefined;
    startForward(compiled, images, count, draws, true);
  };
  const runBackward = (first: number, count: number) => {
    stepCount = undefined;
    compiled.run(first, chain.plan.dispatches.length, count);
    if (!inputGradient) return;
    const written = 4 * count * sizeOf(request.inputShape);
    device.clear(inputGradient.buffer, written, 4 * inputGradient.layout.length - written);
  };
  const readInto = (results: Results, count: number) =>
    readOutput(compiled, count, (output) => {
      results.isBusy = false;
      results.logits.set(output);
      return results.logits.subarray(0, output.length);
    });
  return {
    forward(...given) {
      stepCount = undefined;
      return evaluate(...given);
    },
    async forwardTraining(images, count, draws) {
      chain.checkTraining(count);
      start(images, count, draws);
      stepCount = count;
      return remember(calls, readInto(takeResults(), count));
    },
    async backward(gradient) {
      tensors.requireOpen();
      if (stepCount === undefined) throw new Error("backward: expected a forwardTraining just before it");
      if (gradient.length !== stepCount * outputSize) {
        throw new ShapeError(`backward: expected ${stepCount * outputSize} values of gradient, got ${gradient.length}`);
      }
      device.write(buffer(chain.outputGradient as PlannedBuffer), gradient);
      runBackward(chain.lossEnd, stepCount);
      device.submit();
    },
    async forwardBackward(images, targets, count, draws): Promise<StepReading> {
      requireTargets(outputShape, targets, count);
      chain.checkTraining(count);
      tensors.requireOpen();
      const results = takeResults();
      const length = count * outputSize;
      results.targets.set(targets.subarray(0, length));
      device.write(buffer(chain.targets as PlannedBuffer), targets, length);
      start(images, count, draws);
      runBackward(chain.forwardEnd, count);
      const logits = await remember(calls, readInto(results, count));
      return { loss: lossOf(logits, results.targets, count), logits };
    },
  } satisfies Partial<TrainingProgram>;
}

/** The loss in f64, of logits that the host has; its gradient is the device's. */
function hostLoss({ loss, batchSize }: CompileRequest, classes: number) {
  const gradient = new Float32Array(batchSize * classes);
  return (logits: Float32Array, targets: Float32Array, count: number): number =>
    loss
      ? binaryCrossEntropy(loss, logits, targets, count, gradient)
      : softmaxCrossEntropy(logits, targets, count, classes, gradient);
}

/** Throws ShapeError unless there are targets for each image. */
function requireTargets(outputShape: readonly number[], targets: Float32Array, count: number): void {
  const [classes = 1] = outputShape;
  if (outputShape.length !== 1) {
    throw new ShapeError(`loss: expected an output [classes], got [${outputShape.join(", ")}]`);
  }
  if (targets.length >= count * classes) return;
  throw new ShapeError(`targets: expected ${count} rows of ${classes} classes, got ${targets.length} values`);
}

function isTrained(parameter: StoredParameter): parameter is StoredParameter & TrainableParameter {
  return parameter.gradient !== undefined;
}

/** Parameters, and the members that compute on tensors. */
function trainingTensors({ parameters, tensors, inputGradient }: Compiled) {
  const trained = parameters.filter(isTrained);
  const frozen = parameters.filter((parameter) => !isTrained(parameter));
  const updated = parameters.filter(({ isUpdated }) => isUpdated);
  return {
    parameters: trained,
    frozen,
    inputGradient,
    read: (tensor, into) => tensors.read(tensor, into),
    newTensor: (like) => tensors.newTensor(like),
    compileUpdate: (assignments) => tensors.compileUpdate(assignments),
    sumOfSquares: (all) => tensors.sumOfSquares(all),
    async firstNonFinite(of) {
      const searched = of === "values" ? [...trained, ...updated] : trained;
      const found = of === "values" ? searched.map(({ value }) => value) : trained.map(({ gradient }) => gradient);
      return searched[await tensors.firstNonFinite(found)]?.name;
    },
  } satisfies Partial<TrainingProgram>;
}
