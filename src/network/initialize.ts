/** Initial values of weights and biases. */
import * as z from "zod/mini";
import type { Eigen } from "../eigen.ts";
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

const layerSchema = z.discriminatedUnion("kind", [
  ...weightSchema.def.options,
  z.strictObject({ kind: z.literal("whitening") }),
]);

/**
 * Initial values. Fan-in is the number of inputs per output, fan-out the number of outputs per input.
 *
 * - `gaussian`: N(0, deviation). Source: Krizhevsky et al. 2012, §5, deviation 0.01.
 * - `xavierUniform`: U(±√(6 / (fan-in + fan-out))). Source: Glorot and Bengio 2010.
 * - `heNormal`: N(0, √(2 / fan-in)). Source: He et al. 2015.
 * - `pytorch`: U(±1 / √fan-in), PyTorch's default for weights and biases of convolutions and linear layers.
 *
 * `layers` replaces `weight` for single layers. There the first convolution may have `whitening`: kernels 2k and 2k + 1 are the kth principal component
 * of the training images' patches and its negative, divided by √(variance + 0.0005), so that the responses are uncorrelated and of equal variance. `weight`
 * draws the kernels for which there are no components. Source: Jordan 2024, “94% on CIFAR-10 in 3.29 Seconds on a Single GPU”, §3.2, after Page 2018.
 *
 * `ones` lists the layers whose biases start at 1; names that a network lacks are ignored.
 */
export const initializerSchema = z.strictObject({
  weight: weightSchema,
  layers: z.optional(z.record(z.string(), layerSchema)),
  bias: z._default(z.enum(["zero", "pytorch"]), "zero"),
  ones: z._default(z.array(z.string()), []),
});

export type Initializer = z.infer<typeof initializerSchema>;

type Weight = NonNullable<Initializer["layers"]>[string];
type Draw = (values: Float32Array, stream: ReturnType<typeof randomStream>, fanIn: number, fanOut: number) => void;

function uniform(limit: (fanIn: number, fanOut: number) => number): Draw {
  return (values, stream, fanIn, fanOut) => {
    const bound = limit(fanIn, fanOut);
    fillUniform(stream, 0, values, -bound, bound);
  };
}

const pytorch = uniform((fanIn) => 1 / Math.sqrt(fanIn));

/** Distribution of each kind of initial weights; undefined for those that follow from images. */
const draws: { readonly [K in Weight["kind"]]: (weight: Extract<Weight, { readonly kind: K }>) => Draw | undefined } = {
  gaussian:
    ({ deviation }) =>
    (values, stream) =>
      fillGaussian(stream, 0, values, deviation),
  xavierUniform: () => uniform((fanIn, fanOut) => Math.sqrt(6 / (fanIn + fanOut))),
  heNormal: () => (values, stream, fanIn) => fillGaussian(stream, 0, values, Math.sqrt(2 / fanIn)),
  pytorch: () => pytorch,
  whitening: () => undefined,
};

function drawFor<W extends Weight>(weight: W): Draw | undefined {
  const draw = draws[weight.kind] as unknown as (weight: W) => Draw | undefined;
  return draw(weight);
}

/** Added to the variance of a component of patches: components below it hold little but noise. Source: Jordan 2024. */
const WHITENING_EPSILON = 5e-4;

/** Variance of a component, as a fraction of the largest, below which it is rounding: grey images in three channels have a third of the components. */
const NO_COMPONENT = 1e-9;

/** Kernels for the principal components of patches, see `Initializer`. */
function whiten(kernels: Float32Array, { eigenvalues, eigenvectors }: Eigen): void {
  const length = eigenvectors.length;
  const components = eigenvalues.filter((value) => value > NO_COMPONENT * (eigenvalues[0] as number)).length;
  const count = Math.min(Math.floor(kernels.length / length), 2 * components);
  for (let k = 0; k < count; k++) {
    const component = Math.floor(k / 2);
    const scale = (k % 2 === 0 ? 1 : -1) / Math.sqrt((eigenvalues[component] as number) + WHITENING_EPSILON);
    kernels.set(
      (eigenvectors[component] as readonly number[]).map((entry) => entry * scale),
      k * length,
    );
  }
}

/**
 * Kernel size of the convolution that `initializer` wants to whiten the images of a network: its first layer, without groups, with kernels no larger than the images.
 * Undefined if there is none.
 */
export function whiteningKernel(network: Network, { layers = {} }: Initializer): number | undefined {
  const { input } = network;
  const [first] = place(network);
  if (!first || !Object.hasOwn(layers, first.layer.name)) return undefined;
  const wanted = layers[first.layer.name];
  const [kernels, channels, kernelSize = 0] = first.parameters.find(({ shape }) => shape.length === 4)?.shape ?? [];
  // A locally connected layer has more kernels than maps, a convolution in groups kernels of fewer channels.
  const isWhole = kernels === first.outputShape[0] && channels === input[0];
  const fits = kernelSize > 0 && kernelSize <= Math.min(input[1], input[2]);
  return wanted && !drawFor(wanted) && isWhole && fits ? kernelSize : undefined;
}

/** Options of `initialValues`. */
export interface InitialOptions {
  /** Memory for a number of values; it may return the same each time. Default: new memory. */
  readonly allocate?: (length: number) => Float32Array;
  /** Principal components of the images' patches, where `whiteningKernel` has a size; without them, `weight` draws the kernels. */
  readonly patches?: Eigen | undefined;
}

/** Initial values of every parameter and running statistic, one at a time: a function of the seed, the parameter's name and the patches. */
export function* initialValues(
  network: Network,
  initializer: Initializer,
  seed: number,
  { allocate = (length) => new Float32Array(length), patches }: InitialOptions = {},
): Generator<{ readonly name: string; readonly values: Float32Array }> {
  const { weight, layers = {} } = initializer;
  const draw = drawFor(weight) as Draw;
  const [first] = network.layers;
  for (const { layer, parameters } of place(network)) {
    for (const { name: role, shape, fanIn, fanOut, initial } of parameters) {
      const name = `${layer.name}.${role}`;
      const values = allocate(sizeOf(shape));
      const stream = randomStream(seed, `initialize:${name}`);
      if (initial !== undefined) values.fill(initial);
      else if (shape.length > 1) {
        const own = Object.hasOwn(layers, layer.name) ? layers[layer.name] : undefined;
        ((own && drawFor(own)) ?? draw)(values, stream, fanIn, fanOut);
        if (patches && layer === first) whiten(values, patches);
      } else if (initializer.ones.includes(layer.name)) values.fill(1);
      else if (initializer.bias === "pytorch") pytorch(values, stream, fanIn, fanOut);
      else values.fill(0);
      yield { name, values };
    }
  }
}
