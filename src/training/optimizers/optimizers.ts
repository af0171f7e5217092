/** Every optimizer by the name of its kind. */
import * as z from "zod/mini";
import { adam, adamSchema } from "./adam.ts";
import { adamW, adamWSchema } from "./adamW.ts";
import { lars, larsSchema } from "./lars.ts";
import type { OptimizerKind } from "./optimizerKind.ts";
import { sgd, sgdSchema } from "./sgd.ts";

/** The options of an optimizer; without a `kind`, SGD. */
export const optimizerSchema = z.pipe(
  z.transform((json: unknown) =>
    typeof json === "object" && json !== null && !("kind" in json) ? { kind: "sgd", ...json } : json,
  ),
  z.discriminatedUnion("kind", [sgdSchema, adamSchema, adamWSchema, larsSchema]),
);

export type OptimizerOptions = z.infer<typeof optimizerSchema>;
export type OptimizerName = OptimizerOptions["kind"];

const kinds: { readonly [K in OptimizerName]: OptimizerKind<Extract<OptimizerOptions, { kind: K }>> } = {
  sgd,
  adam,
  adamw: adamW,
  lars,
};

export const optimizerNames = Object.keys(kinds) as readonly OptimizerName[];

/** The kind of an optimizer's options. */
export function optimizerKind<O extends OptimizerOptions>(options: O): OptimizerKind<O> {
  return kinds[options.kind] as unknown as OptimizerKind<O>;
}
