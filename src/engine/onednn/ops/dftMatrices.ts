/** The constant matrices of convolution by the discrete Fourier transform, in a plan's memory. */
import type { Plan, Value } from "../plan.ts";
import { type Axis, dftTables, type Table, type VerticalFrequency } from "./dftTables.ts";

/** A matrix and its transpose. */
export interface Pair {
  readonly matrix: Value;
  readonly transposed: Value;
}

/** A vertical frequency. */
export interface PlacedFrequency extends Omit<VerticalFrequency, "filter"> {
  readonly filter: Pair;
}

/** The matrices of `DftTables`. */
export interface DftMatrices {
  readonly rows: number;
  readonly vertical: Pair;
  readonly verticalInverse: Pair;
  readonly horizontal: Readonly<Record<1 | 2, Pair>>;
  readonly horizontalInverse: Readonly<Record<1 | 2, Pair>>;
  readonly frequencies: readonly PlacedFrequency[];
  /** The most planes of a frequency. */
  readonly planes: number;
  /** A column of n ones. */
  column(n: number): Value;
  /** A row of n ones. */
  row(n: number): Value;
}

/** Places the matrices of a convolution, in f32; they are written when the plan first runs. `ones` is the most ones of a row or column. */
export function placeMatrices(plan: Plan, height: Axis, width: Axis, ones: number): DftMatrices {
  const tables = dftTables(height, width);
  const placed: { readonly value: Value; readonly numbers: Float32Array }[] = [];
  function place({ rows, columns, values: numbers }: Table): Value {
    const value = plan.value([rows, columns], plan.session.plain([rows, columns], "f32"));
    plan.keep(value);
    placed.push({ value, numbers });
    return value;
  }
  const pair = (table: Table): Pair => ({ matrix: place(table), transposed: place(transposed(table)) });
  const pairs = (both: Readonly<Record<1 | 2, Table>>) => ({ 1: pair(both[1]), 2: pair(both[2]) });
  const manyOnes = place({ rows: 1, columns: ones, values: new Float32Array(ones).fill(1) });
  const onesOf = (dims: readonly number[]): Value => ({ ...manyOnes, dims, desc: plan.session.plain(dims, "f32") });
  const matrices = {
    rows: tables.rows,
    vertical: pair(tables.vertical),
    verticalInverse: pair(tables.verticalInverse),
    horizontal: pairs(tables.horizontal),
    horizontalInverse: pairs(tables.horizontalInverse),
    frequencies: tables.frequencies.map(({ filter, ...frequency }) => ({ ...frequency, filter: pair(filter) })),
    planes: Math.max(...tables.frequencies.map(({ planes }) => planes)),
    column: (n: number) => onesOf([n, 1]),
    row: (n: number) => onesOf([1, n]),
  };
  let isWritten = false;
  plan.addCall(
    () => {
      if (isWritten) return;
      isWritten = true;
      for (const { value, numbers } of placed) plan.view(value).set(numbers);
    },
    placed.map(({ value }) => value),
  );
  return matrices;
}

function transposed({ rows, columns, values }: Table): Table {
  const at = (i: number) => values[(i % rows) * columns + Math.floor(i / rows)] as number;
  return { rows: columns, columns: rows, values: values.map((_, i) => at(i)) };
}
