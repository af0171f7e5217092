/** Compiled programs, for inference and for training. */
import { ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import type { CompileRequest, DropoutDraws, Program, TrainingProgram } from "../engine.ts";
import { addBackward, addForward, type Forward } from "./chain.ts";
import type { EngineTensor } from "./engineTensor.ts";
import { addSoftmaxCrossEntropy } from "./loss.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { Session, ThreadedOneDnn } from "./native/oneDnn.ts";
import type { FinishedPlan, Phase } from "./plan.ts";
import { type Account, newAccount } from "./profile.ts";
import { TensorMemory } from "./tensors.ts";

/** Compiles a chain of operations for inference. */
export function compileInference(library: ThreadedOneDnn, libc: LibC, request: CompileRequest): Program {
  return releasingOnFailure(library, libc, (session, tensors, account, map) => {
    const forward = addForward(session, tensors, request, account, false, libc.share);
    const end = forward.plan.length;
    const memory = forward.plan.finish(map);
    return inferenceProgram(forward, request, memory, memory.phase(0, end), account);
  });
}

/** What was made before memory ran out, or the library refused, is freed. */
function releasingOnFailure<T>(
  library: ThreadedOneDnn,
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

/** Compiles a chain of operations for training: forward, loss where the chain ends in class scores, and backward. */
export function compileTraining(library: ThreadedOneDnn, libc: LibC, request: CompileRequest): TrainingProgram {
  return releasingOnFailure(library, libc, (session, tensors, account, map) => {
    return trainingProgram(addForward(session, tensors, request, account, true, libc.share), map, request, account);
  });
}

function trainingProgram(
  forward: Forward,
  map: LibC["map"],
  request: CompileRequest,
  account: Account,
): TrainingProgram {
  const { plan, tensors, output, run, parameters } = forward;
  const lossStart = plan.length;
  const loss = output.dims.length === 2 ? addSoftmaxCrossEntropy(plan, output) : undefined;
  const outputGradient = loss?.gradient ?? plan.value(output.dims, output.desc);
  plan.keep(outputGradient);
  const backwardStart = plan.length;
  const inputGradientValue = addBackward(forward, outputGradient, request.inputGradient === true);
  const end = plan.length;
  const memory = plan.finish(map);
  const base = inferenceProgram(forward, request, memory, memory.phase(0, lossStart), account);
  const lossPhase = memory.phase(lossStart, backwardStart);
  const backwardPhase = memory.phase(backwardStart, end);
  const gradientView = plan.view(outputGradient);
  const inputGradient = inputGradientValue && tensors.adopt("input gradient", inputGradientValue);
  const stored = [...parameters.values()];
  const trained = stored.flatMap(({ name, value, gradient }) => (gradient ? [{ name, value, gradient }] : []));

  /** Images of the training step whose activations the arena holds: until `backward`, which writes over them. */
  let stepCount: number | undefined;
  function runBackward(): void {
    stepCount = undefined;
    backwardPhase.run();
  }
  async function forwardTraining(images: Float32Array, count: number, draws: DropoutDraws) {
    run.dropoutActive = true;
    try {
      const result = await base.forward(images, count, draws);
      stepCount = count;
      return result;
    } finally {
      run.dropoutActive = false;
    }
  }
  return {
    ...base,
    forward(images, count, draws) {
      stepCount = undefined;
      return base.forward(images, count, draws);
    },
    parameters: trained,
    frozen: stored.filter(({ gradient }) => !gradient),
    inputGradient,
    // Between the halves of a step the arena holds activations.
    scratch: (length) => (stepCount === undefined ? base.scratch(length) : tensors.scratch(length)),
    forwardTraining,
    async backward(gradient) {
      tensors.requireOpen();
      if (stepCount === undefined) throw new Error("backward: expected a forwardTraining just before it");
      const expected = stepCount * sizeOf(base.outputShape);
      if (gradient.length !== expected) {
        throw new ShapeError(`backward: expected ${expected} values of gradient, got ${gradient.length}`);
      }
      gradientView.fill(0).set(gradient);
      runBackward();
    },
    async forwardBackward(images, targets, count, draws) {
      if (!loss) throw new ShapeError(`loss: expected an output [classes], got [${base.outputShape.join(", ")}]`);
      const logits = await forwardTraining(images, count, draws);
      loss.setTargets(targets, count);
      lossPhase.run();
      runBackward();
      return { loss: loss.loss(), logits };
    },
    async read(tensor, into = new Float32Array(sizeOf(tensor.shape))) {
      return tensors.transfer("read", tensors.own(tensor), into);
    },
    newTensor(like) {
      const { name, ...layout } = tensors.own(like);
      return tensors.create({ ...layout, name: `tensor like ${name}` });
    },
    compileUpdate: (assignments) => tensors.compileUpdate(assignments),
    sumOfSquares: (tensor) => tensors.sumOfSquares(tensors.own(tensor)),
    firstNonFinite: (of) =>
      trained.find(({ value, gradient }) => !tensors.isFinite(of === "values" ? value : gradient))?.name,
  };
}

function inferenceProgram(
  forward: Forward,
  request: CompileRequest,
  memory: FinishedPlan,
  steps: Phase,
  account: Account,
): Program {
  const { plan, tensors, parameters, run } = forward;
  const { batchSize, precision } = request;
  const { arena, spare } = memory;
  const inputView = forward.images;
  const outputView = plan.view(forward.output);
  const outputShape = forward.output.dims.slice(1);
  const [imageSize, outputSize] = [sizeOf(request.inputShape), sizeOf(outputShape)];
  const stored = [...parameters.values()];
  const bytes = (list: readonly (EngineTensor | undefined)[]) => list.reduce((sum, t) => sum + (t?.bytes ?? 0), 0);
  return {
    batchSize,
    precision,
    input: inputView,
    outputShape,
    parameters: stored,
    memory: {
      parameters: bytes(stored.map(({ value }) => value)),
      gradients: bytes(stored.map(({ gradient }) => gradient)),
      activations: arena.bytes + inputView.byteLength,
    },
    async forward(images, count, draws) {
      tensors.requireOpen();
      if (count < 1 || count > batchSize || images.length < count * imageSize) {
        const got = `${count} images in ${images.length} values`;
        throw new ShapeError(`batch: expected 1 to ${batchSize} images of ${imageSize} values, got ${got}`);
      }
      const isInPlace = images.buffer === inputView.buffer && images.byteOffset === inputView.byteOffset;
      if (!isInPlace) inputView.set(images.subarray(0, count * imageSize));
      inputView.fill(0, count * imageSize);
      run.draws = draws;
      tensors.releaseScratch();
      steps.run();
      return outputView.subarray(0, count * outputSize);
    },
    scratch(length) {
      tensors.requireOpen();
      return 4 * length <= spare.bytes ? arena.view(spare.address, length) : tensors.scratch(length);
    },
    async write(tensor, values) {
      tensors.transfer("write", tensors.own(tensor), values);
    },
    takeProfile: account.take,
    close() {
      if (!tensors.isOpen) return;
      tensors.close();
      plan.session.close();
      arena.unmap();
    },
  };
}
