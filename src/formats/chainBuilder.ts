/** Builds a network layer by layer, with its tensors, from another program's file. */
import { nonFiniteRemedy } from "../checkpoint/tensorStore.ts";
import { CheckpointError, UnsupportedError } from "../errors.ts";
import { nonFiniteProblem } from "../finite.ts";
import { conv2d, flatten, linear } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import { type HeadName, withoutHeadLayer } from "../network/head.ts";
import { type Network, place } from "../network/network.ts";
import { equalShapes, type Shape, sizeOf } from "../shape.ts";

/** A chain of layers under construction. `shape` is the output shape of one image in the file's terms, with any number of axes. */
export interface ChainBuilder {
  readonly shape: Shape;
  /** Adds a layer whose output has the given shape, by default the input's. */
  add(layer: AnyLayer, shape?: Shape): void;
  /** Adds a layer with weight and bias; a missing bias is filled with zeros. */
  addWeighted(layer: AnyLayer, weight: Float32Array, bias: Float32Array | undefined, shape: Shape): void;
  /** output ← scale[o] · output + shift[o]. Folded into the last layer if it has parameters, else added as a convolution. */
  scaleAndShift(name: string, scale: Float64Array | undefined, shift: Float64Array): void;
  /** Ends the chain with a head. Throws UnsupportedError, beginning with `what`, if the output has more than one axis. */
  endIn(head: HeadName, what: string): void;
  /** Returns a layer name that is not in use. */
  unusedName(wanted: string): string;
  /** Records a deviation from the file. */
  note(text: string): void;
  /** Throws UnsupportedError without layers, ShapeError for a layer that does not fit, CheckpointError for a non-finite weight. */
  finish(name: string, source: string): FinishedChain;
}

/** A network with its tensors. `head` is the softmax or sigmoid at the file's end, which is not a layer. */
export interface FinishedChain {
  readonly network: Network;
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly head: HeadName | undefined;
}

/** `imageShape` has at most three axes; otherwise throws UnsupportedError, beginning with `origin`. */
export function createChainBuilder(imageShape: Shape, origin: string): ChainBuilder {
  if (imageShape.length > 3) {
    throw new UnsupportedError(
      `${origin}: the input has ${imageShape.length + 1} axes, batch included; expected at most 4`,
    );
  }
  const [channels = 1, height = 1, width = 1] = imageShape;
  const layers: AnyLayer[] = [];
  const tensors = new Map<string, Float32Array>();
  const notes: string[] = [];
  const names = new Set<string>();
  let shape = imageShape;
  let head: HeadName | undefined;
  const refuseAfterHead = (name: string) => {
    if (head)
      throw new UnsupportedError(
        `${origin}: ${name}: expected ${head} as the last operation, found this layer after it`,
      );
  };
  const add = (layer: AnyLayer, next: Shape = shape) => {
    refuseAfterHead(layer.name);
    names.add(layer.name);
    layers.push(layer);
    shape = next;
  };
  const builder: ChainBuilder = {
    get shape() {
      return shape;
    },
    add,
    addWeighted(layer, weight, bias, next) {
      add(layer, next);
      tensors.set(`${layer.name}.weight`, weight);
      tensors.set(`${layer.name}.bias`, bias ?? new Float32Array(next[0] as number));
    },
    endIn(kind, what) {
      refuseAfterHead(what);
      if (shape.length !== 1) throw new UnsupportedError(`${what}: not supported: over [N, ${shape.join(", ")}]`);
      head = kind;
    },
    scaleAndShift(name, scale, shift) {
      refuseAfterHead(name);
      const last = layers.at(-1);
      const bias = last && tensors.get(`${last.name}.bias`);
      if (last && bias) return scaleParameters(tensors, last.name, scale, shift);
      if (shape.length !== 3) throw new UnsupportedError(`${origin}: ${name}: expected a layer with weights before it`);
      const ones = scale ?? new Float64Array(shift.length).fill(1);
      const layer = conv2d(name, { outChannels: shift.length, kernelSize: 1, groups: shift.length });
      notes.push(`${name}: converted to a 1×1 depthwise convolution`);
      builder.addWeighted(layer as AnyLayer, Float32Array.from(ones), Float32Array.from(shift), shape);
    },
    unusedName(wanted) {
      let name = wanted;
      for (let i = 2; names.has(name); i++) name = `${wanted}_${i}`;
      return name;
    },
    note(text) {
      notes.push(text);
    },
    finish(name, source) {
      if (layers.length === 0) throw new UnsupportedError(`${origin}: expected a model with layers, got none`);
      const whole: Network = { name, source, deviations: notes, input: [channels, height, width], layers };
      checkTensors(whole, tensors, origin);
      return { network: whole, head, ...(head ? undefined : withoutHeadLayer(whole)), tensors };
    },
  };
  // The layers' own shape must be flat too if the file's has one axis.
  if (imageShape.length === 1) add(flatten("flatten") as AnyLayer);
  return builder;
}

function scaleParameters(
  tensors: Map<string, Float32Array>,
  layer: string,
  scale: Float64Array | undefined,
  shift: Float64Array,
): void {
  const weight = tensors.get(`${layer}.weight`) as Float32Array;
  const bias = tensors.get(`${layer}.bias`) as Float32Array;
  const fanIn = weight.length / bias.length;
  if (scale)
    tensors.set(
      `${layer}.weight`,
      weight.map((w, i) => w * (scale[Math.floor(i / fanIn)] as number)),
    );
  tensors.set(
    `${layer}.bias`,
    bias.map((b, o) => b * (scale?.[o] ?? 1) + (shift[o] as number)),
  );
}

/** Throws UnsupportedError for a parameter of the wrong size, CheckpointError for one that is not finite. */
function checkTensors(network: Network, tensors: ReadonlyMap<string, Float32Array>, origin: string): void {
  for (const { layer, parameters } of place(network)) {
    for (const { name, shape } of parameters) {
      const what = `${origin}: ${layer.name}.${name}`;
      const values = tensors.get(`${layer.name}.${name}`);
      if (values?.length !== sizeOf(shape)) {
        throw new UnsupportedError(`${what}: expected [${shape.join(", ")}], got ${values?.length} values`);
      }
      const problem = nonFiniteProblem(values);
      if (problem !== undefined) throw new CheckpointError(`${what}: ${problem}; ${nonFiniteRemedy}`);
    }
  }
}

/** Adds a linear layer; `weight` is [outFeatures, inFeatures]. Throws UnsupportedError, beginning with `what`, if the input is not flat. */
export function addLinear(
  builder: ChainBuilder,
  name: string,
  weight: Float32Array,
  inFeatures: number,
  bias: Float32Array | undefined,
  what: string,
): void {
  if (!equalShapes(builder.shape, [inFeatures])) {
    throw new UnsupportedError(`${what}: expected an input [${inFeatures}], got [${builder.shape.join(", ")}]`);
  }
  const outFeatures = weight.length / inFeatures;
  builder.addWeighted(linear(name, { outFeatures }) as AnyLayer, weight, bias, [outFeatures]);
}
