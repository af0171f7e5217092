/** Interface between the WebAssembly engine and its kinds of operations. */
import type { AnyOp, Op, OpKind } from "../../engine.ts";
import { type Borders, type Extents, type FeatureMap, newMap, operand } from "../featureMap.ts";
import type { Kernels } from "../kernelModule.ts";
import type { Plan } from "../plan.ts";
import type { Layout } from "../weights.ts";

/** Build context of all operations of a program. */
export interface BuildContext {
  readonly plan: Plan;
  readonly kernels: Kernels;
  readonly batchSize: number;
  readonly training: boolean;
  /** Requires scratch memory of each thread. */
  scratch(bytes: number): void;
  /** True if an operation's statistics are those of the batch in training passes. */
  usesBatchStatistics(operation: string): boolean;
  /** Adds a check of the number of images before each training pass. */
  checkTraining(check: (images: number) => void): void;
  /** Address of a parameter or running statistic, and of its gradient if it is trained. */
  parameter(
    operation: string,
    role: "weight" | "bias" | "running_mean" | "running_var",
    layout: Layout,
  ): StoredAddresses;
}

/** Addresses of a parameter. */
export interface StoredAddresses {
  readonly value: number;
  readonly gradient: number | undefined;
}

/** An operation's place in the chain. */
export interface Site {
  /** The following operation, for fusing. */
  readonly next: AnyOp | undefined;
  /** Borders that the reader of the output wants, if the operation covers `covers` operations of the chain. */
  outputBorders(covers: number): Borders;
  /** The gradient of the input is computed. */
  readonly needsInputGradient: boolean;
  /** Borders that the gradient of the input is to have. */
  readonly inputGradientBorders: Borders;
}

/** An operation whose forward steps are in the plan, and a function to add its backward steps. */
export interface Built {
  readonly output: FeatureMap;
  /** Number of operations of the chain that it computes: 2 if the next one is fused into it. */
  readonly covers: number;
  /** Borders that the gradient of its output is to have. */
  readonly gradientBorders: Borders;
  /**
   * Adds the backward steps, from the gradient of `output`, which may be overwritten. Called only if the gradient of the input or of a parameter is
   * needed. Returns the gradient of the input, or undefined if it is not needed.
   */
  backward(gradient: FeatureMap): FeatureMap | undefined;
}

/** Adds an operation to a plan. */
export type Builder<K extends OpKind> = (context: BuildContext, op: Op<K>, input: FeatureMap, site: Site) => Built;

/** An operation without steps. */
export function passThrough(input: FeatureMap, { inputGradientBorders }: Site): Built {
  return { output: input, covers: 1, gradientBorders: inputGradientBorders, backward: (gradient) => gradient };
}

/** A new map of a program. */
export function mapOf(
  { plan, kernels, batchSize }: BuildContext,
  extents: Extents,
  borders?: Borders,
  lanes?: number,
): FeatureMap {
  return newMap(plan, kernels, batchSize, extents, borders, lanes);
}

/** Adds y ← f(x, z, constant), value by value, with a kernel that passes over rows. */
export function addRows(
  { plan }: BuildContext,
  work: string,
  kernel: Kernels["copy"],
  {
    x,
    y,
    z = x,
    constant = 0,
  }: { readonly x: FeatureMap; readonly y: FeatureMap; readonly z?: FeatureMap; readonly constant?: number },
): void {
  plan.add(work, kernel, {
    rows: y.height,
    rowBytes: y.width * y.pixelBytes,
    constant: { float: constant },
    ...operand("x", x),
    ...operand("z", z),
    ...operand("y", y),
  });
}

function hasBorders({ borders }: FeatureMap, { top, left, bottom, right }: Borders): boolean {
  return borders.top === top && borders.left === left && borders.bottom === bottom && borders.right === right;
}

/** The map with given borders: itself if it has them, otherwise a copy. */
export function withBorders(context: BuildContext, map: FeatureMap, borders: Borders): FeatureMap {
  if (hasBorders(map, borders)) return map;
  const copy = mapOf(context, map, borders, map.lanes);
  addRows(context, "copy", context.kernels.copy, { x: map, y: copy });
  return copy;
}
