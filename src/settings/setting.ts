/** A setting: one row of the table in settings.ts, and functions of a single row. */
import * as z from "zod";
import { ConfigError } from "../errors.ts";
import { problemsOf } from "../schema.ts";
import type { StoredRun } from "./storedRun.ts";

/** Commands that offer settings. */
export type SettingCommand = "train" | "sweep" | "lr-find" | "augment" | "bench";

/** Commands that train whole runs. */
export const trainingCommands = ["train", "sweep"] as const;
/** Commands that train. */
export const rateCommands = [...trainingCommands, "lr-find"] as const;
/** Commands that prepare training images. */
export const inputCommands = [...rateCommands, "augment"] as const;
/** Commands that compute training steps. */
export const stepCommands = [...rateCommands, "bench"] as const;

/** Schema of a name or a path. */
export const nonEmpty = z.string().min(1);

/** JSON with members. */
export type Members = Readonly<Record<string, unknown>>;

/** A given value and the stored one, in a form in which they are equal if they have the same meaning. */
export type Compared = readonly [given: unknown, stored: unknown];

/** Sorted names, for comparison. */
export function listed(names: readonly string[]): string {
  return names.toSorted().join(",") || "none";
}

/** A setting of a run. Its key is its name in the library and in JSON; its flag is the key in kebab case. */
export interface Setting<T = unknown> {
  /** Type and bounds in JSON and in the library. */
  readonly schema: z.core.$ZodType<T>;
  /** Type and bounds of the flag's text, if JSON accepts more. Default: `schema`. */
  readonly text?: z.core.$ZodType;
  /** Placeholder of the flag's value, such as `<n>`; in square brackets it is an argument; left out, the flag is a switch. */
  readonly value?: string;
  readonly help: string;
  /** Heading in the help of `train`; absent for the first options. */
  readonly section?: string;
  /** Values for completion, if others are valid too. */
  readonly suggestions?: readonly string[];
  /** Reason for the bounds, for the error message. */
  readonly because?: string;
  /** Default shown in help, and for configurations without a value. */
  readonly default?: string | number | boolean | undefined;
  readonly commands: readonly SettingCommand[];
  /** Path in config.json, with dots between names. `recipe.` begins a recipe value, `dataset.` a loading option. */
  readonly place: string;
  /** Schema of the stored value, if earlier versions stored more than `schema` accepts. */
  readonly stored?: z.core.$ZodType<T>;
  /** On resume, a differing value replaces the stored one. Default: it is refused. */
  readonly onResume?: "replace";
  /** The value is a file: stored with its absolute path if it is in the working directory, else as a file of the data set. */
  readonly isPath?: true;
  /** Setting that this one requires. */
  readonly needs?: string;
  /** Selects a kind with options of its own: a recipe given on resume is compared with this choice, not with the stored one. */
  readonly isKind?: true;
  /** Applies a value to a recipe. Default: sets the value at `place`. */
  write?(recipe: Members, value: T): Members;
  /** Reads the value from a configuration, to start the same run again. Default: the value at `place`. */
  read?(config: StoredRun): unknown;
  /** Values to compare on resume, or undefined for none. Default: the given value and the value at `place`. */
  compare?(value: T, config: StoredRun): Compared | undefined;
  /** Value in the report's row, or `false` for no row. Default: the value at `place`. */
  readonly report?: false | ((config: StoredRun) => string);
}

/** Settings by key. */
export type SettingTable = Readonly<Record<string, Setting>>;

/** Type of a setting's value. */
export type SettingValue<S> = S extends { readonly schema: z.core.$ZodType<infer T> } ? T : never;

/** Declares a row, with inferred types. */
export function setting<T, const P extends string, const D extends string | number | boolean | undefined = undefined>(
  row: Setting<T> & { readonly place: P; readonly default?: D },
): Setting<T> & { readonly place: P; readonly default: D } {
  return row as Setting<T> & { readonly place: P; readonly default: D };
}

/** Schema of a name or number, or an object, each validated by its own schema, so that errors name the invalid member. */
export function nameOr<N extends string | number, T>(
  name: z.core.$ZodType<N>,
  thing: z.core.$ZodType<T>,
): z.ZodType<N | T> {
  return z.unknown().transform((value, context): N | T => {
    const parsed = z.safeParse(typeof value === "object" ? thing : name, value);
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) {
      context.issues.push({ code: "custom", path, message, input: value });
    }
    return z.NEVER;
  });
}

/** `--learning-rate` for `learningRate`; an argument as help names it. */
export function flagOf(key: string, { value = "" }: Setting): string {
  if (value.startsWith("[")) return value.slice(1, -1).toUpperCase();
  return `--${key.replaceAll(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

/** True if a setting is an argument of its command, not a flag. */
export function isArgument({ value = "" }: Setting): boolean {
  return value.startsWith("[");
}

/** Names that a flag accepts, if it accepts only a few. */
export function choicesOf({ text, schema }: Setting): readonly string[] | undefined {
  return jsonOf(text ?? schema).enum?.map(String);
}

/** Parses the text of a flag's value. Throws ConfigError: `expected a number above 0, got "x"`. */
export function readText(setting: Setting, given: string): unknown {
  const schema = setting.text ?? setting.schema;
  const parsed = z.safeParse(schema, fromText(schema, given));
  if (parsed.success) return parsed.data;
  throw new ConfigError(`${expectation(setting)}, got "${given}"`);
}

function fromText(schema: z.core.$ZodType, given: string): unknown {
  const { type } = jsonOf(schema);
  if (type === "number" || type === "integer") return given.trim() === "" ? Number.NaN : Number(given);
  if (type !== "array") return given;
  return given === "none" ? [] : given.split(",").map((name) => name.trim());
}

/** The part of a schema that JSON Schema can express. */
function jsonOf(schema: z.core.$ZodType): z.core.JSONSchema.JSONSchema {
  return z.toJSONSchema(schema, { unrepresentable: "any" });
}

/** `expected a number above 0`, with the reason. */
function expectation({ text, schema, because }: Setting): string {
  return `expected ${expected(jsonOf(text ?? schema))}${because === undefined ? "" : `, ${because}`}`;
}

function expected(json: z.core.JSONSchema.JSONSchema): string {
  if (json.enum) return `one of ${json.enum.join(", ")}`;
  if (json.type === "array") {
    const { enum: names } = json.items as z.core.JSONSchema.JSONSchema;
    return names ? `some of ${names.join(",")}, or none` : "comma-separated names";
  }
  if (json.type === "number" || json.type === "integer") {
    return `a ${json.type === "integer" ? "whole number" : "number"} ${bounds(json)}`.trim();
  }
  if (json.anyOf) return json.anyOf.map((one) => expected(one as z.core.JSONSchema.JSONSchema)).join(", or ");
  return json.type === "boolean" ? "true or false" : "a text";
}

function bounds({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: z.core.JSONSchema.JSONSchema): string {
  const top = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER) {
    if (exclusiveMaximum !== undefined) return `from ${minimum} up to, not including, ${exclusiveMaximum}`;
    return top === undefined ? `of ${minimum} or more` : `from ${minimum} to ${top}`;
  }
  const lower = exclusiveMinimum === undefined ? [] : [`above ${exclusiveMinimum}`];
  const upper =
    exclusiveMaximum === undefined ? (top === undefined ? [] : [`at most ${top}`]) : [`below ${exclusiveMaximum}`];
  return [...lower, ...upper].join(" and ");
}

/** Value at a path in JSON, such as `optimizer.momentum`; undefined if there is none. */
export function at(json: unknown, place: string): unknown {
  return place.split(".").reduce<unknown>((part, key) => membersOf(part)[key], json);
}

/** A copy of JSON with a value at a path; undefined removes it. */
export function replaced(json: unknown, place: string, value: unknown): Members {
  const [key = "", ...rest] = place.split(".");
  const members = membersOf(json);
  const inner = rest.length === 0 ? value : replaced(members[key], rest.join("."), value);
  const { [key]: _, ...others } = members;
  return inner === undefined ? others : { ...members, [key]: inner };
}

/** Alternative paths of the same quantity: values given for some of them replace all that a recipe has. */
const alternatives: readonly (readonly string[])[] = [
  ["schedule.everyEpochs", "schedule.everyFraction", "schedule.at"],
];

/** All alternatives of some paths, these among them. */
function alternativesOf(places: readonly string[]): readonly string[] {
  return alternatives.filter((paths) => paths.some((path) => places.includes(path))).flat();
}

/** A recipe without values that others at these paths replace. */
export function withoutAlternatives(recipe: Members, places: readonly string[]): Members {
  return alternativesOf(places).reduce((left, other) => replaced(left, other, undefined), recipe);
}

/** Settings with others that override them, and their alternatives. */
export function overridden<A extends object, B extends object>(given: A, over: B, table: SettingTable): A & B {
  const keys = Object.keys(over).filter((key) => (over as Members)[key] !== undefined);
  const placeOf = (key: string) => table[key]?.place.replace(/^recipe\./, "") ?? "";
  const others = alternativesOf(keys.map(placeOf));
  const kept = Object.entries(given).filter(([key]) => !others.includes(placeOf(key)));
  return { ...Object.fromEntries(kept), ...over } as A & B;
}

function membersOf(json: unknown): Members {
  return typeof json === "object" && json !== null ? (json as Members) : {};
}

/** Schema of settings as JSON, each optional, without other keys: the base of a sweep, and a file for `train --config`. */
export function settingsSchema<T extends SettingTable>(table: T) {
  const shape = Object.entries(table).map(([key, { schema }]) => [key, z.exactOptional(schema)]);
  return z.strictObject(Object.fromEntries(shape)) as unknown as z.ZodType<SettingsOf<T>>;
}

/** Types of the settings of a table, each optional. */
export type SettingsOf<T extends SettingTable> = { readonly [K in keyof T]?: SettingValue<T[K]> };

/** Validates the settings of a table among other options. Throws ConfigError naming the invalid one. */
export function checkedSettings<T extends SettingTable>(table: T, given: object): SettingsOf<T> {
  const entries = Object.entries(table).flatMap(([key, row]) => {
    const value = (given as Members)[key];
    if (value === undefined) return [];
    const parsed = z.safeParse(row.schema, value);
    if (parsed.success) return [[key, parsed.data]];
    const problem =
      typeof value === "object" ? problemsOf(parsed.error) : `${expectation(row)}, got ${JSON.stringify(value)}`;
    throw new ConfigError(`${key}: ${problem}`);
  });
  return Object.fromEntries(entries) as SettingsOf<T>;
}
