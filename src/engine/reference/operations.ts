/** The list of kinds of the reference engine. */
import type { OpKind } from "../engine.ts";
import { adaptiveAveragePool2d } from "./adaptiveAveragePool2d.ts";
import { averagePool2d } from "./averagePool2d.ts";
import { conv2d } from "./conv2d.ts";
import { dropout } from "./dropout.ts";
import { flatten } from "./flatten.ts";
import { linear } from "./linear.ts";
import { localResponseNorm } from "./localResponseNorm.ts";
import { maxPool2d } from "./maxPool2d.ts";
import type { Operation } from "./operation.ts";
import { relu } from "./relu.ts";
import { sigmoid } from "./sigmoid.ts";
import { tanh } from "./tanh.ts";

/** How each kind of operation is computed. */
export const operations: { readonly [K in OpKind]: Operation<K> } = {
  conv2d,
  relu,
  tanh,
  sigmoid,
  localResponseNorm,
  maxPool2d,
  averagePool2d,
  adaptiveAveragePool2d,
  flatten,
  linear,
  dropout,
};
