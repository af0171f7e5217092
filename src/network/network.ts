/** Networks as data: parsing, shape inference, and changes of input and classes. */
import * as z from "zod/mini";
import { bytesPerNumber, formatBytes, MAX_TENSOR_BYTES } from "../bytes.ts";
import type { AnyOp, OpKind, ParameterShape } from "../engine/engine.ts";
import { ConfigError, ShapeError } from "../errors.ts";
import type { Order } from "../hoistMaxPool.ts";
import type { Int8Effect } from "../int8.ts";
import { layerKinds, layerOf } from "../layers/kinds.ts";
import type { AnyLayer, KeptForBackward, Layer, ParameterDeclaration, Randomness } from "../layers/layer.ts";
import { parseJson, positiveInt, someText } from "../schema.ts";
import { formatShape, type Shape, sizeOf, WindowError } from "../shape.ts";
import { smallestThat } from "../smallest.ts";

/** A network as data. The same JSON defines it in files and in checkpoints. */
export interface Network {
  readonly name: string;
  /** Publication. */
  readonly source: string;
  /** Differences from that publication; empty if there are none. */
  readonly deviations: readonly string[];
  /** Shape of one image, [channels, height, width]. */
  readonly input: readonly [channels: number, height: number, width: number];
  /** In order: each layer's input is the output of the previous layer. */
  readonly layers: readonly AnyLayer[];
}

/** A layer with the shapes and parameters that follow from its place in a network. Shapes are of one image. */
export interface PlacedLayer {
  readonly layer: AnyLayer;
  readonly order: Order;
  readonly inInt8: Int8Effect;
  readonly keeps: KeptForBackward;
  readonly randomness: Randomness;
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly parameters: readonly ParameterDeclaration[];
}

const header = z.strictObject({
  name: someText,
  source: z._default(z.string(), ""),
  deviations: z._default(z.array(z.string()), []),
  input: z.tuple([positiveInt, positiveInt, positiveInt]),
  layers: z.array(z.looseObject({ name: someText, kind: z.string() })).check(z.minLength(1)),
});

/**
 * Reads a network from parsed JSON; options left out take their defaults. `origin` begins messages.
 *
 * Throws ConfigError naming the layer and the option, and ShapeError if a layer does not match the previous one.
 */
export function parseNetwork(json: unknown, origin = "network"): Network {
  const parsed = parseJson(header, json);
  if (parsed.problem !== undefined) throw new ConfigError(`${origin}: ${parsed.problem}`);
  const names = new Set<string>();
  const layers = parsed.data.layers.map(({ name, kind, ...options }) => {
    if (names.has(name)) throw new ConfigError(`${origin}: ${name}: two layers have this name`);
    names.add(name);
    if (!isKind(kind)) {
      const known = Object.keys(layerKinds).join(", ");
      throw new ConfigError(`${origin}: ${name}: unknown kind "${kind}"; expected one of ${known}`);
    }
    return anyLayer(layerOf(kind, name, options, `${origin}: ${name}`));
  });
  const network = { ...parsed.data, layers };
  place(network);
  return network;
}

function isKind(kind: string): kind is OpKind {
  return Object.hasOwn(layerKinds, kind);
}

/** TypeScript does not infer that Layer<K> for any K is a member of the union. */
function anyLayer<K extends OpKind>(layer: Layer<K>): AnyLayer {
  return layer as unknown as AnyLayer;
}

/**
 * Infers the shapes and parameters of every layer from the input shape.
 *
 * Throws ShapeError naming the first layer that does not match its input, or has a tensor that no engine can hold.
 */
export function place(network: Network): readonly PlacedLayer[] {
  try {
    return placeLayers(network.layers, network.input);
  } catch (error) {
    if (!(error instanceof WindowError)) throw error;
    const side = smallestSide(network);
    const remedy = side === undefined ? "use a larger input size" : `use an input size of at least ${side}×${side}`;
    throw new ShapeError(`${error.message}; ${remedy}`);
  }
}

function placeLayers(layers: Network["layers"], input: Shape): readonly PlacedLayer[] {
  let shape = input;
  checkSize("input", "images", shape);
  return layers.map((layer) => {
    const placed = placeLayer(layer, shape);
    shape = placed.outputShape;
    return placed;
  });
}

/** Largest side that is tried in the search for the smallest. */
const MAX_SIDE = 2 ** 16;

/** Side of the smallest square images that fit every window: maps never shrink as images grow. Undefined if no size fits. */
function smallestSide({ layers, input: [channels, ...sides] }: Network): number | undefined {
  const fits = (side: number) => {
    try {
      placeLayers(layers, [channels, side, side]);
      return true;
    } catch (error) {
      if (error instanceof ShapeError) return false;
      throw error;
    }
  };
  return smallestThat(fits, Math.min(...sides), MAX_SIDE);
}

function placeLayer<K extends OpKind>(layer: Layer<K>, inputShape: Shape): PlacedLayer {
  const kind = layerKinds[layer.kind];
  const placed = {
    layer: anyLayer(layer),
    order: kind.order,
    inInt8: kind.inInt8(layer, inputShape),
    keeps: kind.keeps,
    randomness: kind.randomness(layer),
    inputShape,
    outputShape: kind.outputShape(layer.name, layer, inputShape),
    parameters: kind.parameters(layer.name, layer, inputShape),
  };
  for (const { name, shape } of placed.parameters) checkSize(layer.name, name, shape);
  checkSize(layer.name, "output", placed.outputShape);
  const reach = kind.reach(layer, inputShape);
  if (reach !== "all" && inputShape.length === 3) {
    const [channels, ...extents] = inputShape;
    const padded = extents.map((extent, axis) => extent + 2 * (reach[axis]?.padding ?? 0));
    checkSize(layer.name, "padded input", [channels as number, ...padded]);
  }
  return placed;
}

/** Throws ShapeError for a tensor that no engine can hold. */
function checkSize(layer: string, tensor: string, shape: Shape): void {
  const bytes = bytesPerNumber * sizeOf(shape);
  if (bytes <= MAX_TENSOR_BYTES) return;
  throw new ShapeError(
    `${layer}: ${tensor} ${formatShape(shape)} would need ${formatBytes(bytes)} ` +
      `(expected at most ${formatBytes(MAX_TENSOR_BYTES)}); use smaller sizes`,
  );
}

/** The network as a chain of operations for an engine. */
export function operations(network: Network): readonly AnyOp[] {
  return place(network).map(({ layer, order, inInt8, inputShape, outputShape, parameters }) => {
    const { name, kind, ...options } = layer;
    const shapes = parameters.map(({ name: role, shape, isStatistic }) => {
      return { name: `${name}.${role}`, shape, ...(isStatistic && { isStatistic }) };
    });
    return { kind, name, options, order, inInt8, inputShape, outputShape, parameters: shapes } as unknown as AnyOp;
  });
}

/** Every parameter and running statistic of a network, named as in a program, such as `conv1.weight`; in order. */
export function parametersOf(network: Network): readonly ParameterShape[] {
  return operations(network).flatMap((op): readonly ParameterShape[] => op.parameters);
}

/** True if outputs at evaluation depend on random numbers. */
export function isStochastic(network: Network): boolean {
  return place(network).some(({ randomness }) => randomness === "always");
}

/** The same network without random numbers at evaluation. */
export function deterministic(network: Network): Network {
  return { ...network, layers: network.layers.map(deterministicLayer) };
}

function deterministicLayer<K extends OpKind>(layer: Layer<K>): AnyLayer {
  return anyLayer({ ...layer, ...layerKinds[layer.kind].deterministic(layer) });
}

/** The same network for images of another size or number of channels. Throws ShapeError naming a layer that no longer matches. */
export function withInput(network: Network, input: Network["input"]): Network {
  const changed = { ...network, input };
  place(changed);
  return changed;
}

/**
 * The same network with another number of classes, set as the outputs of the last layer that has a number of outputs.
 *
 * Throws ConfigError if no layer sets the number of classes, ShapeError naming a layer that does not match the previous one.
 */
export function withClasses(network: Network, classes: number): Network {
  const candidates = network.layers.map((layer) => resize(layer, classes));
  const index = candidates.findLastIndex((layer) => layer !== undefined);
  const resized = candidates[index];
  if (!resized) throw new ConfigError(`${network.name}: no layer sets the number of classes`);
  return { ...network, layers: network.layers.with(index, resized) };
}

function resize<K extends OpKind>(layer: Layer<K>, outputs: number): AnyLayer | undefined {
  const options = layerKinds[layer.kind].withOutputs(layer, outputs);
  return options && anyLayer({ ...layer, ...options });
}

/** Number of classes: the features of the last layer. */
export function classesOf(network: Network): number {
  const shape = place(network).at(-1)?.outputShape ?? [];
  if (shape.length !== 1) {
    throw new ConfigError(`${network.name}: expected an output [classes], got [${shape.join(", ")}]`);
  }
  return shape[0] as number;
}
