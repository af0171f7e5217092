/** The list of kinds of layers, with a constructor for each. */
import type { OpKind, OpOptions } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import { parseJson } from "../schema.ts";
import { reluKind, sigmoidKind, tanhKind } from "./activations.ts";
import { conv2dKind } from "./conv2d.ts";
import { dropoutKind } from "./dropout.ts";
import type { Layer, LayerKind } from "./layer.ts";
import { flattenKind, linearKind } from "./linear.ts";
import { localResponseNormKind } from "./localResponseNorm.ts";
import { adaptiveAveragePool2dKind, averagePool2dKind, maxPool2dKind } from "./pools.ts";

/** The one list of layer kinds. */
export const layerKinds: { readonly [K in OpKind]: LayerKind<K> } = {
  conv2d: conv2dKind,
  relu: reluKind,
  tanh: tanhKind,
  sigmoid: sigmoidKind,
  localResponseNorm: localResponseNormKind,
  maxPool2d: maxPool2dKind,
  averagePool2d: averagePool2dKind,
  adaptiveAveragePool2d: adaptiveAveragePool2dKind,
  flatten: flattenKind,
  linear: linearKind,
  dropout: dropoutKind,
};

type LayerMaker<K extends OpKind> = (name: string, options?: Partial<OpOptions[K]>) => Layer<K>;

function maker<K extends OpKind>(kind: K): LayerMaker<K> {
  return (name, given = {}) => {
    const parsed = parseJson<object>(layerKinds[kind].options, given);
    if (parsed.problem !== undefined) throw new ConfigError(`${name} (${kind}): ${parsed.problem}`);
    return { name, kind, ...parsed.data } as Layer<K>;
  };
}

/** `conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4 })`: one maker for each kind, with that kind's defaults. Throws ConfigError naming the layer and the option. */
export const conv2d: LayerMaker<"conv2d"> = maker("conv2d");
export const relu: LayerMaker<"relu"> = maker("relu");
export const tanh: LayerMaker<"tanh"> = maker("tanh");
export const sigmoid: LayerMaker<"sigmoid"> = maker("sigmoid");
export const localResponseNorm: LayerMaker<"localResponseNorm"> = maker("localResponseNorm");
export const maxPool2d: LayerMaker<"maxPool2d"> = maker("maxPool2d");
export const averagePool2d: LayerMaker<"averagePool2d"> = maker("averagePool2d");
export const adaptiveAveragePool2d: LayerMaker<"adaptiveAveragePool2d"> = maker("adaptiveAveragePool2d");
export const flatten: LayerMaker<"flatten"> = maker("flatten");
export const linear: LayerMaker<"linear"> = maker("linear");
export const dropout: LayerMaker<"dropout"> = maker("dropout");

/** Kinds that are the head of a classifier, and no layer of it, where they end a network of another program. */
export const headKinds: ReadonlyMap<OpKind, "sigmoid"> = new Map([["sigmoid", "sigmoid"]]);
