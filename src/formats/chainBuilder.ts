/** Builds a network layer by layer from a file of another program, with its tensors. */
import { nonFiniteRemedy } from "../checkpoint/tensorStore.ts";
import { CheckpointError, UnsupportedError } from "../errors.ts";
import { nonFiniteProblem } from "../finite.ts";
import { conv2d, flatten, linear } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import { type HeadName, withoutHeadLayer } from "../network/head.ts";
import { type Network, place } from "../network/network.ts";
import { equalShapes, type Shape, sizeOf } from "../shape.ts";

/** The chain so far. `shape` is that of one image, in the file's own terms: it may have any number of axes. */
export interface ChainBuilder {
  readonly shape: Shape;
  /** Adds a layer that keeps the shape, or gives `shape`. */
  add(layer: AnyLayer, shape?: Shape): void;
  /** Adds a layer with its weight and bias; a bias of zeros if there is none. */
  addWeighted(layer: AnyLayer, weight: Float32Array, bias: Float32Array | undefined, shape: Shape): void;
  /** output ← scale[o] · output + shift[o], by a layer's parameters: the last one's if it has any, else those of a convolution of its own. */
  scaleAndShift(name: string, scale: Float64Array | undefined, shift: Float64Array): void;
  /** Ends the chain: nothing may follow but the output. Throws UnsupportedError, beginning with `what`, if the chain is not flat. */
  endIn(head: HeadName, what: string): void;
  /** A name that no layer has. */
  unusedName(wanted: string): string;
  /** Says what is written in another way than in the file. */
  note(text: string): void;
  /** Throws UnsupportedError if there is no layer, ShapeError if one does not fit, CheckpointError if a weight is not finite. */
  finish(name: string, source: string): FinishedChain;
}

/** A network with its tensors. `head` is the one that the file ends in: a sigmoid at the end is no layer. */
export interface FinishedChain {
  readonly network: Network;
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly head: HeadName | undefined;
}

/** `imageShape` may have up to three axes. Throws UnsupportedError, beginning with `origin`, if it has more. */
export function createChainBuilder(imageShape: Shape, origin: string): ChainBuilder {
  if (imageShape.length > 3) {
    throw new UnsupportedError(
      `${origin}: the input has ${imageShape.length + 1} axes, batch included; networks here take up to 4`,
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
    if (head) throw new UnsupportedError(`${origin}: ${name}: a ${head} stands before it, not at the end`);
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
      if (shape.length !== 3)
        throw new UnsupportedError(`${origin}: ${name}: no layer with weights before it to scale`);
      const ones = scale ?? new Float64Array(shift.length).fill(1);
      const layer = conv2d(name, { outChannels: shift.length, kernelSize: 1, groups: shift.length });
      notes.push(`${name}: written as a 1×1 convolution of each channel by itself`);
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
      if (layers.length === 0) throw new UnsupportedError(`${origin}: the model has no layer of any kind`);
      const whole: Network = { name, source, deviations: notes, input: [channels, height, width], layers };
      checkTensors(whole, tensors, origin);
      return { network: whole, head, ...(head ? undefined : withoutHeadLayer(whole)), tensors };
    },
  };
  // What has one axis here must be flat for the layers too.
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

/** Throws UnsupportedError naming a parameter whose size is not that of the network's, CheckpointError for one that is not finite. */
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

/** Adds a linear layer; `weight` is [outFeatures, inFeatures]. Throws UnsupportedError, beginning with `what`, if the chain is not flat. */
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
