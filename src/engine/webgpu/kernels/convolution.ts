/**
 * The three products of a convolution, by their factors. Maps are [image, y, x, channel], weights [group, tap, input channel, output channel] with the
 * taps of the window row by row. A linear layer is a convolution of a map of one pixel. A locally connected layer has a group for each pixel, and its
 * images as rows.
 */
import { four, loadAlongDepth, rowsOf, vectorAt } from "./factors.ts";
import { elementOf, type Factor, get, type Product, put } from "./product.ts";

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
  /** Each output pixel has weights of its own. */
  readonly isLocal?: boolean;
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

/** Rows of a product that are the pixels of a map, with its groups; `at` declares image, pixel, and group of channels of row `m`. */
function rowsOfMap({ batchSize, groups, isLocal }: Convolution, pixels: number) {
  const rowsOfImage = isLocal ? 1 : pixels;
  return {
    rows: `step.images * ${rowsOfImage}`,
    maxRows: batchSize * rowsOfImage,
    rowsOfImage,
    groups: isLocal ? pixels : groups,
    at: isLocal
      ? "let image = m; let p = group; let block = 0u;"
      : `let image = m / ${pixels}; let p = m % ${pixels}; let block = group;`,
  };
}

/** `let ${tap}, ${channel}` of index `k` of [taps][channels]. */
function split(k: string, taps: number, channels: number): string {
  return taps === 1 ? `let tap = 0u; let c = ${k};` : `let tap = ${k} / ${channels}; let c = ${k} % ${channels};`;
}

/** Input pixels under the window of output pixel m, along the depth [tap][channel]. */
function windows(c: Convolution): Factor {
  const { ins, taps, pixels, inPixels } = extentsOf(c);
  const { rows, at } = rowsOfMap(c, pixels);
  const depth = taps * ins;
  const load = loadAlongDepth("a", {
    operand: "xs",
    isVector: ins % 4 === 0,
    outside: `k >= ${depth}`,
    index: (zero) => `${split("k", taps, ins)}
  let y = f.y + i32(tap / ${c.kernelSize}); let x = f.z + i32(tap % ${c.kernelSize});
  if (u32(y) >= ${c.height} || u32(x) >= ${c.width}) { return ${zero}; }
  let i = u32(f.x + (y * ${c.width} + x) * ${c.inChannels}) + c;`,
  });
  return {
    along: "depth",
    text: `fn aFixed(m: u32, group: u32) -> vec4i {
  if (m >= ${rows}) { return vec4i(0, -1000000, -1000000, 0); }
  ${at}
  return vec4i(i32(image * ${inPixels * c.inChannels} + block * ${ins}),
    i32(p / ${c.outWidth} * ${c.stride}) - ${c.padding}, i32(p % ${c.outWidth} * ${c.stride}) - ${c.padding}, 0);
}
${load}`,
  };
}

/** y = x ∗ w + b, and max(0, y) with a fused ReLU. */
export function forwardProduct(c: Convolution, relu: boolean): Product {
  const { ins, outs, taps, pixels } = extentsOf(c);
  const depth = taps * ins;
  const { at: _, ...rows } = rowsOfMap(c, pixels);
  const all = rows.groups * outs;
  const out = elementOf(outs);
  return {
    operands: [
      { name: "xs", access: "read", element: elementOf(ins) },
      { name: "w", access: "read", element: out },
    ],
    a: windows(c),
    b: rowsOf("w", `${depth}u`, outs, `group * ${depth * outs}`, outs),
    ...rows,
    columns: outs,
    depth: `${depth}u`,
    maxDepth: depth,
    finish: `${put("y", outs)}
fn finish(m: u32, n: u32, group: u32, v: vec4f) {
  let i = group * ${outs} + n;
  let sum = v + ${get("bias", outs, all)};
  put_y(m * ${all} + i, n, ${relu ? "max(sum, vec4f())" : "sum"});
}`,
    results: [
      { name: "bias", access: "read", element: out },
      { name: "y", access: "write", element: out },
    ],
  };
}

/** Declares the output pixel (y, x) that tap `tap` of input pixel (f.${axes}) reaches, or returns `zero` if there is none. */
function outputOf(c: Convolution, axes: "yz" | "zw", zero: string): string {
  const { stride, kernelSize, outHeight, outWidth } = c;
  const unstrided =
    stride === 1
      ? "let y = ty; let x = tx;"
      : `if (ty < 0 || tx < 0 || ty % ${stride} != 0 || tx % ${stride} != 0) { return ${zero}; }
  let y = ty / ${stride}; let x = tx / ${stride};`;
  return `let ty = f.${axes[0]} - i32(tap / ${kernelSize}); let tx = f.${axes[1]} - i32(tap % ${kernelSize});
  ${unstrided}
  if (u32(y) >= ${outHeight} || u32(x) >= ${outWidth}) { return ${zero}; }`;
}

/** Output gradients that an input pixel reaches, along the depth [tap][output channel]. */
function reached(c: Convolution): Factor {
  const { outs, taps, pixels, inPixels } = extentsOf(c);
  const { rows, at } = rowsOfMap(c, inPixels);
  const load = loadAlongDepth("a", {
    operand: "dy",
    isVector: outs % 4 === 0,
    outside: `k >= ${taps * outs}`,
    index: (zero) => `${split("k", taps, outs)}
  ${outputOf(c, "yz", zero)}
  let i = u32(f.x + (y * ${c.outWidth} + x) * ${c.outChannels}) + c;`,
  });
  return {
    along: "depth",
    text: `fn aFixed(m: u32, group: u32) -> vec4i {
  if (m >= ${rows}) { return vec4i(0, -1000000, -1000000, 0); }
  ${at}
  return vec4i(i32(image * ${pixels * c.outChannels} + block * ${outs}),
    i32(p / ${c.width}) + ${c.padding}, i32(p % ${c.width}) + ${c.padding}, 0);
}
${load}`,
  };
}

/** Weights of input channel n, along the depth [tap][output channel]; with a kernel for each output pixel, that of the pixel which the tap reaches. */
function transposedWeights(c: Convolution): Factor {
  const { ins, outs, taps } = extentsOf(c);
  const kernel = taps * ins * outs;
  const load = loadAlongDepth("b", {
    operand: "w",
    isVector: outs % 4 === 0,
    outside: `k >= ${taps * outs} || f.y >= ${ins}`,
    index: (zero) => `${split("k", taps, outs)}
  ${c.isLocal ? `${outputOf(c, "zw", zero)} let own = u32(y * ${c.outWidth} + x) * ${kernel};` : "let own = 0u;"}
  let i = u32(f.x) + own + tap * ${ins * outs} + c;`,
  });
  const fixed = c.isLocal
    ? `i32(n * ${outs}), i32(n), i32(group / ${c.width}) + ${c.padding}, i32(group % ${c.width}) + ${c.padding}`
    : `i32(group * ${kernel} + n * ${outs}), i32(n), 0, 0`;
  return { along: "depth", text: `fn bFixed(n: u32, group: u32) -> vec4i { return vec4i(${fixed}); }\n${load}` };
}

/** dx = the sum over the window of dy · w; where the input is the output of a fused ReLU, 0 where it is 0. */
export function inputGradientProduct(c: Convolution, isMasked: boolean): Product {
  const { ins, outs, taps, inPixels } = extentsOf(c);
  const element = elementOf(ins);
  const { at: _, ...rows } = rowsOfMap(c, inPixels);
  const value = isMasked ? `select(vec4f(), v, ${get("z", ins, rows.maxRows * rows.groups * ins)} > vec4f())` : "v";
  return {
    operands: [
      { name: "dy", access: "read", element: elementOf(outs) },
      { name: "w", access: "read", element: elementOf(outs) },
    ],
    a: reached(c),
    b: transposedWeights(c),
    ...rows,
    columns: ins,
    depth: `${taps * outs}u`,
    maxDepth: taps * outs,
    finish: `${put("dx", ins)}
fn finish(m: u32, n: u32, group: u32, v: vec4f) {
  let i = m * ${rows.groups * ins} + group * ${ins} + n;
  put_dx(i, n, ${value});
}`,
    results: [
      ...(isMasked ? [{ name: "z", access: "read", element } as const] : []),
      { name: "dx", access: "write", element },
    ],
  };
}

/** Depth of the weight gradient: the output pixels of all images, or those of the group, one in each image. */
const depthOf = (c: Convolution) => (c.isLocal ? "step.images" : `(step.images * ${extentsOf(c).pixels})`);

/** Inputs of the weight in row m of [tap][channel], along that depth; a last row of ones makes the bias' gradient. */
function inputsOf(c: Convolution): Factor {
  const { ins, taps, pixels, inPixels } = extentsOf(c);
  const rows = taps * ins;
  const isVector = ins % 4 === 0;
  const row = (p: string) => `i32(${p} / ${c.outWidth} * ${c.stride})`;
  const column = (p: string) => `i32(${p} % ${c.outWidth} * ${c.stride})`;
  // The first pixel of each image, to which a group adds its own.
  const [image, p] = c.isLocal ? ["k", "0u"] : [`k / ${pixels}`, `k % ${pixels}`];
  const [ownRow, ownColumn] = c.isLocal ? [row("group"), column("group")] : [0, 0];
  const depth = depthOf(c);
  const [type, zero, one, value] = isVector
    ? ["vec4f", "vec4f()", "vec4f(1, 0, 0, 0)", vectorAt("xs")]
    : ["f32", "0.0", "1.0", "xs[i]"];
  const [fixed, load] = isVector
    ? ["aAt(m, group)", "aOne(f, base, y0, x0)"]
    : ["vec4i(i32(m), i32(group), 0, 0)", four("aOne(aAt(u32(f.x) + $, u32(f.y)), base, y0, x0)")];
  return {
    along: "across",
    text: `fn aAt(m: u32, group: u32) -> vec4i {
  if (m >= ${rows}) { return vec4i(0, 0, 0, select(2, 1, m == ${rows})); }
  ${split("m", taps, ins)}
  return vec4i(i32(c${c.isLocal ? "" : ` + group * ${ins}`}), i32(tap / ${c.kernelSize}) + ${ownRow}, i32(tap % ${c.kernelSize}) + ${ownColumn}, 0);
}
fn aOne(f: vec4i, base: i32, y0: i32, x0: i32) -> ${type} {
  if (f.w > 0) { return select(${zero}, ${one}, f.w == 1); }
  let y = y0 + f.y; let x = x0 + f.z;
  if (u32(y) >= ${c.height} || u32(x) >= ${c.width}) { return ${zero}; }
  let i = u32(base + (y * ${c.width} + x) * ${c.inChannels} + f.x);
  return ${value};
}
fn aFixed(m: u32, group: u32) -> vec4i { return ${fixed}; }
fn aLoad(f: vec4i, k: u32) -> vec4f {
  if (k >= ${depth}) { return vec4f(); }
  let p = ${p}; let base = i32(${image} * ${inPixels * c.inChannels});
  let y0 = ${row("p")} - ${c.padding}; let x0 = ${column("p")} - ${c.padding};
  return ${load};
}`,
  };
}

/** dw = the sum over pixels of x · dy, and db of dy: one more row. */
export function weightGradientProduct(c: Convolution): Product {
  const { ins, outs, taps, pixels } = extentsOf(c);
  const rows = taps * ins;
  const groups = c.isLocal ? pixels : c.groups;
  const element = elementOf(outs);
  return {
    operands: [
      { name: "xs", access: "read", element: elementOf(ins) },
      { name: "dy", access: "read", element },
    ],
    a: inputsOf(c),
    b: rowsOf("dy", depthOf(c), outs, `group * ${outs}`, groups * outs),
    rows: `${rows + 1}u`,
    maxRows: rows + 1,
    columns: outs,
    depth: depthOf(c),
    maxDepth: c.batchSize * (c.isLocal ? 1 : pixels),
    groups,
    finish: `${put("dw", outs)}
${put("db", outs)}
fn finish(m: u32, n: u32, group: u32, v: vec4f) {
  if (m < ${rows}) { put_dw((group * ${rows} + m) * ${outs} + n, n, v); } else { put_db(group * ${outs} + n, n, v); }
}`,
    results: [
      { name: "dw", access: "write", element },
      { name: "db", access: "write", element },
    ],
  };
}
