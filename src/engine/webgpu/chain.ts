/** Adds a chain of operations to a plan, forward and backward. */
import { hoistMaxPool } from "../../hoistMaxPool.ts";
import { learned } from "../../learned.ts";
import { sizeOf } from "../../shape.ts";
import type { AnyOp, CompileRequest, OpKind } from "../engine.ts";
import { activationHelpers, binaryGradient, softmaxGradient, transposed } from "./kernels/elements.ts";
import { build } from "./ops/builders.ts";
import {
  addElements,
  addGradient,
  type BuildContext,
  type Built,
  extentsOf,
  type FeatureMap,
  mapOf,
  read,
  sizeOfMap,
  write,
} from "./ops/op.ts";
import { keep, Plan, type PlanLimits, type PlannedBuffer } from "./plan.ts";
import type { Layout } from "./weights.ts";

/** A parameter, and its gradient if it is trained. */
export interface PlannedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly value: PlannedBuffer;
  readonly gradient: PlannedBuffer | undefined;
  /** True for a statistic that training passes update. */
  readonly isUpdated: boolean;
}

/** The kernels of a program, and the buffers that the host writes and reads. */
export interface PlannedChain {
  readonly plan: Plan;
  readonly parameters: readonly PlannedParameter[];
  /** Plain images and outputs. */
  readonly images: PlannedBuffer;
  readonly output: PlannedBuffer;
  /** The number of kernels of the forward pass, after which those of the loss and of the backward pass follow. */
  readonly forwardEnd: number;
  readonly lossEnd: number;
  /** For training: targets, the gradient of the plain output, the plain gradient of the images. */
  readonly targets?: PlannedBuffer;
  readonly positiveWeights?: PlannedBuffer | undefined;
  readonly outputGradient?: PlannedBuffer;
  readonly inputGradient?: PlannedBuffer | undefined;
  /** Throws ShapeError for a training pass of a number of images that has no statistics. */
  checkTraining(images: number): void;
}

interface Link extends Built {
  readonly name: string;
  /** The backward pass reaches it. */
  readonly isReached: boolean;
}

/** Plans a chain of operations. */
export function planChain(request: CompileRequest, limits: PlanLimits, training: boolean): PlannedChain {
  const { batchSize, inputShape, frozen = [] } = request;
  const plan = new Plan(limits);
  const parameters = new Map<string, PlannedParameter>();
  const trains = (operation: string) => training && !frozen.includes(operation);
  const checks: ((images: number) => void)[] = [];
  const checkTraining = (images: number) => {
    for (const check of checks) check(images);
  };
  const context: BuildContext = {
    plan,
    batchSize,
    training,
    limits,
    parameter: parameterOf(plan, request, trains, parameters),
    usesBatchStatistics: trains,
    checkTraining: (check) => void checks.push(check),
  };
  const images = plan.kept(4 * batchSize * sizeOf(inputShape));
  const input = addReordered(context, images, extentsOf(inputShape), "fromPlain");
  const { links, last } = addForward(context, request, input);
  plan.enter("loss", "forward");
  // Read after the last kernel, and by the kernel of the loss.
  const output = keep(addReordered(context, last.buffer, last, "toPlain").buffer);
  const forwardEnd = plan.dispatches.length;
  const common = { plan, images, output, forwardEnd, parameters: [...parameters.values()], checkTraining };
  if (!training) return { ...common, lossEnd: forwardEnd };
  const loss = addLoss(context, request, output);
  const lossEnd = plan.dispatches.length;
  const inputGradient = addBackward(context, request, links, last, loss.outputGradient);
  return { ...common, ...loss, inputGradient, lossEnd };
}

function addForward(context: BuildContext, request: CompileRequest, input: FeatureMap) {
  const { frozen = [], inputGradient = false } = request;
  const ops = hoistMaxPool(request.ops);
  const firstTrained = ops.findIndex((op) => learned(op.parameters).length > 0 && !frozen.includes(op.name));
  const isReached = (i: number) => context.training && (inputGradient || (firstTrained >= 0 && i >= firstTrained));
  const links: Link[] = [];
  let last = input;
  for (let i = 0; i < ops.length; i += links.at(-1)?.covers ?? 1) {
    const op = ops[i] as AnyOp;
    context.plan.enter(op.name, "forward");
    const built = build<OpKind>(context, op, last, {
      next: ops[i + 1],
      needsInputGradient: isReached(i) && (inputGradient || i > firstTrained),
    });
    links.push({ ...built, name: op.name, isReached: isReached(i) });
    last = built.output;
  }
  return { links, last };
}

/** Adds the backward pass. Returns the plain gradient of the images if it is requested. */
function addBackward(
  context: BuildContext,
  { inputGradient = false, inputShape }: CompileRequest,
  links: readonly Link[],
  last: FeatureMap,
  outputGradient: PlannedBuffer,
): PlannedBuffer | undefined {
  const { plan } = context;
  const isReached = inputGradient || links.some((link) => link.isReached);
  if (!isReached) return undefined;
  plan.enter("loss", "backwardData");
  let gradient: FeatureMap | undefined = addReordered(context, outputGradient, last, "fromPlain");
  // No operation follows that a fused ReLU could leave its gradient to.
  if (last.isRectified) {
    gradient = addGradient(context, "activation", last, [read("dy", gradient.buffer)], { body: "let sum = dy[i];" });
  }
  for (const { name, isReached, backward } of links.toReversed()) {
    if (!isReached || !gradient) break;
    plan.enter(name, "backwardData");
    gradient = backward(gradient);
  }
  if (!inputGradient || !gradient) return undefined;
  plan.enter("input", "backwardData");
  return keep(addReordered(context, gradient.buffer, extentsOf(inputShape), "toPlain").buffer);
}

/** Copies between plain values [image, channel, y, x] and a map; the same memory if there is one channel or one pixel. */
function addReordered(
  context: BuildContext,
  from: PlannedBuffer,
  extents: Pick<FeatureMap, "channels" | "height" | "width">,
  direction: "fromPlain" | "toPlain",
): FeatureMap {
  const { channels, height, width } = extents;
  const pixels = height * width;
  if (channels === 1 || pixels === 1) return { buffer: from, channels, height, width, isRectified: false };
  const target = mapOf(context, extents);
  const [rows, columns] = direction === "fromPlain" ? [channels, pixels] : [pixels, channels];
  addElements(context, "copy", [read("xs", from), write("ys", target.buffer)], {
    each: sizeOfMap(extents),
    body: `ys[i] = ${transposed("xs", rows, columns)};`,
  });
  return target;
}

/** Adds the gradient of the loss with respect to the plain output; no kernel for outputs other than [classes]. */
function addLoss(context: BuildContext, { batchSize, loss, ops, inputShape }: CompileRequest, output: PlannedBuffer) {
  const { plan } = context;
  const outputShape = ops.at(-1)?.outputShape ?? inputShape;
  const bytes = 4 * batchSize * sizeOf(outputShape);
  const outputGradient = plan.kept(bytes);
  const targets = plan.kept(bytes);
  const positiveWeights = loss ? plan.kept(4 * sizeOf(outputShape)) : undefined;
  const [classes = 1] = outputShape;
  plan.enter("loss", "forward");
  const operands = [read("logits", output), read("targets", targets), write("dy", outputGradient)];
  if (positiveWeights) {
    addElements(context, "loss", [...operands, read("weights", positiveWeights)], {
      each: classes,
      body: binaryGradient(classes),
      helpers: activationHelpers,
    });
  } else if (outputShape.length === 1) {
    plan.add({ work: "loss", operands, code: softmaxGradient(operands, classes), workgroups: (images) => images });
  }
  return { outputGradient, targets, positiveWeights };
}

function parameterOf(
  plan: Plan,
  { ops }: CompileRequest,
  trains: (operation: string) => boolean,
  parameters: Map<string, PlannedParameter>,
): BuildContext["parameter"] {
  return (operation, role, layout) => {
    const name = `${operation}.${role}`;
    const declared = ops.flatMap((op) => op.parameters).find((parameter) => parameter.name === name);
    const { shape = [], isStatistic = false } = declared ?? {};
    const bytes = 4 * layout.length;
    const gradient = trains(operation) && !isStatistic ? plan.kept(bytes) : undefined;
    const isUpdated = trains(operation) && isStatistic;
    const parameter = { name, shape, layout, value: plan.kept(bytes), gradient, isUpdated };
    parameters.set(name, parameter);
    return parameter;
  };
}
