/** Pooling as gathers, forward and backward: one thread for each element, so that sums have a fixed order. Maps are [image, y, x, channel]. */

/** Extents of a pooling operation. */
export interface Pooling {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
}

/** A window of a fixed size. */
export interface Sliding extends Pooling {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
}

/** `let image, y, x, c` of element i of a map. */
export function place(height: number, width: number, channels: number): string {
  return `let c = i % ${channels}; let x = i32(i / ${channels} % ${width}); let y = i32(i / ${channels * width} % ${height}); let image = i / ${channels * width * height};`;
}

/** WGSL of the index in a map of given extents. */
const at = (height: number, width: number, channels: number, y: string, x: string) =>
  `((image * ${height} + u32(${y})) * ${width} + u32(${x})) * ${channels} + c`;

/** Windows of an axis, as WGSL: first and last pixel plus one of output `r`, and the outputs that may hold pixel `y`. */
interface Axis {
  window(r: string): readonly [from: string, to: string];
  outputs(y: string): readonly [first: string, last: string];
}

/** Windows of both axes, clipped to the map. */
type Axes = readonly [rows: Axis, columns: Axis];

const axesOf = (p: Pooling, axis: (extent: number, outputs: number) => Axis): Axes => [
  axis(p.height, p.outHeight),
  axis(p.width, p.outWidth),
];

/** Windows of a fixed size. */
export const slidingAxes = (p: Sliding): Axes =>
  axesOf(p, (extent, outputs) => ({
    window: (r) => {
      const start = `${r} * ${p.stride} - ${p.padding}`;
      return [`max(0, ${start})`, `min(${extent}, ${start} + ${p.kernelSize})`];
    },
    outputs: (y) => [
      `max(0, (${y} + ${p.padding} - ${p.kernelSize - p.stride - p.stride * p.kernelSize}) / ${p.stride} - ${p.kernelSize})`,
      `min(${outputs - 1}, (${y} + ${p.padding}) / ${p.stride})`,
    ],
  }));

/** Windows of adaptive pooling, which divide the map: ⌊r·H/S⌋ to ⌈(r+1)·H/S⌉. */
export const adaptiveAxes = (p: Pooling): Axes =>
  axesOf(p, (extent, outputs) => ({
    window: (r) => [`${r} * ${extent} / ${outputs}`, `((${r} + 1) * ${extent} + ${outputs - 1}) / ${outputs}`],
    outputs: (y) => [
      `max(0, ${y} * ${outputs} / ${extent} - 1)`,
      `min(${outputs - 1}, (${y} + 1) * ${outputs} / ${extent} + 1)`,
    ],
  }));

/** A loop over the pixels (row, column) of the window of element i, whose value is `value`; its output is (y, x). */
function overWindow(p: Pooling, [rows, columns]: Axes, body: string): string {
  const loop = (r: string, y: string, { window }: Axis, inner: string) => {
    const [from, to] = window(y);
    return `for (var ${r} = ${from}; ${r} < ${to}; ${r}++) { ${inner} }`;
  };
  const value = `let value = xs[${at(p.height, p.width, p.channels, "row", "column")}]; ${body}`;
  return `${place(p.outHeight, p.outWidth, p.channels)}
  ${loop("row", "y", rows, loop("column", "x", columns, value))}`;
}

/** Place of a pixel in the window of an output. */
const inWindow = (
  { kernelSize, stride, padding }: Sliding,
  pixel: readonly [string, string],
  output: readonly [string, string],
) =>
  `(${pixel[0]} + ${padding} - ${output[0]} * ${stride}) * ${kernelSize} + ${pixel[1]} + ${padding} - ${output[1]} * ${stride}`;

/** Body: ys ← the largest of the window, ReLU'd if fused; `places` ← its place in the window, where training needs it. */
export function maxForward(
  p: Sliding,
  { relu, training }: { readonly relu: boolean; readonly training: boolean },
): string {
  return `var largest = 0.0; var best = -1;
  ${overWindow(p, slidingAxes(p), `if (best < 0 || value > largest) { largest = value; best = ${inWindow(p, ["row", "column"], ["y", "x"])}; }`)}
  ys[i] = ${relu ? "max(largest, 0)" : "largest"};
  ${training ? "places[i] = u32(best);" : ""}`;
}

/** A loop over the outputs (r, q) whose window holds the input pixel of element i. */
function overCovering(p: Pooling, [rows, columns]: Axes, body: string): string {
  const loop = (r: string, y: string, { window, outputs }: Axis, inner: string) => {
    const [first, last] = outputs(y);
    const [from, to] = window(r);
    return `for (var ${r} = ${first}; ${r} <= ${last}; ${r}++) {
    if (${y} < ${from} || ${y} >= ${to}) { continue; }
    ${inner}
  }`;
  };
  return `${place(p.height, p.width, p.channels)}
  var sum = 0.0;
  ${loop("r", "y", rows, loop("q", "x", columns, `let o = ${at(p.outHeight, p.outWidth, p.channels, "r", "q")}; ${body}`))}`;
}

/** Body: the gradients of the windows of which the element is the largest. */
export function maxBackward(p: Sliding): string {
  return overCovering(
    p,
    slidingAxes(p),
    `if (places[o] == u32(${inWindow(p, ["y", "x"], ["r", "q"])})) { sum += dy[o]; }`,
  );
}

/** Pixels of the window of output (r, q), or the fixed number by which its sum is divided. */
function divisor([rows, columns]: Axes, fixed: number | undefined): string {
  if (fixed !== undefined) return `${fixed}.0`;
  const length = (axis: Axis, r: string) => axis.window(r).toReversed().join(" - ");
  return `f32((${length(rows, "r")}) * (${length(columns, "q")}))`;
}

/** Body: ys ← the mean over the window. */
export function meanForward(p: Pooling, axes: Axes, fixed?: number): string {
  return `var sum = 0.0;
  ${overWindow(p, axes, "sum += value;")}
  let r = y; let q = x;
  ys[i] = sum / ${divisor(axes, fixed)};`;
}

/** Body: the windows' gradients, each divided by its number of pixels. */
export function meanBackward(p: Pooling, axes: Axes, fixed?: number): string {
  return overCovering(p, axes, `sum += dy[o] / ${divisor(axes, fixed)};`);
}
