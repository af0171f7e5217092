/** Adds a chain of operations to a plan, forward and backward. */
import { hoistMaxPool } from "../../hoistMaxPool.ts";
import { learned } from "../../learned.ts";
import { sizeOf } from "../../shape.ts";
import type { AnyOp, CompileRequest, OpKind } from "../engine.ts";
import { type Borders, extentsOf, type FeatureMap, noBorders, operand } from "./featureMap.ts";
import type { Kernels } from "./kernelModule.ts";
import { build, inputBorders, lanesOfInput } from "./ops/builders.ts";
import { type BuildContext, type Built, mapOf } from "./ops/op.ts";
import type { Place, Plan } from "./plan.ts";
import type { EngineTensor } from "./tensors.ts";
import type { Layout } from "./weights.ts";

/** A chain added to a plan, forward only. */
export interface Forward {
  readonly context: BuildContext;
  readonly parameters: ReadonlyMap<string, StoredParameter>;
  /** Plain images, which the first step reads, and the address of plain outputs. */
  readonly images: Place;
  readonly output: number;
  readonly chain: readonly Link[];
  /** Throws ShapeError for a training pass of a number of images that has no statistics. */
  checkTraining(images: number): void;
  /** Bytes of scratch memory of each thread. */
  scratchBytes(): number;
}

interface Link extends Built {
  readonly name: string;
  /** The backward pass reaches it. */
  readonly isReached: boolean;
}

/** A parameter, and its gradient if it is trained. */
export interface StoredParameter {
  readonly name: string;
  readonly value: EngineTensor;
  readonly gradient: EngineTensor | undefined;
}

/** Adds every operation's forward steps. */
export function addForward(plan: Plan, kernels: Kernels, request: CompileRequest, training: boolean): Forward {
  const { batchSize, inputShape, frozen = [], inputGradient = false } = request;
  const ops = hoistMaxPool(request.ops);
  const parameters = new Map<string, StoredParameter>();
  let scratchBytes = 0;
  const checks: ((images: number) => void)[] = [];
  const context: BuildContext = {
    plan,
    kernels,
    batchSize,
    training,
    scratch(bytes) {
      scratchBytes = Math.max(scratchBytes, bytes);
    },
    usesBatchStatistics: (operation) => training && !frozen.includes(operation),
    checkTraining: (check) => void checks.push(check),
    parameter: parameterOf(plan, ops, (operation) => training && !frozen.includes(operation), parameters),
  };
  const firstTrained = ops.findIndex((op) => learned(op.parameters).length > 0 && !frozen.includes(op.name));
  const isReached = (i: number) => training && (inputGradient || (firstTrained >= 0 && i >= firstTrained));
  const needsInputGradient = (i: number) => isReached(i) && (inputGradient || i > firstTrained);
  const bordersOf = (i: number) => {
    const op = ops[i];
    return op ? inputBorders<OpKind>(op) : noBorders;
  };
  const images = { buffer: plan.buffer(4 * batchSize * sizeOf(inputShape)), offset: 0 };
  // Written before the first step.
  images.buffer.firstStep = 0;
  let map = addInput(context, ops[0], images, request, bordersOf(0), needsInputGradient(0));
  const chain: Link[] = [];
  for (let i = 0; i < ops.length; i += chain.at(-1)?.covers ?? 1) {
    const op = ops[i] as AnyOp;
    plan.enter(op.name, "forward");
    const built = build<OpKind>(context, op, map, {
      next: ops[i + 1],
      outputBorders: (covers) => bordersOf(i + covers),
      needsInputGradient: needsInputGradient(i),
      inputGradientBorders: chain.at(-1)?.gradientBorders ?? noBorders,
    });
    chain.push({ ...built, name: op.name, isReached: isReached(i) });
    map = built.output;
  }
  const output = plan.heap.allocate(4 * batchSize * map.channels * map.height * map.width);
  plan.enter("loss", "forward");
  plan.add("copy", kernels.toPlain, plainArguments(output, map));
  return {
    ...{ context, parameters, images, output, chain },
    checkTraining(images) {
      for (const check of checks) check(images);
    },
    scratchBytes: () => Math.ceil(scratchBytes / 64) * 64,
  };
}

/** The images with channels last. */
function addInput(
  context: BuildContext,
  first: AnyOp | undefined,
  images: Place,
  { inputShape }: CompileRequest,
  borders: Borders,
  hasGradient: boolean,
): FeatureMap {
  context.plan.enter("input", "forward");
  const lanes = first && !hasGradient ? lanesOfInput<OpKind>(first) : undefined;
  const map = mapOf(context, extentsOf(inputShape), borders, lanes);
  context.plan.add("copy", context.kernels.fromPlain, plainArguments(images, map));
  return map;
}

function plainArguments(plain: number | Place, map: FeatureMap) {
  const { channels, height: rows, width: columns } = map;
  return { plain, ...operand("y", map), channels, rows, columns };
}

/** Provides builders with their parameters, allocated at the first request. */
function parameterOf(
  { heap }: Plan,
  ops: readonly AnyOp[],
  hasGradient: (operation: string) => boolean,
  parameters: Map<string, StoredParameter>,
): BuildContext["parameter"] {
  const declared = new Map(ops.flatMap((op) => op.parameters.map((p) => [p.name, p])));
  return (operation, role, layout: Layout) => {
    const name = `${operation}.${role}`;
    const { shape = [], isStatistic = false } = declared.get(name) ?? {};
    const make = (title: string): EngineTensor => ({
      name: title,
      parameter: name,
      shape,
      layout,
      address: heap.allocate(4 * layout.length),
    });
    const value = make(name);
    const gradient = hasGradient(operation) && !isStatistic ? make(`gradient of ${name}`) : undefined;
    parameters.set(name, { name, value, gradient });
    return { value: value.address, gradient: gradient?.address };
  };
}

/** A chain's backward pass. */
export interface Backward {
  /** Address of the plain gradient of the output, which the caller writes. */
  readonly outputGradient: number;
  /** Address of the plain gradient of the images, if it is wanted. */
  readonly inputGradient: number | undefined;
}

/** Adds the backward steps, down to the first trained operation, or to the input if its gradient is requested. */
export function addBackward({ context, chain }: Forward, request: CompileRequest): Backward {
  const { plan, kernels, batchSize } = context;
  const { inputShape, inputGradient = false } = request;
  const last = chain.at(-1);
  const outputShape = request.ops.at(-1)?.outputShape ?? inputShape;
  const outputGradient = plan.heap.allocate(4 * batchSize * sizeOf(outputShape));
  plan.enter("loss", "backwardData");
  const extents = last?.output ?? extentsOf(inputShape);
  let gradient: FeatureMap | undefined = mapOf(context, extents, last?.gradientBorders);
  plan.add("copy", kernels.fromPlain, plainArguments(outputGradient, gradient));
  for (const link of chain.toReversed()) {
    if (!gradient || !link.isReached) break;
    plan.enter(link.name, "backwardData");
    gradient = link.backward(gradient);
  }
  if (!inputGradient || !gradient) return { outputGradient, inputGradient: undefined };
  const plain = plan.heap.allocate(4 * batchSize * sizeOf(inputShape));
  plan.enter("input", "backwardData");
  plan.add("copy", kernels.toPlain, plainArguments(plain, gradient));
  return { outputGradient, inputGradient: plain };
}
