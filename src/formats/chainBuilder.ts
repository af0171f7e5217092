/** Builds a network layer by layer, with its tensors, from another program's file. */
import { UnsupportedError } from "../errors.ts";
import { conv2d, flatten, linear } from "../layers/kinds.ts";
import type { Affine, AnyLayer } from "../layers/layer.ts";
import { type HeadName, withoutHeadLayer } from "../network/head.ts";
import type { Network } from "../network/network.ts";
import { equalShapes, type Shape, sizeOf } from "../shape.ts";
import { composed, foldedBefore } from "./affine.ts";
import { axesOfImage, imageOf, isInOrder, looksChannelsLast, orderOf, wideExtents } from "./chainAxes.ts";
import { checkTensors, foldAffines } from "./chainTensors.ts";
import type { Assumptions } from "./format.ts";
import { reorderedColumns } from "./values.ts";

/** A network with its tensors. `head` is the softmax or sigmoid at the file's end, which is not a layer. */
export interface FinishedChain {
  readonly network: Network;
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly head: HeadName | undefined;
  readonly assumptions?: Assumptions;
}

/** Facts about a chain's input. */
export interface ChainOptions {
  /** True if the file's images are [height, width, channels]; the network's are [channels, height, width]. */
  readonly isChannelsLast?: boolean;
  /** Height and width of the images of a file whose input is a vector. */
  readonly inputSize?: number | undefined;
}

/** Padding of maps before the next convolution or pool; `before` and `after` are of the axes of `shape`. */
export interface MapPadding {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly value: number;
  /** Beginning of messages. */
  readonly what: string;
}

/** Sign of a layer's outputs: any, never negative, or that of its inputs. */
export type OutputSign = "any" | "nonNegative" | "kept";

/** A chain of layers under construction. Values have the file's axes, which a transposition orders differently from the network's. */
export class ChainBuilder {
  readonly #origin: string;
  readonly #options: ChainOptions;
  readonly #layers: AnyLayer[] = [];
  readonly #tensors = new Map<string, Float32Array>();
  /** Folded into the parameters once, at the end. */
  readonly #affines = new Map<string, Affine>();
  readonly #notes: string[] = [];
  readonly #names = new Set<string>();
  readonly #counters = new Map<string, number>();
  #assumptions: Assumptions | undefined;
  #input: Shape;
  /** Shape in the network's order of axes; axis i of the file is axis #axes[i] of it. */
  #shape: Shape;
  #axes: readonly number[];
  /** Place in the network of each element of a vector that was flattened in another order. */
  #order: Int32Array | undefined;
  /** A vector in the file's order; the next linear layer receives it. */
  #pending: (Affine & { readonly name: string }) | undefined;
  #padding: MapPadding | undefined;
  #isNonNegative = false;
  #head: HeadName | undefined;

  /** `imageShape` has at most three axes; otherwise throws UnsupportedError, beginning with `origin`. */
  constructor(imageShape: Shape, origin: string, options: ChainOptions = {}) {
    if (imageShape.length > 3) {
      throw new UnsupportedError(
        `${origin}: the input has ${imageShape.length + 1} axes, batch included; expected at most 4`,
      );
    }
    this.#origin = origin;
    this.#options = options;
    const isLast = options.isChannelsLast === true && imageShape.length === 3;
    [this.#shape, this.#axes] = axesOfImage(imageShape, isLast);
    this.#input = this.#shape;
    if (isLast)
      this.note(`input [${imageShape.join(", ")}] with channels last, converted to [${this.#shape.join(", ")}]`);
  }

  /** Shape of one image's value in the file's order of axes. */
  get shape(): Shape {
    return this.#axes.map((axis) => this.#shape[axis] as number);
  }
  /** True for maps in the network's order of axes, [channels, height, width]. */
  get isChannelsFirst(): boolean {
    const isOrdered = isInOrder(this.#axes, this.#shape) && equalShapes(this.shape, this.#shape);
    return this.#axes.length === 3 && isOrdered;
  }
  /** True if no value of the chain is negative. */
  get isNonNegative(): boolean {
    return this.#isNonNegative;
  }
  /** Axis of `shape` that counts channels, or features. */
  get channelAxis(): number {
    return this.#axes.indexOf(0);
  }

  /**
   * Adds a layer whose output has the shape `next` in the network's order of axes; by default it has the input's shape and order.
   *
   * Throws UnsupportedError after a head, or if a scale and shift wait for a linear layer.
   */
  add(layer: AnyLayer, next?: Shape, sign: OutputSign = "any"): void {
    if (this.#pending) throw this.#refusedAffine(this.#pending.name);
    this.addPassThrough(layer);
    if (sign !== "kept") this.#isNonNegative = sign === "nonNegative";
    if (!next) return;
    this.#axes = next.map((_, axis) => axis);
    this.#shape = next;
  }
  /** Adds a layer that passes values through at evaluation, such as dropout. Throws UnsupportedError after a head. */
  addPassThrough(layer: AnyLayer): void {
    this.#refuseMisplaced(layer.name);
    if (this.#layers.length === 0) this.#start();
    this.#names.add(layer.name);
    this.#layers.push(layer);
  }
  /** Adds a layer with weight and bias, and the errors of `add`; a missing bias is filled with zeros. */
  addWeighted(layer: AnyLayer, weight: Float32Array, bias: Float32Array | undefined, next: Shape): void {
    this.add(layer, next);
    this.#tensors.set(`${layer.name}.weight`, weight);
    this.#tensors.set(`${layer.name}.bias`, bias ?? new Float32Array(next[0] as number));
  }
  /**
   * Adds a linear layer; `weight` is [outFeatures, inFeatures] in the file's order. Throws UnsupportedError, beginning with `what`, unless the
   * input is [inFeatures].
   */
  addLinear(
    name: string,
    weight: Float32Array,
    inFeatures: number,
    bias: Float32Array | undefined,
    what: string,
  ): void {
    if (!equalShapes(this.shape, [inFeatures])) {
      throw new UnsupportedError(`${what}: expected an input [${inFeatures}], got [${this.shape.join(", ")}]`);
    }
    const outFeatures = weight.length / inFeatures;
    const folded = this.#pending ? foldedBefore(weight, bias, this.#pending) : { weight, bias };
    const ordered = this.#order ? reorderedColumns(folded.weight, this.#order) : folded.weight;
    this.#pending = undefined;
    this.#order = undefined;
    this.addWeighted(linear(name, { outFeatures }) as AnyLayer, ordered, folded.bias, [outFeatures]);
  }
  /**
   * output ← scale[o] · output + shift[o]. Folded into the last layer if it has parameters, else into the next linear layer if the value is
   * flat, else added as a convolution.
   */
  scaleAndShift(name: string, scale: Float64Array | undefined, shift: Float64Array): void {
    this.#refuseMisplaced(name);
    this.#isNonNegative = false;
    const ones = scale ?? new Float64Array(shift.length).fill(1);
    const last = this.#layers.at(-1);
    if (last && this.#tensors.has(`${last.name}.bias`)) {
      this.#affines.set(last.name, composed(this.#affines.get(last.name), { scale: ones, shift }));
    } else if (this.#shape.length === 1) {
      this.#pending = { name, ...composed(this.#pending, { scale: ones, shift }) };
    } else if (this.#shape.length === 3) {
      const layer = conv2d(name, { outChannels: shift.length, kernelSize: 1, groups: shift.length });
      this.note(`${name}: converted to a 1×1 depthwise convolution`);
      const axes = this.#axes;
      this.addWeighted(layer as AnyLayer, Float32Array.from(ones), Float32Array.from(shift), this.#shape);
      this.#axes = axes;
    } else throw this.#refusedAffine(name);
  }

  /** Pads maps; the next layer must be a convolution or a pool that takes the padding. */
  pad(padding: MapPadding): void {
    this.#refuseMisplaced(padding.what);
    const inOrder = (extents: readonly number[]) =>
      this.#shape.map((_, axis) => extents[this.#axes.indexOf(axis)] ?? 0);
    this.#padding = { ...padding, before: inOrder(padding.before), after: inOrder(padding.after) };
  }
  /** The padding of `pad` in the network's order of axes, which the caller adds to its window. */
  takePadding(): MapPadding | undefined {
    const padding = this.#padding;
    this.#padding = undefined;
    return padding;
  }
  /** Orders the axes of a map as a transposition in the file: axis i becomes what was axis order[i]. */
  transpose(order: readonly number[]): void {
    this.#axes = order.map((axis) => this.#axes[axis] as number);
  }
  /** Flattens in the file's order of axes. */
  flatten(name: string): void {
    if (this.#shape.length === 1) return;
    if (this.#isVectorInput()) {
      this.#input = this.#shape = [sizeOf(this.#shape)];
      this.#axes = [0];
      return;
    }
    const [shape, axes] = [this.#shape, this.#axes];
    this.add(flatten(name) as AnyLayer, [sizeOf(shape)], "kept");
    if (!isInOrder(axes, shape)) this.#order = orderOf(axes, shape);
  }
  /** Reshapes as the file does; false unless that is exact: only axes of extent 1 move, or the input is a vector and becomes an image. */
  reshape(next: Shape): boolean {
    if (this.#padding) return false;
    if (next.length === 3 && this.#isVectorInput()) {
      const isLast = looksChannelsLast(next);
      const [first = 1, second = 1, third = 1] = next;
      this.note(
        `input [${this.#input.join(", ")}] reshaped to [${next.join(", ")}]${isLast ? " with channels last" : ""}`,
      );
      this.#input = this.#shape = isLast ? [third, first, second] : next;
      this.#axes = isLast ? [1, 2, 0] : [0, 1, 2];
      return true;
    }
    const isUnit = (axis: number) => this.#shape[axis] === 1;
    const absent = [...this.#shape.keys()].filter((axis) => !this.#axes.includes(axis));
    const units = [...absent, ...this.#axes.filter(isUnit)];
    const others = this.#axes.filter((axis) => !isUnit(axis));
    const isExact = equalShapes(wideExtents(next), wideExtents(this.shape));
    if (next.length < 2 || !isExact || next.length - others.length > units.length) return false;
    this.#axes = next.map((extent) => (extent === 1 ? units : others).shift() as number);
    return true;
  }
  /** True for an input whose values are all along one axis, before the first layer. */
  #isVectorInput(): boolean {
    return this.#layers.length === 0 && !this.#pending && wideExtents(this.#shape).length < 2;
  }

  /** Ends the chain with a head. Throws UnsupportedError, beginning with `what`, if the output has more than one axis. */
  endIn(kind: HeadName, what: string): void {
    this.#refuseMisplaced(what);
    if (this.#pending) throw this.#refusedAffine(this.#pending.name);
    if (this.#shape.length !== 1) {
      throw new UnsupportedError(`${what}: not supported: over [N, ${this.shape.join(", ")}]`);
    }
    this.#head = kind;
  }
  /** Returns a layer name that is not in use. */
  unusedName(wanted: string): string {
    let count = this.#counters.get(wanted) ?? 1;
    const name = () => (count === 1 ? wanted : `${wanted}_${count}`);
    while (this.#names.has(name())) count++;
    this.#counters.set(wanted, count);
    return name();
  }
  /** Records a deviation from the file. */
  note(text: string): void {
    this.#notes.push(text);
  }
  /** Throws UnsupportedError without layers, ShapeError for a layer that does not fit, CheckpointError for a non-finite weight. */
  finish(name: string, source: string): FinishedChain {
    if (this.#layers.length === 0) this.#start();
    if (this.#layers.length === 0)
      throw new UnsupportedError(`${this.#origin}: expected a model with layers, got none`);
    if (this.#pending) throw this.#refusedAffine(this.#pending.name);
    if (this.#padding) throw this.#refusedPadding(this.#padding);
    if (this.#order || !isInOrder(this.#axes, this.#shape)) {
      throw new UnsupportedError(
        `${this.#origin}: not supported: an output [N, ${this.shape.join(", ")}] of transposed maps`,
      );
    }
    foldAffines(this.#affines, this.#tensors);
    const [channels = 1, height = 1, width = 1] = this.#input;
    const input = [channels, height, width] as const;
    const whole: Network = { name, source, deviations: this.#notes, input, layers: this.#layers };
    checkTensors(whole, this.#tensors, this.#origin);
    const head = this.#head;
    const parted = head ? undefined : withoutHeadLayer(whole);
    const assumptions = this.#assumptions && { assumptions: this.#assumptions };
    return { network: whole, head, ...parted, tensors: this.#tensors, ...assumptions };
  }

  /** The layers' own shape must be flat too if the file's has one axis. */
  #start(): void {
    if (this.#shape.length !== 1) return;
    const features = this.#shape[0] as number;
    this.#layers.push(flatten("flatten") as AnyLayer);
    this.#names.add("flatten");
    const image = imageOf(features, this.#options.inputSize);
    if (!image) return;
    this.#input = image;
    const text = `input: the ${features} values of the file as an image of ${image.join("×")}, channels first`;
    this.#notes.push(text);
    this.#assumptions = { inputSize: text };
  }
  #refuseMisplaced(name: string): void {
    if (this.#padding) throw this.#refusedPadding(this.#padding);
    if (!this.#head) return;
    throw new UnsupportedError(
      `${this.#origin}: ${name}: expected ${this.#head} as the last operation, found this layer after it`,
    );
  }
  #refusedPadding({ what }: MapPadding): UnsupportedError {
    return new UnsupportedError(`${what}: not supported: expected a convolution or pool directly after it`);
  }
  #refusedAffine(name: string): UnsupportedError {
    return new UnsupportedError(`${this.#origin}: ${name}: expected a layer with weights before or after it`);
  }
}
