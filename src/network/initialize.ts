/** Initial values of weights and biases. */
import * as z from "zod/mini";
import { fillGaussian, fillUniform, randomStream } from "../random.ts";
import { positive } from "../schema.ts";
import { sizeOf } from "../shape.ts";
import { type Network, place } from "./network.ts";

const weightSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("gaussian"), deviation: positive }),
  z.strictObject({ kind: z.literal("xavierUniform") }),
  z.strictObject({ kind: z.literal("heNormal") }),
  z.strictObject({ kind: z.literal("pytorch") }),
]);

/**
 * Initial values. Fan-in is the number of inputs per output, fan-out the number of outputs per input.
 *
 * - `gaussian`: N(0, deviation). Source: Krizhevsky et al. 2012, §5, deviation 0.01.
 * - `xavierUniform`: U(±√(6 / (fan-in + fan-out))). Source: Glorot and Bengio 2010.
 * - `heNormal`: N(0, √(2 / fan-in)). Source: He et al. 2015.
 * - `pytorch`: U(±1 / √fan-in), PyTorch's default for weights and biases of convolutions and linear layers.
 *
 * `layers` replaces `weight` for single layers, and `ones` lists the layers whose biases start at 1; names that a network lacks are ignored.
 */
export const initializerSchema = z.strictObject({
  weight: weightSchema,
  layers: z.optional(z.record(z.string(), weightSchema)),
  bias: z._default(z.enum(["zero", "pytorch"]), "zero"),
  ones: z._default(z.array(z.string()), []),
});

export type Initializer = z.infer<typeof initializerSchema>;

type Weight = Initializer["weight"];
type Draw = (values: Float32Array, stream: ReturnType<typeof randomStream>, fanIn: number, fanOut: number) => void;

function uniform(limit: (fanIn: number, fanOut: number) => number): Draw {
  return (values, stream, fanIn, fanOut) => {
    const bound = limit(fanIn, fanOut);
    fillUniform(stream, 0, values, -bound, bound);
  };
}

const pytorch = uniform((fanIn) => 1 / Math.sqrt(fanIn));

/** Distribution of each kind of initial weights. */
const draws: { readonly [K in Weight["kind"]]: (weight: Extract<Weight, { readonly kind: K }>) => Draw } = {
  gaussian:
    ({ deviation }) =>
    (values, stream) =>
      fillGaussian(stream, 0, values, deviation),
  xavierUniform: () => uniform((fanIn, fanOut) => Math.sqrt(6 / (fanIn + fanOut))),
  heNormal: () => (values, stream, fanIn) => fillGaussian(stream, 0, values, Math.sqrt(2 / fanIn)),
  pytorch: () => pytorch,
};

function drawFor<W extends Weight>(weight: W): Draw {
  const draw = draws[weight.kind] as unknown as (weight: W) => Draw;
  return draw(weight);
}

/**
 * Initial values of every parameter and running statistic, one at a time: a function of the seed and the parameter's name. `allocate` may return the same memory each
 * time.
 */
export function* initialValues(
  network: Network,
  initializer: Initializer,
  seed: number,
  allocate: (length: number) => Float32Array = (length) => new Float32Array(length),
): Generator<{ readonly name: string; readonly values: Float32Array }> {
  const { weight, layers = {} } = initializer;
  for (const { layer, parameters } of place(network)) {
    for (const { name: role, shape, fanIn, fanOut, initial } of parameters) {
      const name = `${layer.name}.${role}`;
      const values = allocate(sizeOf(shape));
      const stream = randomStream(seed, `initialize:${name}`);
      if (initial !== undefined) values.fill(initial);
      else if (shape.length > 1) {
        const own = Object.hasOwn(layers, layer.name) ? layers[layer.name] : undefined;
        drawFor(own ?? weight)(values, stream, fanIn, fanOut);
      } else if (initializer.ones.includes(layer.name)) values.fill(1);
      else if (initializer.bias === "pytorch") pytorch(values, stream, fanIn, fanOut);
      else values.fill(0);
      yield { name, values };
    }
  }
}
