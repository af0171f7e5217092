/** Interface between the WebGPU engine and its kinds of operations. */
import type { AnyOp, Op, OpKind } from "../../engine.ts";
import { elementwise, type Operand, THREADS } from "../kernels/wgsl.ts";
import type { Bound, Plan, PlanLimits, PlannedBuffer } from "../plan.ts";
import type { Layout } from "../weights.ts";

/** A map of every image of the batch: [image, y, x, channel] without padding. A vector is one pixel. */
export interface FeatureMap {
  readonly buffer: PlannedBuffer;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Output of a fused ReLU: the gradient of the map is to be 0 where the map is. */
  readonly isRectified: boolean;
}

/** Build context of all operations of a program. */
export interface BuildContext {
  readonly plan: Plan;
  readonly batchSize: number;
  readonly training: boolean;
  readonly limits: PlanLimits;
  /** Memory of a parameter, and of its gradient if it is trained. */
  parameter(operation: string, role: ParameterRole, layout: Layout): StoredBuffers;
  /** True if training passes normalize by the statistics of their batch. */
  usesBatchStatistics(operation: string): boolean;
  /** Adds a check of the number of images of a training pass. */
  checkTraining(check: (images: number) => void): void;
}

type ParameterRole = "weight" | "bias" | "running_mean" | "running_var";

export interface StoredBuffers {
  readonly value: PlannedBuffer;
  readonly gradient: PlannedBuffer | undefined;
}

/** An operation's place in the chain. */
export interface Site {
  /** The following operation, if it can be fused. */
  readonly next: AnyOp | undefined;
  /** The gradient of the input is computed. */
  readonly needsInputGradient: boolean;
}

/** An operation whose forward kernels are in the plan, and a function to add its backward kernels. */
export interface Built {
  readonly output: FeatureMap;
  /** Number of operations of the chain that it computes: 2 if the next one is fused into it. */
  readonly covers: number;
  /**
   * Adds the backward kernels, from the gradient of `output`. Called only if the gradient of the input or of a parameter is needed. Returns the gradient of
   * the input, or undefined if it is not needed.
   */
  backward(gradient: FeatureMap): FeatureMap | undefined;
}

/** Adds an operation to a plan. */
export type Builder<K extends OpKind> = (context: BuildContext, op: Op<K>, input: FeatureMap, site: Site) => Built;

/** An operation without kernels. */
export function passThrough(input: FeatureMap): Built {
  return { output: input, covers: 1, backward: (gradient) => gradient };
}

/** Extents of a shape without the batch. */
export function extentsOf(shape: readonly number[]) {
  const [channels = 1, height = 1, width = 1] = shape;
  return { channels, height, width };
}

/** Values of a map for one image. */
export const sizeOfMap = ({ channels, height, width }: Omit<FeatureMap, "buffer" | "isRectified">): number =>
  channels * height * width;

/** A new map of the batch. */
export function mapOf(
  { plan, batchSize }: BuildContext,
  { channels, height, width }: Omit<FeatureMap, "buffer" | "isRectified">,
  isRectified = false,
): FeatureMap {
  const buffer = plan.buffer(4 * batchSize * sizeOfMap({ channels, height, width }));
  return { buffer, channels, height, width, isRectified };
}

/** An operand of a kernel, and its memory. */
export type Named = Operand & Bound;

export const read = (name: string, buffer: PlannedBuffer, element: Operand["element"] = "f32"): Named => ({
  name,
  buffer,
  access: "read",
  element,
});
export const write = (name: string, buffer: PlannedBuffer, element: Operand["element"] = "f32"): Named => ({
  name,
  buffer,
  access: "write",
  element,
});

/** WGSL of a kernel: its body, and functions that it calls. */
interface Text {
  readonly body: string;
  readonly helpers?: string;
}

/** Adds a kernel with `count` threads. */
export function addCount(
  { plan }: BuildContext,
  work: string,
  operands: readonly Named[],
  { count, ...text }: Text & { readonly count: number },
): void {
  const workgroups = Math.ceil(count / THREADS);
  plan.add({
    work,
    operands,
    code: elementwise(operands, { count: `${count}u`, ...text }),
    workgroups: () => workgroups,
  });
}

/** Adds a kernel with one thread for each of `each` elements of an image. */
export function addElements(
  { plan }: BuildContext,
  work: string,
  operands: readonly Named[],
  { each, ...text }: Text & { readonly each: number },
): void {
  plan.add({
    work,
    operands,
    code: elementwise(operands, { count: `step.images * ${each}`, ...text }),
    workgroups: (images) => Math.ceil((images * each) / THREADS),
  });
}

/** The gradient of a map, filled by a kernel whose body leaves it in `sum`; 0 where a rectified map is. */
export function addGradient(
  context: BuildContext,
  work: string,
  input: FeatureMap,
  operands: readonly Named[],
  { body, helpers = "" }: Text,
): FeatureMap {
  const target = mapOf(context, input);
  const known = operands.find(({ buffer }) => buffer === input.buffer)?.name;
  const mask = input.isRectified && !known ? [read("mask", input.buffer)] : [];
  const value = input.isRectified ? `select(0, sum, ${known ?? "mask"}[i] > 0)` : "sum";
  addElements(context, work, [...operands, ...mask, write("dx", target.buffer)], {
    each: sizeOfMap(input),
    body: `${body}\n  dx[i] = ${value};`,
    helpers,
  });
  return target;
}
