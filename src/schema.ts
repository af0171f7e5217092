/** Schemas shared by tables of options, and parsing with messages in English. */
import { en } from "zod/locales";
import * as z from "zod/mini";

/** 1, 2, 3 … */
export const positiveInt = z.int().check(z.positive());
/** 0, 1, 2 … */
export const wholeNumber = z.int().check(z.nonnegative());
/** Above 0. */
export const positive = z.number().check(z.positive());
/** 0 or more. */
export const nonnegative = z.number().check(z.nonnegative());
/** From 0 to 1. */
export const fraction = z.number().check(z.gte(0), z.lte(1));
/** From 0 up to, not including, 1. */
export const belowOne = z.number().check(z.gte(0), z.lt(1));
/** Above 0 and below 1. */
export const properFraction = z.number().check(z.positive(), z.lt(1));
/** A text of at least one character. */
export const someText = z.string().check(z.minLength(1));

/** The parsed value with defaults filled in, or the problems, one per line. */
export type Parsed<T> = { readonly data: T; readonly problem?: undefined } | { readonly problem: string };

const { localeError: error } = en();

/** Parses JSON by a schema. */
export function parseJson<T>(schema: z.ZodMiniType<T>, json: unknown): Parsed<T> {
  const parsed = schema.safeParse(json, { error });
  return parsed.success ? { data: parsed.data } : { problem: z.prettifyError(parsed.error) };
}

/** The inner schema of an optional value. */
export function inner<T extends z.core.SomeType>(schema: z.ZodMiniDefault<T> | z.ZodMiniOptional<T>): T {
  return schema._zod.def.innerType;
}
