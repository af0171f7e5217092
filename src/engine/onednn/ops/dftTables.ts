/**
 * Constant matrices of convolution by the discrete Fourier transform. docs/onednn.md derives them.
 *
 * Along an axis the transform has S points. That of a real map has conjugate symmetry, so that the vertical transform keeps S real rows: the real part of
 * frequency 0, real and imaginary parts of the others below S / 2, and the real part of frequency S / 2 if S is even. Rows of one vertical frequency,
 * transformed horizontally, give its planes: three real numbers for a complex frequency, whose product takes three real multiplications, and one for
 * a real frequency.
 */

/** A matrix in row order. */
export interface Table {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** One axis of a convolution of stride 1. */
export interface Axis {
  readonly size: number;
  readonly kernelSize: number;
  readonly padding: number;
}

/** Rows of one vertical frequency, and what they become. */
export interface VerticalFrequency {
  readonly firstRow: number;
  /** 1 if it is real, else 2. */
  readonly rows: 1 | 2;
  readonly planes: number;
  /** [planes, kernelSize²]. */
  readonly filter: Table;
}

/** The matrices of one convolution. Gradients take their transposes. */
export interface DftTables {
  /** Rows of the vertical transform. */
  readonly rows: number;
  /** [rows, H]. */
  readonly vertical: Table;
  /** [outputH, rows]. */
  readonly verticalInverse: Table;
  /** By the number of rows: [planes, rows · W]. */
  readonly horizontal: Readonly<Record<1 | 2, Table>>;
  /** By the number of rows: [rows · outputW, planes]. */
  readonly horizontalInverse: Readonly<Record<1 | 2, Table>>;
  readonly frequencies: readonly VerticalFrequency[];
}

/** Number of outputs along an axis. */
export const outputSize = ({ size, kernelSize, padding }: Axis): number => size + 2 * padding - kernelSize + 1;

/**
 * Points of the transform: a map with its padding on one side, as the zeros on the other are the same points. At least the outputs, which are more where
 * the padding reaches past the kernel.
 */
export const points = (axis: Axis): number => Math.max(axis.size + axis.padding, outputSize(axis));

/** Products of two real numbers for each pair of channels, per image: what direct convolution needs kernel size² · outputs of. */
export function productsOf(height: Axis, width: Axis): number {
  const [complex, real] = ([2, 1] as const).map((rows) => horizontalParts(points(width), rows).length);
  const realRows = points(height) % 2 === 0 ? 2 : 1;
  return realRows * (real as number) + ((points(height) - realRows) / 2) * (complex as number);
}

/** The matrices of a convolution over maps of height and width. */
export function dftTables(height: Axis, width: Axis): DftTables {
  const verticals = frequenciesOf(points(height));
  const horizontal = (rows: 1 | 2) => forwardTable(height, width, rows);
  const horizontalInverse = (rows: 1 | 2) => inverseTable(width, rows);
  return {
    rows: points(height),
    vertical: verticalTable(height),
    verticalInverse: verticalInverseTable(height),
    horizontal: { 1: horizontal(1), 2: horizontal(2) },
    horizontalInverse: { 1: horizontalInverse(1), 2: horizontalInverse(2) },
    frequencies: verticals.map(({ k, rows, firstRow }) => {
      const filter = filterTable(height, width, k, rows);
      return { firstRow, rows, planes: filter.rows, filter };
    }),
  };
}

interface Frequency {
  readonly k: number;
  readonly rows: 1 | 2;
  readonly firstRow: number;
}

/** Frequencies 0 to S / 2. */
function frequenciesOf(s: number): readonly Frequency[] {
  const isReal = (k: number) => k === 0 || 2 * k === s;
  return Array.from({ length: Math.floor(s / 2) + 1 }, (_, k) => ({
    k,
    rows: isReal(k) ? 1 : 2,
    firstRow: Math.max(0, 2 * k - 1),
  }));
}

/** A plane's horizontal frequency and which number of it the plane is. */
interface Plane {
  readonly k: number;
  readonly part: "real" | 0 | 1 | 2;
}

/** Planes of a vertical frequency: all horizontal frequencies of a complex one, half of those of a real one. */
function horizontalParts(s: number, rows: 1 | 2): readonly Plane[] {
  const three = (k: number): readonly Plane[] => [0, 1, 2].map((part) => ({ k, part: part as 0 | 1 | 2 }));
  if (rows === 2) return Array.from({ length: s }, (_, k) => k).flatMap(three);
  return frequenciesOf(s).flatMap(({ k, rows }): readonly Plane[] => (rows === 1 ? [{ k, part: "real" }] : three(k)));
}

function table(rows: number, columns: number, value: (row: number, column: number) => number): Table {
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < values.length; i++) values[i] = value(Math.floor(i / columns), i % columns);
  return { rows, columns, values };
}

/** cos and sin of 2π k n / S; the angle is reduced before it is rounded. */
function turn(k: number, n: number, s: number): readonly [cos: number, sin: number] {
  const angle = (2 * Math.PI * ((k * n) % s)) / s;
  return [Math.cos(angle), Math.sin(angle)];
}

function verticalTable(axis: Axis): Table {
  const s = points(axis);
  return table(s, axis.size, (row, y) => {
    const [cos, sin] = turn(Math.ceil(row / 2), y + axis.padding, s);
    return isImaginary(row) ? -sin : cos;
  });
}

/** Rows: frequency 0, then real and imaginary parts in turn. */
const isImaginary = (row: number): boolean => row > 0 && row % 2 === 0;

/** Frequencies between 0 and S / 2 stand for two each. */
function verticalInverseTable(axis: Axis): Table {
  const s = points(axis);
  return table(outputSize(axis), s, (y, row) => {
    const k = Math.ceil(row / 2);
    const [cos, sin] = turn(k, y, s);
    const weight = k === 0 || 2 * k === s ? 1 : 2;
    return weight * (isImaginary(row) ? -sin : cos);
  });
}

/** From real and imaginary parts to (re + im, re, im), divided by the number of points of both axes. */
function forwardTable(height: Axis, width: Axis, rows: 1 | 2): Table {
  const s = points(width);
  const parts = horizontalParts(s, rows);
  const scale = 1 / (points(height) * s);
  return table(parts.length, rows * width.size, (row, column) => {
    const { k, part } = parts[row] as Plane;
    const [cos, sin] = turn(k, (column % width.size) + width.padding, s);
    // The transform of (1, 0) is (cos, −sin), that of (0, 1) is (sin, cos).
    const [re, im] = column < width.size ? [cos, -sin] : [sin, cos];
    return scale * (part === 0 ? re + im : part === 2 ? im : re);
  });
}

/** Of the conjugate transform of a filter, c + id: (c, d − c, c + d). */
function filterTable(height: Axis, width: Axis, k: number, rows: 1 | 2): Table {
  const [sy, sx] = [points(height), points(width)];
  const parts = horizontalParts(sx, rows);
  return table(parts.length, height.kernelSize * width.kernelSize, (row, tap) => {
    const { k: kx, part } = parts[row] as Plane;
    const [cy, dy] = turn(k, Math.floor(tap / width.kernelSize), sy);
    const [cx, dx] = turn(kx, tap % width.kernelSize, sx);
    const [c, d] = [cy * cx - dy * dx, cy * dx + dy * cx];
    return part === 1 ? d - c : part === 2 ? c + d : c;
  });
}

/** From the three products to (p0 − p2) + i (p0 + p1), and from there to real and imaginary parts of the outputs. */
function inverseTable(width: Axis, rows: 1 | 2): Table {
  const s = points(width);
  const outputs = outputSize(width);
  const parts = horizontalParts(s, rows);
  return table(rows * outputs, parts.length, (row, column) => {
    const { k, part } = parts[column] as Plane;
    const [cos, sin] = turn(k, row % outputs, s);
    // The real part of the inverse takes cos · re − sin · im, the imaginary part sin · re + cos · im.
    const [re, im] = row < outputs ? [cos, -sin] : [sin, cos];
    if (part === "real") return re;
    const weight = rows === 1 ? 2 : 1;
    return weight * (part === 0 ? re + im : part === 1 ? im : -re);
  });
}
