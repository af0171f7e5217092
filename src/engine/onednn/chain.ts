/** Adds a chain of operations to a plan, forward and backward. */

import { hoistMaxPool } from "../../hoistMaxPool.ts";
import { learned } from "../../learned.ts";
import { sizeOf } from "../../shape.ts";
import { alone, rowsOf } from "../communicator.ts";
import type { AnyOp, CompileRequest, Op, OpKind } from "../engine.ts";
import type { ConfiguredOneDnn } from "./configuredOneDnn.ts";
import type { EngineTensor } from "./engineTensor.ts";
import { addGather, addSums, addWait } from "./exchange.ts";
import type { LibC } from "./native/libc.ts";
import type { Desc, Session } from "./native/oneDnn.ts";
import { builders } from "./ops/builders.ts";
import { convolutionInput } from "./ops/conv2d.ts";
import type { BuildContext, Built } from "./ops/op.ts";
import { Plan, type Value } from "./plan.ts";
import type { Account } from "./profile.ts";
import type { TensorMemory } from "./tensors.ts";

/** A chain added to a plan, forward only. */
export interface Forward {
  readonly plan: Plan;
  readonly tensors: TensorMemory;
  readonly parameters: ReadonlyMap<string, StoredParameter>;
  readonly algorithms: Readonly<Record<string, string>>;
  readonly run: BuildContext["run"];
  readonly input: Value;
  /** The memory of `input` as seen by JavaScript. */
  readonly images: Float32Array;
  /** The rows of all processes. */
  readonly output: Value;
  readonly chain: readonly ChainLink[];
}

interface ChainLink extends Built {
  readonly name: string;
  readonly learns: boolean;
  /** Names of its parameters. */
  readonly parameters: readonly string[];
}

/** A parameter, and its gradient if it is trained. */
export interface StoredParameter {
  readonly name: string;
  readonly value: EngineTensor;
  readonly gradient: EngineTensor | undefined;
}

/** Adds every operation's forward steps, which choose the layouts of the weights. */
export function addForward(
  library: ConfiguredOneDnn,
  session: Session,
  tensors: TensorMemory,
  request: CompileRequest,
  account: Account,
  training: boolean,
  share: LibC["share"],
): Forward {
  const plan = new Plan(session, account);
  const parameters = new Map<string, StoredParameter>();
  const { precision: format, exact = false, frozen = [], communicator = alone } = request;
  const { count: batchSize } = rowsOf(communicator, request.batchSize);
  const ops = hoistMaxPool(request.ops);
  const algorithms: Record<string, string> = {};
  const context: BuildContext = {
    plan,
    batchSize,
    training,
    format,
    exact,
    algorithm: library.convolution,
    instructionSet: library.instructionSet,
    isBf16Faster: library.isBf16Faster,
    inputLayout: (op, value) => inputLayout<OpKind>(context, op, value),
    chose(operation, algorithm) {
      algorithms[operation] = algorithm;
    },
    run: { draws: { seed: 0, first: 0 }, isTraining: false, count: batchSize },
    isFrozen: (operation) => frozen.includes(operation),
    parameter: parameterOf(session, tensors, ops, (operation) => training && !frozen.includes(operation), parameters),
  };
  const inputDims = [batchSize, ...request.inputShape];
  const images = share(sizeOf(inputDims));
  const input = fixedValue(session.plain(inputDims, "f32"), inputDims, images.array.byteLength, images.address);
  const chain: ChainLink[] = [];
  plan.enter("input", "forward");
  let value = plan.inLayout(input, session.plain(inputDims, format));
  for (let i = 0; i < ops.length; i += chain.at(-1)?.covers ?? 1) {
    const op = ops[i] as AnyOp;
    plan.enter(op.name, "forward");
    const built = build(context, op, value, ops[i + 1]);
    const learns = learned(op.parameters).length > 0 && !context.isFrozen(op.name);
    chain.push({ ...built, name: op.name, learns, parameters: op.parameters.map(({ name }) => name) });
    value = built.output;
  }
  const output = addGather(plan, communicator, plan.inLayout(value, session.plain(value.dims, "f32")));
  plan.keep(output);
  return { plan, tensors, parameters, algorithms, run: context.run, input, images: images.array, output, chain };
}

/** Provides builders with their parameters, in memory that the first request creates and adds to `parameters`. */
function parameterOf(
  session: Session,
  tensors: TensorMemory,
  ops: readonly AnyOp[],
  hasGradient: (operation: string) => boolean,
  parameters: Map<string, StoredParameter>,
): BuildContext["parameter"] {
  const declared = new Map(ops.flatMap((op) => op.parameters.map((p) => [p.name, p])));
  return (operation, role, dims, desc, { index, count }) => {
    const name = `${operation}.${role}`;
    const { shape = dims, isStatistic = false } = declared.get(name) ?? {};
    const plain = session.plain(dims, "f32");
    const layout = { parameter: name, shape, desc, plain, parts: count };
    const make = (): StoredParameter => ({
      name,
      value: tensors.create({ ...layout, name }),
      gradient:
        hasGradient(operation) && !isStatistic ? tensors.create({ ...layout, name: `gradient of ${name}` }) : undefined,
    });
    const stored = parameters.get(name) ?? make();
    parameters.set(name, stored);
    const { value, gradient } = stored;
    if (gradient) tensors.watch(value);
    const part = (tensor: EngineTensor) => asValue(tensor, dims, (index * tensor.bytes) / count);
    return { value: part(value), gradient: gradient && part(gradient), values: () => tensors.valuesOf(value) };
  };
}

function build<K extends OpKind>(context: BuildContext, op: Op<K>, input: Value, next: AnyOp | undefined): Built {
  return builders[op.kind](context, op, input, next);
}

/** Fixed layouts of inputs, by the kind of operation; the library chooses all others. */
const inputLayouts: {
  readonly [K in OpKind]?: (context: BuildContext, op: Op<K>, input: Value) => Desc | undefined;
} = { conv2d: convolutionInput };

function inputLayout<K extends OpKind>(context: BuildContext, op: Op<K>, input: Value): Desc | undefined {
  return inputLayouts[op.kind]?.(context, op, input);
}

/**
 * Adds the backward steps, down to the first trained operation, or to the input if its gradient is requested. The gradients of an operation are summed
 * over all processes while those below it are computed.
 */
export function addBackward(
  forward: Forward,
  outputGradient: Value,
  { inputGradient: wanted = false, communicator = alone }: Pick<CompileRequest, "inputGradient" | "communicator">,
): Value | undefined {
  const { plan, chain, input, tensors, parameters } = forward;
  const firstLearning = chain.findIndex(({ learns }) => learns);
  let gradient: Value | undefined = outputGradient;
  for (let i = chain.length - 1; i >= 0 && gradient; i--) {
    const needed = wanted || (firstLearning >= 0 && i > firstLearning);
    const link = chain[i] as ChainLink;
    plan.enter(link.name, "backwardData");
    gradient = link.backward(gradient, needed);
    const ready = link.learns ? link.parameters.flatMap((name) => parameters.get(name)?.gradient ?? []) : [];
    addSums(plan, communicator, tensors, ready);
  }
  addWait(plan, communicator);
  if (!wanted || !gradient) return undefined;
  const plain = plan.inLayout(gradient, input.desc);
  plan.keep(plain, plan.length - 1);
  return plain;
}

/** A part of a tensor, from byte `offset` on. */
export function asValue({ desc, bytes, address }: EngineTensor, dims: readonly number[], offset: number): Value {
  return { ...fixedValue(desc, dims, bytes, address), offset };
}

/** A value in memory that the plan does not own. */
export function fixedValue(desc: Desc, dims: readonly number[], bytes: number, address: bigint): Value {
  return { desc, dims, buffer: { bytes, address, firstStep: 0, lastStep: Infinity } };
}
