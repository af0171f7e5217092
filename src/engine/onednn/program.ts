/** Compiled programs, for inference and for training. */
import { ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { binaryCrossEntropy, requireWeights } from "../binaryCrossEntropy.ts";
import { alone, ownCount, rowsOf } from "../communicator.ts";
import type {
  BinaryCrossEntropy,
  CompileRequest,
  DropoutDraws,
  InferenceRequest,
  Program,
  StepReading,
  TrainingProgram,
} from "../engine.ts";
import { requireOneProcess } from "../runningStatistics.ts";
import { addBackward, addForward, type Forward } from "./chain.ts";
import type { ConfiguredOneDnn } from "./configuredOneDnn.ts";
import type { EngineTensor } from "./engineTensor.ts";
import { ownRows } from "./exchange.ts";
import { addSoftmaxCrossEntropy, type LossSteps } from "./loss.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Session } from "./native/oneDnn.ts";
import type { FinishedPlan, Phase } from "./plan.ts";
import { type Account, newAccount } from "./profile.ts";
import { TensorMemory } from "./tensors.ts";

/** Compiles a chain of operations for inference. */
export function compileInference(library: ConfiguredOneDnn, libc: LibC, request: CompileRequest): Program {
  return releaseOnFailure(library, libc, (session, tensors, account, map) => {
    const forward = addForward(library, session, tensors, request, account, false, libc.share);
    const end = forward.plan.length;
    const memory = forward.plan.finish(map);
    const run = forwardPass(forward, request, memory.phase(0, end));
    return {
      ...commonMembers(forward, request, memory, account),
      parameters: [...forward.parameters.values()],
      scratch: scratchOf(forward, memory),
      memoryOf: (tensor) => tensors.plainMemory(tensors.own(tensor)),
      forward: async (images, count, draws) => run(images, count, draws).slice(),
    };
  });
}

/** Compiles a chain of operations for training: forward, loss if the chain ends in class scores, and backward. */
export function compileTraining(library: ConfiguredOneDnn, libc: LibC, request: CompileRequest): TrainingProgram {
  requireOneProcess(request);
  return releaseOnFailure(library, libc, (session, tensors, account, map) =>
    trainingProgram(addForward(library, session, tensors, request, account, true, libc.share), map, request, account),
  );
}

/** Frees everything created so far if memory runs out or the library fails. */
export function releaseOnFailure<T>(
  library: ConfiguredOneDnn,
  libc: LibC,
  compile: (session: Session, tensors: TensorMemory, account: Account, map: LibC["map"]) => T,
): T {
  const session = library.session();
  const account = newAccount();
  const tensors = new TensorMemory(library, libc, account);
  const mapped: MappedMemory[] = [];
  const map = (bytes: number) => {
    const memory = libc.map(bytes);
    mapped.push(memory);
    return memory;
  };
  try {
    return compile(session, tensors, account, map);
  } catch (error) {
    for (const memory of mapped) memory.unmap();
    tensors.close();
    session.close();
    throw error;
  }
}

/** The members that do not depend on the mode. */
export function commonMembers<P extends InferenceRequest["precision"]>(
  { plan, tensors, parameters, algorithms, images, output }: Forward,
  { batchSize, precision }: { readonly batchSize: number; readonly precision: P },
  { arena }: FinishedPlan,
  account: Account,
) {
  const stored = [...parameters.values()];
  const bytes = (list: readonly (EngineTensor | undefined)[]) => list.reduce((sum, t) => sum + (t?.bytes ?? 0), 0);
  return {
    batchSize,
    precision,
    input: images,
    // Calls block, so none still reads the buffer.
    async nextInput() {
      tensors.requireOpen();
      return images;
    },
    outputShape: output.dims.slice(1),
    algorithms,
    memory: {
      parameters: bytes(stored.map(({ value }) => value)),
      gradients: bytes(stored.map(({ gradient }) => gradient)),
      activations: arena.bytes + images.byteLength,
    },
    write: async (tensor, values) => void tensors.transfer("write", tensors.own(tensor), values),
    takeProfile: account.take,
    close() {
      if (!tensors.isOpen) return;
      tensors.close();
      plan.session.close();
      arena.unmap();
    },
  } satisfies Partial<Program>;
}

/** Staging memory: the arena's part that is unused between two passes, if it is large enough. */
export function scratchOf({ tensors }: Forward, { arena, spare }: FinishedPlan): Program["scratch"] {
  return (length) => {
    tensors.requireOpen();
    return 4 * length <= spare.bytes ? arena.view(spare.address, length) : tensors.scratch(length);
  };
}

/** Returns a view of the program's memory, which the next pass overwrites. */
type ForwardPass = (images: Float32Array, count: number, draws: DropoutDraws) => Float32Array;

/** The forward pass as one blocking call. */
export function forwardPass(
  forward: Forward,
  request: Pick<CompileRequest, "batchSize" | "inputShape" | "communicator">,
  steps: Phase,
): ForwardPass {
  const { plan, tensors, run, images: input } = forward;
  const { batchSize, inputShape, communicator = alone } = request;
  const rows = rowsOf(communicator, batchSize);
  const output = plan.view(forward.output);
  const [imageSize, outputSize] = [sizeOf(inputShape), sizeOf(forward.output.dims.slice(1))];
  return (images, count, draws) => {
    tensors.requireOpen();
    const own = ownCount(rows, count);
    if (!Number.isInteger(count) || count < 1 || count > batchSize || images.length < own * imageSize) {
      const got = `${count} images in ${images.length} values`;
      throw new ShapeError(`batch: expected 1 to ${batchSize} images of ${imageSize} values, got ${got}`);
    }
    const isInPlace = images.buffer === input.buffer && images.byteOffset === input.byteOffset;
    if (!isInPlace) input.set(images.subarray(0, own * imageSize));
    input.fill(0, own * imageSize);
    run.count = own;
    run.draws = rows.first === 0 ? draws : { ...draws, first: draws.first + rows.first };
    tensors.releaseScratch();
    steps.run();
    return output.subarray(0, count * outputSize);
  };
}

function trainingProgram(
  forward: Forward,
  map: LibC["map"],
  request: CompileRequest,
  account: Account,
): TrainingProgram {
  const { plan, tensors, output } = forward;
  const lossStart = plan.length;
  if (request.loss) requireWeights(request.loss, output.dims.slice(1));
  const softmax = output.dims.length === 2 && !request.loss ? addSoftmaxCrossEntropy(plan, output) : undefined;
  const gradient = softmax?.gradient ?? plan.value(output.dims, output.desc);
  plan.keep(gradient);
  const backwardStart = plan.length;
  const { communicator = alone } = request;
  const inputGradient = addBackward(forward, ownRows(plan, communicator, gradient), request);
  const end = plan.length;
  const memory = plan.finish(map);
  const spare = scratchOf(forward, memory);
  const outputGradient = plan.view(gradient);
  const { isInStep, ...passes } = trainingPasses(forward, {
    forward: forwardPass(forward, request, memory.phase(0, lossStart)),
    loss: request.loss
      ? binaryLoss(request.loss, outputGradient)
      : softmax && softmaxLoss(softmax, memory.phase(lossStart, backwardStart)),
    backward: memory.phase(backwardStart, end),
    outputGradient,
  });
  return {
    ...commonMembers(forward, request, memory, account),
    ...(communicator.size === 1 ? {} : { rows: rowsOf(communicator, request.batchSize) }),
    ...passes,
    ...trainingTensors(forward),
    inputGradient: inputGradient && tensors.adopt("input gradient", inputGradient),
    // Results are in shared memory once a call returns.
    readback: { everySteps: 1 },
    // Between the halves of a step the arena holds activations.
    scratch: (length) => (isInStep() ? tensors.scratch(length) : spare(length)),
  };
}

/** Writes the gradient of the logits to the input of backward, and returns the mean loss. Throws ShapeError if targets are missing. */
type LossPass = (logits: Float32Array, targets: Float32Array, count: number) => number;

function softmaxLoss({ setTargets, loss }: LossSteps, phase: Phase): LossPass {
  return (_logits, targets, count) => {
    setTargets(targets, count);
    phase.run();
    return loss();
  };
}

function binaryLoss(loss: BinaryCrossEntropy, gradient: Float32Array): LossPass {
  return (logits, targets, count) => binaryCrossEntropy(loss, logits, targets, count, gradient);
}

/** The parts of a training step. */
interface StepParts {
  readonly forward: ForwardPass;
  readonly loss: LossPass | undefined;
  readonly backward: Phase;
  /** Input of backward, [batchSize, …outputShape]; each process reads its rows. */
  readonly outputGradient: Float32Array;
}

/** The passes of a training program as blocking calls. */
function blockingPasses({ run, tensors, output }: Forward, { forward, loss, backward, outputGradient }: StepParts) {
  const outputShape = output.dims.slice(1);
  /** Memory owned by JavaScript, so that logits can still be read after `close`. */
  const logitsOfStep = new Float32Array(sizeOf(output.dims));
  /** Number of images of the training step whose activations are in the arena, until `backward` overwrites them. */
  let stepCount: number | undefined;
  const runBackward = () => {
    stepCount = undefined;
    backward.run();
  };
  const forwardTraining: ForwardPass = (images, count, draws) => {
    run.isTraining = true;
    try {
      const result = forward(images, count, draws);
      stepCount = count;
      logitsOfStep.set(result);
      return logitsOfStep.subarray(0, result.length);
    } finally {
      run.isTraining = false;
    }
  };
  return {
    isInStep: () => stepCount !== undefined,
    forward(...args: Parameters<ForwardPass>) {
      stepCount = undefined;
      return forward(...args).slice();
    },
    forwardTraining,
    backward(gradient: Float32Array) {
      tensors.requireOpen();
      if (stepCount === undefined) throw new Error("backward: expected a forwardTraining just before it");
      const expected = stepCount * sizeOf(outputShape);
      if (gradient.length !== expected) {
        throw new ShapeError(`backward: expected ${expected} values of gradient, got ${gradient.length}`);
      }
      outputGradient.fill(0).set(gradient);
      runBackward();
    },
    forwardBackward(images: Float32Array, targets: Float32Array, count: number, draws: DropoutDraws): StepReading {
      if (!loss) throw new ShapeError(`loss: expected an output [classes], got [${outputShape.join(", ")}]`);
      const logits = forwardTraining(images, count, draws);
      const mean = loss(logits, targets, count);
      runBackward();
      return { loss: mean, logits };
    },
  };
}

/** The passes of a training program. Each call blocks until its work is done, so that the work is in the order of the calls. */
function trainingPasses(chain: Forward, parts: StepParts) {
  const { isInStep, forward, forwardTraining, backward, forwardBackward } = blockingPasses(chain, parts);
  return {
    isInStep,
    forward: async (images, count, draws) => forward(images, count, draws),
    forwardTraining: async (images, count, draws) => forwardTraining(images, count, draws),
    backward: async (outputGradient) => backward(outputGradient),
    forwardBackward: async (images, targets, count, draws) => forwardBackward(images, targets, count, draws),
  } satisfies Partial<TrainingProgram> & { readonly isInStep: () => boolean };
}

/** Parameters, and the members that compute on tensors. */
function trainingTensors({ parameters, tensors }: Forward) {
  const stored = [...parameters.values()];
  const trained = stored.flatMap(({ name, value, gradient }) => (gradient ? [{ name, value, gradient }] : []));
  return {
    parameters: trained,
    frozen: stored.filter(({ gradient }) => !gradient),
    async read(tensor, into = new Float32Array(sizeOf(tensor.shape))) {
      return tensors.transfer("read", tensors.own(tensor), into);
    },
    newTensor(like) {
      const { name, ...layout } = tensors.own(like);
      return tensors.create({ ...layout, name: `tensor like ${name}` });
    },
    compileUpdate: (assignments) => tensors.compileUpdate(assignments),
    sumOfSquares: async (given) => given.reduce((sum, tensor) => sum + tensors.sumOfSquares(tensors.own(tensor)), 0),
    firstNonFinite: async (of) =>
      trained.find(({ value, gradient }) => !tensors.isFinite(of === "values" ? value : gradient))?.name,
  } satisfies Partial<TrainingProgram>;
}
