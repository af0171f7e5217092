/** Text that `sweep` prints. */
import { formatLoss, formatPercent } from "../numbers.ts";
import { wrap } from "../text.ts";
import { type Column, formatTable } from "./terminal.ts";

/** One trial. */
export interface SweptTrial {
  readonly number: number;
  readonly values: Readonly<Record<string, unknown>>;
  readonly status: string;
  readonly error?: string | undefined;
  /** Accuracies as fractions. */
  readonly bestAccuracy?: number | undefined;
  readonly lastAccuracy?: number | undefined;
  readonly trainLoss?: number | undefined;
}

/** A value in few characters: `0.01`, `adam`, `[1,2]`; a network or recipe by its name. */
export function formatValue(value: unknown): string {
  // Whole numbers, such as seeds, are shown in full.
  if (typeof value === "number") return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  if (typeof value === "object" && value !== null && "name" in value) return String(value.name);
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** `learningRate 0.01, optimizer.momentum 0.9`. */
export function describeValues(values: SweptTrial["values"]): string {
  return Object.entries(values)
    .map(([key, value]) => `${key} ${formatValue(value)}`)
    .join(", ");
}

/** Shortens a key to its last part if that is unique: `momentum` for `optimizer.momentum`. */
export function shortKeys(keys: readonly string[]): readonly string[] {
  const last = (key: string) => key.split(".").at(-1) ?? key;
  return keys.map((key) => (keys.filter((other) => last(other) === last(key)).length === 1 ? last(key) : key));
}

/** Keys whose values differ between trials; all keys if there is one trial. */
export function differingKeys(trials: readonly SweptTrial[]): readonly string[] {
  const keys = [...new Set(trials.flatMap(({ values }) => Object.keys(values)))];
  if (trials.length < 2) return keys;
  return keys.filter((key) => new Set(trials.map(({ values }) => JSON.stringify(values[key]))).size > 1);
}

/** One line per trial in the given order, then the errors; at most 80 columns. */
export function formatSweep(trials: readonly SweptTrial[]): string {
  const keys = differingKeys(trials);
  const columns: readonly Column[] = [
    { heading: "Trial", align: "right" },
    ...shortKeys(keys).map((heading): Column => ({ heading, align: "right", shrinks: true })),
    { heading: "Best", align: "right" },
    { heading: "Last", align: "right" },
    { heading: "Loss", align: "right" },
    { heading: "", align: "left" },
  ];
  const optional = (value: number | undefined, format: (value: number) => string) =>
    value === undefined ? "–" : format(value);
  const rows = trials.map(({ number, values, status, bestAccuracy, lastAccuracy, trainLoss }) => [
    String(number),
    ...keys.map((key) => formatValue(values[key])),
    optional(bestAccuracy, formatPercent),
    optional(lastAccuracy, formatPercent),
    optional(trainLoss, (loss) => (loss < 1e4 ? formatLoss(loss) : loss.toExponential(1))),
    status === "finished" ? "" : status,
  ]);
  const errors = trials.flatMap(({ number, error }) => (error === undefined ? [] : [wrap(error, `trial ${number}: `)]));
  return [formatTable(columns, rows), ...(errors.length > 0 ? ["", ...errors] : [])].join("\n");
}
