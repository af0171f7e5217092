/**
 * The three products of a convolution, by their factors. Maps are [image, y, x, channel], weights [group, tap, input channel, output channel] with the
 * taps of the window row by row. A linear layer is a convolution of a map of one pixel.
 */
import { four, loadAlongDepth, rowsOf, vectorAt } from "./factors.ts";
import { elementOf, type Factor, type Product, put } from "./product.ts";
import type { Operand } from "./wgsl.ts";

/** Extents of a convolution. */
export interface Convolution {
  readonly inChannels: number;
  readonly height: number;
  readonly width: number;
  readonly outChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  readonly batchSize: number;
}

/** Derived extents: channels of a group, taps, pixels of the output. */
export function extentsOf(c: Convolution) {
  return {
    ins: c.inChannels / c.groups,
    outs: c.outChannels / c.groups,
    taps: c.kernelSize ** 2,
    pixels: c.outHeight * c.outWidth,
    inPixels: c.height * c.width,
  };
}

/** `let ${tap}, ${channel}` of index `k` of [taps][channels]. */
function split(k: string, taps: number, channels: number): string {
  return taps === 1 ? `let tap = 0u; let c = ${k};` : `let tap = ${k} / ${channels}u; let c = ${k} % ${channels}u;`;
}

/** Input pixels under the window of output pixel m, along the depth [tap][channel]. */
function windows(c: Convolution): Factor {
  const { ins, taps, pixels, inPixels } = extentsOf(c);
  const depth = taps * ins;
  const load = loadAlongDepth("a", {
    operand: "xs",
    isVector: ins % 4 === 0,
    outside: `k >= ${depth}u`,
    index: (zero) => `${split("k", taps, ins)}
  let y = f.y + i32(tap / ${c.kernelSize}u); let x = f.z + i32(tap % ${c.kernelSize}u);
  if (u32(y) >= ${c.height}u || u32(x) >= ${c.width}u) { return ${zero}; }
  let i = u32(f.x + (y * ${c.width} + x) * ${c.inChannels}) + c;`,
  });
  return {
    along: "depth",
    text: `fn aFixed(m: u32, group: u32) -> vec4i {
  if (m >= step.images * ${pixels}u) { return vec4i(0, -1000000, -1000000, 0); }
  let p = m % ${pixels}u;
  return vec4i(i32(m / ${pixels}u * ${inPixels * c.inChannels}u + group * ${ins}u),
    i32(p / ${c.outWidth}u * ${c.stride}u) - ${c.padding}, i32(p % ${c.outWidth}u * ${c.stride}u) - ${c.padding}, 0);
}
${load}`,
  };
}

/** y = x ∗ w + b, and max(0, y) with a fused ReLU. */
export function forwardProduct(c: Convolution, relu: boolean): Product {
  const { ins, outs, taps, pixels } = extentsOf(c);
  const depth = taps * ins;
  const bias =
    outs % 4 === 0
      ? "bias[i / 4u]"
      : `vec4f(${[0, 1, 2, 3].map((j) => `bias[min(i + ${j}u, ${c.outChannels - 1}u)]`).join(", ")})`;
  const out = elementOf(outs);
  return {
    operands: [
      { name: "xs", access: "read", element: elementOf(ins) },
      { name: "w", access: "read", element: out },
    ],
    a: windows(c),
    b: rowsOf("w", `${depth}u`, outs, `group * ${depth * outs}u`, outs),
    rows: `step.images * ${pixels}u`,
    maxRows: c.batchSize * pixels,
    columns: outs,
    depth: `${depth}u`,
    groups: c.groups,
    finish: `${put("y", outs)}
fn finish(m: u32, n: u32, group: u32, v: vec4f) {
  let i = group * ${outs}u + n;
  let sum = v + ${bias};
  put_y(m * ${c.outChannels}u + i, n, ${relu ? "max(sum, vec4f())" : "sum"});
}`,
  };
}

/** Operands of `finish`. */
export function forwardResults(c: Convolution): readonly Operand[] {
  const element = elementOf(extentsOf(c).outs);
  return [
    { name: "bias", access: "read", element },
    { name: "y", access: "write", element },
  ];
}

/** Output gradients that an input pixel m reaches, along the depth [tap][output channel]. */
function reached(c: Convolution): Factor {
  const { outs, taps, pixels, inPixels } = extentsOf(c);
  const depth = taps * outs;
  const unstrided = (zero: string) =>
    c.stride === 1
      ? "let y = ty; let x = tx;"
      : `if (ty < 0 || tx < 0 || ty % ${c.stride} != 0 || tx % ${c.stride} != 0) { return ${zero}; }
  let y = ty / ${c.stride}; let x = tx / ${c.stride};`;
  const load = loadAlongDepth("a", {
    operand: "dy",
    isVector: outs % 4 === 0,
    outside: `k >= ${depth}u`,
    index: (zero) => `${split("k", taps, outs)}
  let ty = f.y - i32(tap / ${c.kernelSize}u); let tx = f.z - i32(tap % ${c.kernelSize}u);
  ${unstrided(zero)}
  if (u32(y) >= ${c.outHeight}u || u32(x) >= ${c.outWidth}u) { return ${zero}; }
  let i = u32(f.x + (y * ${c.outWidth} + x) * ${c.outChannels}) + c;`,
  });
  return {
    along: "depth",
    text: `fn aFixed(m: u32, group: u32) -> vec4i {
  if (m >= step.images * ${inPixels}u) { return vec4i(0, -1000000, -1000000, 0); }
  let p = m % ${inPixels}u;
  return vec4i(i32(m / ${inPixels}u * ${pixels * c.outChannels}u + group * ${outs}u),
    i32(p / ${c.width}u) + ${c.padding}, i32(p % ${c.width}u) + ${c.padding}, 0);
}
${load}`,
  };
}

/** Weights of input channel n, along the depth [tap][output channel]. */
function transposedWeights(c: Convolution): Factor {
  const { ins, outs, taps } = extentsOf(c);
  const load = loadAlongDepth("b", {
    operand: "w",
    isVector: outs % 4 === 0,
    outside: `k >= ${taps * outs}u || f.y >= ${ins}`,
    index: () => `${split("k", taps, outs)}
  let i = u32(f.x) + tap * ${ins * outs}u + c;`,
  });
  return {
    along: "depth",
    text: `fn bFixed(n: u32, group: u32) -> vec4i { return vec4i(i32((group * ${taps * ins}u + n) * ${outs}u), i32(n), 0, 0); }
${load}`,
  };
}

/** dx = the sum over the window of dy · w; where the input is the output of a fused ReLU, 0 where it is 0. */
export function inputGradientProduct(c: Convolution, isMasked: boolean): Product {
  const { ins, outs, taps, inPixels } = extentsOf(c);
  const at =
    ins % 4 === 0
      ? "z[i / 4u]"
      : `vec4f(${[0, 1, 2, 3].map((j) => `z[min(i + ${j}u, arrayLength(&z) - 1u)]`).join(", ")})`;
  const value = isMasked ? `select(vec4f(), v, ${at} > vec4f())` : "v";
  return {
    operands: [
      { name: "dy", access: "read", element: elementOf(outs) },
      { name: "w", access: "read", element: elementOf(outs) },
    ],
    a: reached(c),
    b: transposedWeights(c),
    rows: `step.images * ${inPixels}u`,
    maxRows: c.batchSize * inPixels,
    columns: ins,
    depth: `${taps * outs}u`,
    groups: c.groups,
    finish: `${put("dx", ins)}
fn finish(m: u32, n: u32, group: u32, v: vec4f) {
  let i = m * ${c.inChannels}u + group * ${ins}u + n;
  put_dx(i, n, ${value});
}`,
  };
}

export function inputGradientResults(c: Convolution, isMasked: boolean): readonly Operand[] {
  const element = elementOf(extentsOf(c).ins);
  const dx: Operand = { name: "dx", access: "write", element };
  return isMasked ? [{ name: "z", access: "read", element }, dx] : [dx];
}

/** Inputs of the weight in row m of [tap][channel], for every output pixel; a last row of ones makes the bias' gradient. */
function inputsOf(c: Convolution): Factor {
  const { ins, taps, pixels, inPixels } = extentsOf(c);
  const rows = taps * ins;
  const isVector = ins % 4 === 0;
  const pixel = `let p = k % ${pixels}u; let base = i32(k / ${pixels}u * ${inPixels * c.inChannels}u);
  let y0 = i32(p / ${c.outWidth}u * ${c.stride}u); let x0 = i32(p % ${c.outWidth}u * ${c.stride}u);`;
  const depth = `step.images * ${pixels}u`;
  const outside = `u32(y) >= ${c.height}u || u32(x) >= ${c.width}u`;
  const fixed = `${split("m", taps, ins)}
  let at = vec4i(i32(c + group * ${ins}u), i32(tap / ${c.kernelSize}u) - ${c.padding}, i32(tap % ${c.kernelSize}u) - ${c.padding}, 0);`;
  if (isVector) {
    return {
      along: "across",
      text: `fn aFixed(m: u32, group: u32) -> vec4i {
  if (m >= ${rows}u) { return vec4i(0, 0, 0, select(2, 1, m == ${rows}u)); }
  ${fixed}
  return at;
}
fn aLoad(f: vec4i, k: u32) -> vec4f {
  if (k >= ${depth} || f.w == 2) { return vec4f(); }
  if (f.w == 1) { return vec4f(1.0, 0.0, 0.0, 0.0); }
  ${pixel}
  let y = y0 + f.y; let x = x0 + f.z;
  if (${outside}) { return vec4f(); }
  let i = u32(base + (y * ${c.width} + x) * ${c.inChannels} + f.x);
  return ${vectorAt("xs")};
}`,
    };
  }
  return {
    along: "across",
    text: `fn aFixed(m: u32, group: u32) -> vec4i { return vec4i(i32(m), i32(group), 0, 0); }
fn aOne(m: u32, group: u32, base: i32, y0: i32, x0: i32) -> f32 {
  if (m >= ${rows}u) { return select(0.0, 1.0, m == ${rows}u); }
  ${fixed}
  let y = y0 + at.y; let x = x0 + at.z;
  if (${outside}) { return 0.0; }
  return xs[u32(base + (y * ${c.width} + x) * ${c.inChannels} + at.x)];
}
fn aLoad(f: vec4i, k: u32) -> vec4f {
  if (k >= ${depth}) { return vec4f(); }
  ${pixel}
  return ${four("aOne(u32(f.x) + $, u32(f.y), base, y0, x0)")};
}`,
  };
}

/** dw = the sum over pixels of x · dy, and db of dy: one more row. */
export function weightGradientProduct(c: Convolution): Product {
  const { ins, outs, taps, pixels } = extentsOf(c);
  const rows = taps * ins;
  return {
    operands: [
      { name: "xs", access: "read", element: elementOf(ins) },
      { name: "dy", access: "read", element: elementOf(outs) },
    ],
    a: inputsOf(c),
    b: rowsOf("dy", `step.images * ${pixels}u`, outs, `group * ${outs}u`, c.outChannels),
    rows: `${rows + 1}u`,
    maxRows: rows + 1,
    columns: outs,
    depth: `(step.images * ${pixels}u)`,
    groups: c.groups,
    finish: `${put("dw", outs)}
${put("db", outs)}
fn finish(m: u32, n: u32, group: u32, v: vec4f) {
  if (m < ${rows}u) { put_dw((group * ${rows}u + m) * ${outs}u + n, n, v); } else { put_db(group * ${outs}u + n, n, v); }
}`,
  };
}

export function weightGradientResults(c: Convolution): readonly Operand[] {
  const element = elementOf(extentsOf(c).outs);
  return [
    { name: "dw", access: "write", element },
    { name: "db", access: "write", element },
  ];
}
