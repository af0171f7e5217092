import { ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import type { AnyOp, CompileRequest, DropoutDraws, Op, OpKind, Program, TrainingProgram } from "../engine.ts";
import { addSoftmaxCrossEntropy } from "./loss.ts";
import type { LibC, MappedMemory } from "./native/libc.ts";
import type { OneDnn, Session } from "./native/oneDnn.ts";
import { builders } from "./ops/builders.ts";
import type { BuildContext, Built } from "./ops/op.ts";
import { type Phase, Plan, type Value } from "./plan.ts";
import { type EngineTensor, TensorMemory } from "./tensors.ts";

/** A chain added to a plan, forward only. */
interface Forward {
  readonly plan: Plan;
  readonly tensors: TensorMemory;
  readonly parameters: ReadonlyMap<string, StoredParameter>;
  readonly run: BuildContext["run"];
  readonly input: Value;
  readonly output: Value;
  readonly chain: readonly (Built & { readonly learns: boolean })[];
}

interface StoredParameter {
  readonly name: string;
  readonly value: EngineTensor;
  readonly gradient: EngineTensor | undefined;
}

/** Compiles a chain of operations for inference. */
export function compileInference(library: OneDnn, libc: LibC, request: CompileRequest): Program {
  return releasingOnFailure(library, libc, (session, tensors) => {
    const forward = addForward(session, tensors, request, false);
    const end = forward.plan.length;
    const { arena, phase } = forward.plan.finish(libc.map);
    return inferenceProgram(forward, request, phase(0, end), arena);
  });
}

/** What was made before memory ran out, or the library refused, is freed. */
function releasingOnFailure<T>(
  library: OneDnn,
  libc: LibC,
  compile: (session: Session, tensors: TensorMemory) => T,
): T {
  const session = library.session();
  const tensors = new TensorMemory(library, libc);
  try {
    return compile(session, tensors);
  } catch (error) {
    tensors.close();
    session.close();
    throw error;
  }
}

/** Compiles a chain of operations for training: forward, loss where the chain ends in class scores, and backward. */
export function compileTraining(library: OneDnn, libc: LibC, request: CompileRequest): TrainingProgram {
  return releasingOnFailure(library, libc, (session, tensors) => {
    return trainingProgram(addForward(session, tensors, request, true), libc, request);
  });
}

function trainingProgram(forward: Forward, libc: LibC, request: CompileRequest): TrainingProgram {
  const { plan, tensors, output, run, parameters } = forward;
  const lossStart = plan.length;
  const loss = output.dims.length === 2 ? addSoftmaxCrossEntropy(plan, output) : undefined;
  const outputGradient = loss?.gradient ?? plan.value(output.dims);
  plan.keep(outputGradient);
  const backwardStart = plan.length;
  const inputGradientValue = addBackward(forward, outputGradient, request.inputGradient === true);
  const end = plan.length;
  const { arena, phase } = plan.finish(libc.map);
  const base = inferenceProgram(forward, request, phase(0, lossStart), arena);
  const lossPhase = phase(lossStart, backwardStart);
  const backwardPhase = phase(backwardStart, end);
  const gradientView = plan.view(outputGradient);
  const inputGradient = inputGradientValue && tensors.adopt("input gradient", inputGradientValue);

  /** Images of the training step whose activations the arena holds. */
  let stepCount: number | undefined;
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
    parameters: [...parameters.values()].map(({ name, value, gradient }) => {
      if (!gradient) throw new Error(`${name}: no gradient`);
      return { name, value, gradient };
    }),
    inputGradient,
    forwardTraining,
    async backward(gradient) {
      tensors.requireOpen();
      if (stepCount === undefined) throw new Error("backward: expected a forwardTraining just before it");
      const expected = stepCount * sizeOf(base.outputShape);
      if (gradient.length !== expected) {
        throw new ShapeError(`backward: expected ${expected} values of gradient, got ${gradient.length}`);
      }
      gradientView.fill(0).set(gradient);
      backwardPhase.run();
    },
    async forwardBackward(images, labels, count, draws) {
      if (!loss) throw new ShapeError(`loss: expected an output [classes], got [${base.outputShape.join(", ")}]`);
      const logits = await forwardTraining(images, count, draws);
      loss.setLabels(labels, count);
      lossPhase.run();
      backwardPhase.run();
      return { loss: loss.loss(), logits };
    },
    newTensor: (like) => tensors.createLike(tensors.own(like)),
    combine: (target, terms) => tensors.combine(tensors.own(target), terms),
    firstNonFinite: (of) =>
      [...parameters.values()].find(
        ({ value, gradient }) => !tensors.isFinite(of === "values" ? value : (gradient ?? value)),
      )?.name,
  };
}

/** Adds every operation's forward steps; weights get their memory in the layouts that these chose. */
function addForward(session: Session, tensors: TensorMemory, request: CompileRequest, training: boolean): Forward {
  const plan = new Plan(session);
  const parameters = new Map<string, StoredParameter>();
  const { batchSize, ops } = request;
  const shapes = new Map(ops.flatMap((op) => op.parameters.map((p) => [p.name, p.shape])));
  const context: BuildContext = {
    plan,
    batchSize,
    training,
    run: { draws: { seed: 0, first: 0 }, dropoutActive: false },
    parameter(name, dims, desc) {
      const shape = shapes.get(name) ?? dims;
      const plain = plan.session.plain(dims);
      const value = tensors.create(name, shape, desc, plain);
      const gradient = training ? tensors.create(`gradient of ${name}`, shape, desc, plain) : undefined;
      parameters.set(name, { name, value, gradient });
      return asValue(value, dims);
    },
    gradient(name) {
      const gradient = parameters.get(name)?.gradient;
      if (!gradient) throw new Error(`${name}: no gradient`);
      return asValue(gradient, gradient.shape);
    },
  };
  const input = plan.value([batchSize, ...request.inputShape]);
  plan.keep(input);
  const chain: (Built & { learns: boolean })[] = [];
  let value = input;
  for (let i = 0; i < ops.length; i += chain.at(-1)?.covers ?? 1) {
    const op = ops[i] as AnyOp;
    const built = build(context, op, value, ops[i + 1]);
    chain.push({ ...built, learns: op.parameters.length > 0 });
    value = built.output;
  }
  const output = plan.inLayout(value, plan.session.plain(value.dims));
  plan.keep(output);
  return { plan, tensors, parameters, run: context.run, input, output, chain };
}

function build<K extends OpKind>(context: BuildContext, op: Op<K>, input: Value, next: AnyOp | undefined): Built {
  return builders[op.kind](context, op, input, next);
}

/** Adds the backward steps, down to the first operation that learns, or to the input if its gradient is wanted. */
function addBackward(forward: Forward, outputGradient: Value, wanted: boolean): Value | undefined {
  const { plan, chain, input } = forward;
  const firstLearning = chain.findIndex(({ learns }) => learns);
  let gradient: Value | undefined = outputGradient;
  for (let i = chain.length - 1; i >= 0 && gradient; i--) {
    const needed = wanted || (firstLearning >= 0 && i > firstLearning);
    gradient = (chain[i] as Built).backward(gradient, needed);
  }
  if (!wanted || !gradient) return undefined;
  const plain = plan.inLayout(gradient, input.desc);
  plan.keep(plain, plan.length - 1);
  return plain;
}

function asValue(tensor: EngineTensor, dims: readonly number[]): Value {
  return {
    desc: tensor.desc,
    dims,
    buffer: { bytes: tensor.bytes, address: tensor.address, firstStep: 0, lastStep: Infinity },
  };
}

function inferenceProgram(forward: Forward, request: CompileRequest, steps: Phase, arena: MappedMemory): Program {
  const { plan, tensors, parameters, run } = forward;
  const { batchSize, precision } = request;
  const inputView = plan.view(forward.input);
  const outputView = plan.view(forward.output);
  const outputShape = forward.output.dims.slice(1);
  const [imageSize, outputSize] = [sizeOf(request.inputShape), sizeOf(outputShape)];
  const stored = [...parameters.values()];
  const bytes = (list: readonly (EngineTensor | undefined)[]) => list.reduce((sum, t) => sum + (t?.bytes ?? 0), 0);
  return {
    batchSize,
    precision,
    outputShape,
    parameters: stored,
    memory: {
      parameters: bytes(stored.map(({ value }) => value)),
      gradients: bytes(stored.map(({ gradient }) => gradient)),
      activations: arena.bytes,
    },
    async forward(images, count, draws) {
      tensors.requireOpen();
      if (count < 1 || count > batchSize || images.length < count * imageSize) {
        const got = `${count} images in ${images.length} values`;
        throw new ShapeError(`batch: expected 1 to ${batchSize} images of ${imageSize} values, got ${got}`);
      }
      inputView.set(images.subarray(0, count * imageSize));
      inputView.fill(0, count * imageSize);
      run.draws = draws;
      steps.run();
      return outputView.subarray(0, count * outputSize);
    },
    async read(tensor, into = new Float32Array(sizeOf(tensor.shape))) {
      return tensors.transfer("read", tensors.own(tensor), into);
    },
    async write(tensor, values) {
      tensors.transfer("write", tensors.own(tensor), values);
    },
    close() {
      if (!tensors.isOpen) return;
      tensors.close();
      plan.session.close();
      arena.unmap();
    },
  };
}
