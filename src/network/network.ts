/** A network as data: reading, placing, changing input and classes. */
import { z } from "zod";
import type { AnyOp, OpKind } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import type { Order } from "../hoistMaxPool.ts";
import type { Int8Effect } from "../int8.ts";
import { layerKinds } from "../layers/kinds.ts";
import type { AnyLayer, KeptForBackward, Layer, ParameterDeclaration, Randomness } from "../layers/layer.ts";
import type { Shape } from "../shape.ts";

/** A network as data: the same JSON is its source, travels in checkpoints and can be written by hand. */
export interface Network {
  readonly name: string;
  /** Publication. */
  readonly source: string;
  /** Differences from that source; empty if there are none. */
  readonly deviations: readonly string[];
  /** Shape of one image, [channels, height, width]. */
  readonly input: readonly [channels: number, height: number, width: number];
  /** A chain: each layer takes the output of the one before. */
  readonly layers: readonly AnyLayer[];
}

/** A layer with everything that follows from its kind, its options and its place in a network. Shapes are of one image. */
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
  name: z.string().min(1),
  source: z.string().default(""),
  deviations: z.array(z.string()).default([]),
  input: z.tuple([z.int().positive(), z.int().positive(), z.int().positive()]),
  layers: z.array(z.looseObject({ name: z.string().min(1), kind: z.string() })).min(1),
});

/**
 * Reads a network from parsed JSON; options left out take their defaults.
 *
 * Throws ConfigError naming the layer and the option, ShapeError if a layer does not fit the one before it.
 */
export function parseNetwork(json: unknown, origin: string): Network {
  const parsed = header.safeParse(json);
  if (!parsed.success) throw new ConfigError(`${origin}: ${z.prettifyError(parsed.error)}`);
  const names = new Set<string>();
  const layers = parsed.data.layers.map(({ name, kind, ...options }) => {
    if (names.has(name)) throw new ConfigError(`${origin}: ${name}: two layers have this name`);
    names.add(name);
    if (!isKind(kind)) {
      const known = Object.keys(layerKinds).join(", ");
      throw new ConfigError(`${origin}: ${name}: unknown kind "${kind}"; the kinds are ${known}`);
    }
    return parseLayer(origin, name, kind, options);
  });
  const network = { ...parsed.data, layers };
  place(network);
  return network;
}

function isKind(kind: string): kind is OpKind {
  return Object.hasOwn(layerKinds, kind);
}

function parseLayer<K extends OpKind>(origin: string, name: string, kind: K, options: object): AnyLayer {
  const parsed = layerKinds[kind].options.safeParse(options);
  if (!parsed.success) throw new ConfigError(`${origin}: ${name} (${kind}): ${z.prettifyError(parsed.error)}`);
  return anyLayer({ name, kind, ...parsed.data });
}

/** TypeScript does not see that a Layer<K> for any K is one of the union's members. */
function anyLayer<K extends OpKind>(layer: Layer<K>): AnyLayer {
  return layer as unknown as AnyLayer;
}

/**
 * Every layer with its shapes and parameters: each size follows from the input by the layers' own formulas.
 *
 * Throws ShapeError naming the first layer that does not fit.
 */
export function place(network: Network): readonly PlacedLayer[] {
  let shape: Shape = network.input;
  return network.layers.map((layer) => {
    const placed = placeLayer(layer, shape);
    shape = placed.outputShape;
    return placed;
  });
}

function placeLayer<K extends OpKind>(layer: Layer<K>, inputShape: Shape): PlacedLayer {
  const kind = layerKinds[layer.kind];
  return {
    layer: anyLayer(layer),
    order: kind.order,
    inInt8: kind.inInt8(layer, inputShape),
    keeps: kind.keeps,
    randomness: kind.randomness(layer),
    inputShape,
    outputShape: kind.outputShape(layer.name, layer, inputShape),
    parameters: kind.parameters(layer.name, layer, inputShape),
  };
}

/** The network as the chain of operations that an engine compiles. */
export function operations(network: Network): readonly AnyOp[] {
  return place(network).map(({ layer, order, inInt8, inputShape, outputShape, parameters }) => {
    const { name, kind, ...options } = layer;
    const shapes = parameters.map((p) => ({ name: `${name}.${p.name}`, shape: p.shape }));
    return { kind, name, options, order, inInt8, inputShape, outputShape, parameters: shapes } as unknown as AnyOp;
  });
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

/** The same network for images of another size or number of channels. Throws ShapeError naming a layer that no longer fits. */
export function withInput(network: Network, input: Network["input"]): Network {
  const changed = { ...network, input };
  place(changed);
  return changed;
}

/** The same network with another number of classes: the last layer that learns gets as many outputs. */
export function withClasses(network: Network, classes: number): Network {
  const index = place(network).findLastIndex(({ parameters }) => parameters.length > 0);
  const last = network.layers[index];
  const resized = last && resize(last, classes);
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
    throw new ConfigError(
      `${network.name}: a classifier ends in [classes], this network ends in [${shape.join(", ")}]`,
    );
  }
  return shape[0] as number;
}
