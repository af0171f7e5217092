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
  return `let c = i % ${channels}u; let x = i32(i / ${channels}u % ${width}u); let y = i32(i / ${channels * width}u % ${height}u); let image = i / ${channels * width * height}u;`;
}

/** WGSL of the index in a map of given extents. */
const at = (height: number, width: number, channels: number, y: string, x: string) =>
  `((image * ${height}u + u32(${y})) * ${width}u + u32(${x})) * ${channels}u + c`;

/** Body: y ← the largest of the window, ReLU'd if fused; `places` ← its place in the window, where training needs it. */
export function maxForward(
  p: Sliding,
  { relu, training }: { readonly relu: boolean; readonly training: boolean },
): string {
  return `${place(p.outHeight, p.outWidth, p.channels)}
  let top = y * ${p.stride} - ${p.padding}; let left = x * ${p.stride} - ${p.padding};
  var largest = 0.0; var best = -1;
  for (var ky = 0; ky < ${p.kernelSize}; ky++) {
    for (var kx = 0; kx < ${p.kernelSize}; kx++) {
      let row = top + ky; let column = left + kx;
      if (row >= 0 && row < ${p.height} && column >= 0 && column < ${p.width}) {
        let value = xs[${at(p.height, p.width, p.channels, "row", "column")}];
        if (best < 0 || value > largest) { largest = value; best = ky * ${p.kernelSize} + kx; }
      }
    }
  }
  ys[i] = ${relu ? "max(largest, 0.0)" : "largest"};
  ${training ? "places[i] = u32(best);" : ""}`;
}

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
    `let ky = y + ${p.padding} - r * ${p.stride}; let kx = x + ${p.padding} - q * ${p.stride};
    if (places[o] == u32(ky * ${p.kernelSize} + kx)) { sum += dy[o]; }`,
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
  const [[top, bottom], [left, right]] = [axes[0].window("r"), axes[1].window("q")];
  return `${place(p.outHeight, p.outWidth, p.channels)}
  let r = y; let q = x;
  var sum = 0.0;
  for (var row = ${top}; row < ${bottom}; row++) {
    for (var column = ${left}; column < ${right}; column++) { sum += xs[${at(p.height, p.width, p.channels, "row", "column")}]; }
  }
  ys[i] = sum / ${divisor(axes, fixed)};`;
}

/** Body: the windows' gradients, each divided by its number of pixels. */
export function meanBackward(p: Pooling, axes: Axes, fixed?: number): string {
  return overCovering(p, axes, `sum += dy[o] / ${divisor(axes, fixed)};`);
}
