/** Schemas shared by tables of options, and parsing with messages in English. */
import { en } from "zod/locales";
import * as z from "zod/mini";

/** Largest integer that native libraries take for a size. */
export const MAX_SIZE = 2 ** 31 - 1;
/** 1, 2, 3 … `MAX_SIZE`. */
export const positiveInt = z.int().check(z.positive(), z.lte(MAX_SIZE));
/** 0, 1, 2 … `MAX_SIZE`. */
export const wholeNumber = z.int().check(z.nonnegative(), z.lte(MAX_SIZE));
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
  return parsed.success ? { data: parsed.data } : { problem: problemsOf(parsed.error) };
}

/** Problems of a value that does not fit its schema, one a line, each after the path of its member. */
export function problemsOf({ issues }: z.core.$ZodError): string {
  return issues
    .map(({ path, message }) => `${path.length > 0 ? `${path.map(String).join(".")}: ` : ""}${plainProblem(message)}`)
    .join("\n");
}

const phrases: readonly (readonly [RegExp, string])[] = [
  [/^(?:Invalid input|Invalid option|Too big|Too small): /, ""],
  [/^expected (.+), received undefined$/, "missing (expected $1)"],
  [/, received /, ", got "],
  [/^Unrecognized key(s?): /, "unknown key$1 "],
  [/^expected (.+) to have >=(.+)$/, "expected $1 of at least $2"],
  [/^expected (.+) to have <=(.+)$/, "expected $1 of at most $2"],
  [/^expected (.+) to be >=(.+)$/, "expected a $1 of at least $2"],
  [/^expected (.+) to be <=(.+)$/, "expected a $1 of at most $2"],
  [/^expected (.+) to be >(.+)$/, "expected a $1 above $2"],
  [/^expected (.+) to be <(.+)$/, "expected a $1 below $2"],
];

function plainProblem(message: string): string {
  return phrases.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), message);
}

/** Parses the text of a JSON file, which may begin with a byte order mark. Throws SyntaxError. */
export function parseJsonText(text: string): unknown {
  return JSON.parse(text.replace(/^\ufeff/, ""));
}

/** The inner schema of an optional value. */
export function inner<T extends z.core.SomeType>(schema: z.ZodMiniDefault<T> | z.ZodMiniOptional<T>): T {
  return schema._zod.def.innerType;
}
