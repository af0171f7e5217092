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

/** Output rows whose window holds input row `y`: `first` to `last`. */
function covering(axis: "y" | "x", outputs: number, { kernelSize, stride, padding }: Sliding): string {
  return `let ${axis}First = max(0, (${axis} + ${padding} - ${kernelSize - 1} + ${stride - 1} + ${stride * kernelSize}) / ${stride} - ${kernelSize});
  let ${axis}Last = min(${outputs - 1}, (${axis} + ${padding}) / ${stride});`;
}

/** A loop over the outputs (r, q) whose window holds the input pixel of element i. */
function overCovering(p: Sliding, body: string): string {
  return `${place(p.height, p.width, p.channels)}
  ${covering("y", p.outHeight, p)}
  ${covering("x", p.outWidth, p)}
  var sum = 0.0;
  for (var r = yFirst; r <= yLast; r++) {
    for (var q = xFirst; q <= xLast; q++) {
      let o = ${at(p.outHeight, p.outWidth, p.channels, "r", "q")};
      ${body}
    }
  }`;
}

/** Body: the gradients of the windows of which the element is the largest. */
export function maxBackward(p: Sliding): string {
  return overCovering(
    p,
    `let ky = y + ${p.padding} - r * ${p.stride}; let kx = x + ${p.padding} - q * ${p.stride};
      if (places[o] == u32(ky * ${p.kernelSize} + kx)) { sum += dy[o]; }`,
  );
}

/** Number of pixels in the window of output (r, q). */
function divisor(p: Sliding, countIncludePad: boolean): string {
  if (countIncludePad) return `${p.kernelSize ** 2}.0`;
  const axis = (position: string, extent: number) =>
    `(min(${extent}, ${position} * ${p.stride} - ${p.padding} + ${p.kernelSize}) - max(0, ${position} * ${p.stride} - ${p.padding}))`;
  return `f32(${axis("r", p.height)} * ${axis("q", p.width)})`;
}

/** Body: ys ← the mean over the window. */
export function averageForward(p: Sliding, countIncludePad: boolean): string {
  return `${place(p.outHeight, p.outWidth, p.channels)}
  let r = y; let q = x;
  var sum = 0.0;
  for (var row = max(0, r * ${p.stride} - ${p.padding}); row < min(${p.height}, r * ${p.stride} - ${p.padding} + ${p.kernelSize}); row++) {
    for (var column = max(0, q * ${p.stride} - ${p.padding}); column < min(${p.width}, q * ${p.stride} - ${p.padding} + ${p.kernelSize}); column++) {
      sum += xs[${at(p.height, p.width, p.channels, "row", "column")}];
    }
  }
  ys[i] = sum / ${divisor(p, countIncludePad)};`;
}

/** Body: the windows' gradients, each divided by its number of pixels. */
export function averageBackward(p: Sliding, countIncludePad: boolean): string {
  return overCovering(p, `sum += dy[o] / ${divisor(p, countIncludePad)};`);
}

/** First and last pixel plus one of output `r` of an axis: ⌊r·H/S⌋ and ⌈(r+1)·H/S⌉. */
const adaptive = (r: string, extent: number, outputs: number) =>
  [`(${r} * ${extent} / ${outputs})`, `(((${r} + 1) * ${extent} + ${outputs - 1}) / ${outputs})`] as const;

/** Body: ys ← the mean over the window of adaptive average pooling. */
export function adaptiveForward(p: Pooling): string {
  const [top, bottom] = adaptive("y", p.height, p.outHeight);
  const [left, right] = adaptive("x", p.width, p.outWidth);
  return `${place(p.outHeight, p.outWidth, p.channels)}
  var sum = 0.0;
  for (var row = ${top}; row < ${bottom}; row++) {
    for (var column = ${left}; column < ${right}; column++) {
      sum += xs[${at(p.height, p.width, p.channels, "row", "column")}];
    }
  }
  ys[i] = sum / f32((${bottom} - ${top}) * (${right} - ${left}));`;
}

/** Body: the gradients of the windows that hold the element, each divided by its number of pixels. */
export function adaptiveBackward(p: Pooling): string {
  const axis = (name: "y" | "x", r: string, extent: number, outputs: number) => ({
    from: `max(0, ${name} * ${outputs} / ${extent} - 1)`,
    to: `min(${outputs - 1}, (${name} + 1) * ${outputs} / ${extent} + 1)`,
    window: adaptive(r, extent, outputs),
  });
  const rows = axis("y", "r", p.height, p.outHeight);
  const columns = axis("x", "q", p.width, p.outWidth);
  return `${place(p.height, p.width, p.channels)}
  var sum = 0.0;
  for (var r = ${rows.from}; r <= ${rows.to}; r++) {
    let top = ${rows.window[0]}; let bottom = ${rows.window[1]};
    if (y < top || y >= bottom) { continue; }
    for (var q = ${columns.from}; q <= ${columns.to}; q++) {
      let left = ${columns.window[0]}; let right = ${columns.window[1]};
      if (x < left || x >= right) { continue; }
      sum += dy[${at(p.outHeight, p.outWidth, p.channels, "r", "q")}] / f32((bottom - top) * (right - left));
    }
  }`;
}
