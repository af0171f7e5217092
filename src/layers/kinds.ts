/** List of layer kinds, with a constructor for each. */
import type { z } from "zod";
import type { OpKind, OpOptions } from "../engine/engine.ts";
import { reluKind, sigmoidKind, tanhKind } from "./activations.ts";
import { conv2dKind } from "./conv2d.ts";
import { dropoutKind } from "./dropout.ts";
import type { Layer, LayerKind } from "./layer.ts";
import { flattenKind, linearKind } from "./linear.ts";
import { localResponseNormKind } from "./localResponseNorm.ts";
import { adaptiveAveragePool2dKind, averagePool2dKind, maxPool2dKind } from "./pools.ts";

/** The list of layer kinds. */
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
  const options: z.ZodType<OpOptions[K]> = layerKinds[kind].options;
  return (name, given = {}) => ({ name, kind, ...options.parse(given) });
}

/** Constructors of layers, with each kind's defaults: `conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4 })`. */
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

/** Kinds that, at the end of another program's network, are its head, not a layer. */
export const headKinds: ReadonlyMap<OpKind, "sigmoid"> = new Map([["sigmoid", "sigmoid"]]);
