/** The constant matrices of convolution by the discrete Fourier transform, in a plan's memory. */
import type { NumberFormat } from "../native/oneDnn.ts";
import type { Plan, Value } from "../plan.ts";
import { type Axis, dftTables, type Table, type VerticalFrequency } from "./dftTables.ts";

/** A matrix and its transpose. */
export interface Pair {
  readonly matrix: Value;
  readonly transposed: Value;
}

/** A vertical frequency; the filters' gradients are made in f32. */
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
  /** A row of n ones, in the format of the products. */
  row(n: number): Value;
}

/** Places the matrices of a convolution; they are written when the plan first runs. `ones` is the most ones of a row or column. */
export function placeMatrices(
  plan: Plan,
  format: NumberFormat,
  height: Axis,
  width: Axis,
  ones: number,
): DftMatrices {
  const tables = dftTables(height, width);
  const written: { readonly value: Value; readonly format: NumberFormat; readonly numbers: Float32Array }[] = [];
  function place({ rows, columns, values }: Table, inFormat: NumberFormat): Value {
    // An even number of bf16 numbers fills whole words.
    const whole = [Math.ceil(values.length / 2) * 2];
    const value = plan.value(whole, plan.session.plain(whole, inFormat));
    plan.keep(value);
    written.push({ value, format: inFormat, numbers: values });
    return { ...value, dims: [rows, columns], desc: plan.session.plain([rows, columns], inFormat) };
  }
  const pair = (table: Table, transposedFormat = format): Pair => ({
    matrix: place(table, format),
    transposed: place(transposed(table), transposedFormat),
  });
  const pairs = (both: Readonly<Record<1 | 2, Table>>) => ({ 1: pair(both[1]), 2: pair(both[2]) });
  const onesOf = (inFormat: NumberFormat) =>
    place({ rows: 1, columns: ones, values: new Float32Array(ones).fill(1) }, inFormat);
  const [f32Ones, formatOnes] = [onesOf("f32"), onesOf(format)];
  const reshaped = (value: Value, dims: readonly number[], inFormat: NumberFormat): Value => ({
    ...value,
    dims,
    desc: plan.session.plain(dims, inFormat),
  });
  const matrices = {
    rows: tables.rows,
    vertical: pair(tables.vertical),
    verticalInverse: pair(tables.verticalInverse),
    horizontal: pairs(tables.horizontal),
    horizontalInverse: pairs(tables.horizontalInverse),
    frequencies: tables.frequencies.map(({ filter, ...frequency }) => ({ ...frequency, filter: pair(filter, "f32") })),
    planes: Math.max(...tables.frequencies.map(({ planes }) => planes)),
    column: (n: number) => reshaped(f32Ones, [n, 1], "f32"),
    row: (n: number) => reshaped(formatOnes, [1, n], format),
  };
  addWriting(plan, written);
  return matrices;
}

function addWriting(
  plan: Plan,
  tables: readonly { readonly value: Value; readonly format: NumberFormat; readonly numbers: Float32Array }[],
): void {
  let isWritten = false;
  plan.addCall(
    () => {
      if (isWritten) return;
      isWritten = true;
      for (const { value, format, numbers } of tables) {
        const view = plan.view(value);
        if (format === "f32") view.set(numbers);
        else new Uint16Array(view.buffer, view.byteOffset, 2 * view.length).set(asBf16(numbers));
      }
    },
    tables.map(({ value }) => value),
  );
}

/** The upper halves of the numbers, rounded to the nearest, of two to the even one. */
function asBf16(numbers: Float32Array): Uint16Array {
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  return Uint16Array.from(words, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

function transposed({ rows, columns, values }: Table): Table {
  return { rows: columns, columns: rows, values: values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)] as number) };
}
