/**
 * An engine that behaves as a device does: calls only queue their work, numbers arrive later, and how often they are looked at is its own. The work itself
 * is another engine's, so that results are equal to the bit.
 */
import type {
  Assignment,
  BinaryOperation,
  DropoutDraws,
  Engine,
  Program,
  Scalar,
  StepReading,
  Tensor,
  TrainingProgram,
  UnaryOperation,
} from "../src/engine/engine.ts";

/** Runs work later, in the order of the calls. */
interface Queue {
  add<T>(work: () => T | Promise<T>): Promise<T>;
  /** Things that were added and are not done. */
  length(): number;
}

function createQueue(): Queue {
  let tail: Promise<unknown> = Promise.resolve();
  let length = 0;
  return {
    add(work) {
      length++;
      const done = tail
        .then(() => new Promise(setImmediate))
        .then(work)
        .finally(() => length--);
      tail = done.catch(() => {});
      return done;
    },
    length: () => length,
  };
}

/** What a program of the engine was seen to do. */
export interface DeviceLog {
  /** Steps that were begun while work of earlier ones was still queued. */
  overlapped: number;
  /** Checks of weights or gradients. */
  checks: number;
}

/** `everySteps`: for how many steps results stay valid, which is how often training reads them. */
export function createDeviceEngine(
  inner: Engine,
  everySteps: number,
  log: DeviceLog = { overlapped: 0, checks: 0 },
): Engine {
  return {
    ...inner,
    name: "device",
    threads: 0,
    async compile(request) {
      return deviceProgram(await inner.compile(request), createQueue());
    },
    async compileTraining(request) {
      const program = await inner.compileTraining(request);
      return trainingProgram(program, everySteps, log);
    },
  };
}

/** Two input buffers in turn, each busy while work on it is queued. */
function createInputs({ input }: Program) {
  const inputs = [0, 1].map(() => ({ images: new Float32Array(input.length), work: Promise.resolve() }));
  let [next, other] = inputs as [(typeof inputs)[0], (typeof inputs)[0]];
  return {
    async next(): Promise<Float32Array> {
      await next.work;
      return next.images;
    },
    /** Images for work that is done later: the buffer itself, or a copy of what is not a buffer. */
    take<T>(images: Float32Array, start: (images: Float32Array) => Promise<T>): Promise<T> {
      const buffer = inputs.find((each) => each.images.buffer === images.buffer);
      if (!buffer) return start(images.slice());
      const done = start(images);
      buffer.work = done.then(
        () => {},
        () => {},
      );
      if (buffer === next) [next, other] = [other, next];
      return done;
    },
    first: next.images,
  };
}

function deviceProgram(inner: Program, queue: Queue, inputs = createInputs(inner)): Program {
  return {
    ...members(inner),
    input: inputs.first,
    nextInput: () => inputs.next(),
    forward: (images, count, draws) =>
      inputs.take(images, (own) => queue.add(async () => (await inner.forward(own, count, { ...draws })).slice())),
    scratch: (length) => new Float32Array(length),
    write(tensor, values) {
      const copy = values.slice();
      return queue.add(() => inner.write(tensor, copy));
    },
    takeProfile: () => inner.takeProfile(),
    close: () => inner.close(),
  };
}

/** The members that are data. */
function members({ batchSize, precision, outputShape, parameters, memory }: Program) {
  return { batchSize, precision, outputShape, parameters, memory };
}

function trainingProgram(inner: TrainingProgram, everySteps: number, log: DeviceLog): TrainingProgram {
  const queue = createQueue();
  const inputs = createInputs(inner);
  const kept: Float32Array[] = [];
  const pass = (run: (images: Float32Array) => Promise<Float32Array>, images: Float32Array) =>
    inputs.take(images, (own) => queue.add(async () => (await run(own)).slice()));
  return {
    ...deviceProgram(inner, queue, inputs),
    parameters: inner.parameters,
    frozen: inner.frozen,
    inputGradient: inner.inputGradient,
    readback: { everySteps },
    forwardTraining: (images, count, draws) => pass((own) => inner.forwardTraining(own, count, draws), images),
    backward(gradient) {
      const copy = gradient.slice();
      return queue.add(() => inner.backward(copy));
    },
    forwardBackward(images: Float32Array, targets: Float32Array, count: number, draws: DropoutDraws) {
      if (queue.length() > 0) log.overlapped++;
      // Results are valid for so many steps, and no longer.
      if (kept.length >= everySteps) kept.shift()?.fill(Number.NaN);
      const ownTargets = targets.slice();
      return inputs.take(images, (own) =>
        queue.add(async (): Promise<StepReading> => {
          const { loss, logits } = await inner.forwardBackward(own, ownTargets, count, draws);
          const copy = logits.slice();
          kept.push(copy);
          return { loss, logits: copy };
        }),
      );
    },
    read(tensor, into) {
      return queue.add(() => inner.read(tensor, into));
    },
    newTensor: (like) => inner.newTensor(like),
    compileUpdate: (assignments) => compileUpdate(inner, assignments, queue),
    sumOfSquares: (tensors) => queue.add(() => inner.sumOfSquares(tensors)),
    firstNonFinite(of) {
      log.checks++;
      return queue.add(() => inner.firstNonFinite(of));
    },
  };
}

/** An update is queued with the values that its scalars have at the call. */
function compileUpdate(inner: TrainingProgram, assignments: readonly Assignment[], queue: Queue) {
  const own = new Map<Scalar, Scalar>();
  const isTensor = (operand: Tensor | Scalar): operand is Tensor => "shape" in operand;
  const ownOf = (operand: Tensor | Scalar): Tensor | Scalar => {
    if (isTensor(operand)) return operand;
    const scalar = own.get(operand) ?? { value: operand.value };
    own.set(operand, scalar);
    return scalar;
  };
  const binary = ([operation, operand]: BinaryOperation): BinaryOperation => [operation, ownOf(operand)];
  const each = (operation: BinaryOperation | UnaryOperation) =>
    operation.length === 1 ? operation : binary(operation);
  const update = inner.compileUpdate(
    assignments.map(({ target, from, operations: [first, ...rest] }) => ({
      target,
      from,
      operations: [binary(first), ...rest.map(each)],
    })),
  );
  return {
    run() {
      const values = [...own].map(([given, scalar]) => [scalar, given.value] as const);
      void queue.add(() => {
        for (const [scalar, value] of values) scalar.value = value;
        update.run();
      });
    },
  };
}
