/**
 * Matrix products C[m, n] = Σ A[m, k] · B[k, n], for which A and B may be computed from other layouts: convolutions in all directions, and linear
 * layers. Either through tiles in workgroup memory, or with one thread for four elements of C, as software adapters prefer.
 */
import { declare, elementwise, mainParameters, type Operand, THREADS, workgroupNumber } from "./wgsl.ts";

/**
 * WGSL of a factor: `${side}Fixed(i, group)` gives what depends on row or column `i` only, as a vec4i, and `${side}Load(fixed, k)` four values, 0 outside of
 * the matrix: those from k on, or those of i to i + 3.
 */
export interface Factor {
  readonly along: "depth" | "across";
  readonly text: string;
}

/** A product, as WGSL expressions where extents depend on the number of images. */
export interface Product {
  readonly operands: readonly Operand[];
  readonly a: Factor;
  readonly b: Factor;
  readonly rows: string;
  readonly columns: number;
  readonly depth: string;
  readonly groups: number;
  /** Largest number of rows. */
  readonly maxRows: number;
  /** Function `finish(m, n, group, v)`: stores the results of row m, columns n to n + 3. */
  readonly finish: string;
}

/** Shape of a product's tiles. */
export interface Tile {
  /** Rows and columns of C of a workgroup; undefined without workgroup memory. */
  readonly shape: { readonly rows: number; readonly columns: number } | undefined;
  /** Parts of the depth, whose sums are added in order by another kernel. */
  readonly splits: number;
  /** Depth of a part, a multiple of `DEPTH`. */
  readonly splitDepth: number;
}

/** Depth of a tile. */
export const DEPTH = 16;
const QUARTER = DEPTH / 4;

/** Function that stores up to four values from `i` on, as one vector where rows are whole vectors. */
export function put(name: string, columns: number): string {
  if (columns % 4 === 0) return `fn put_${name}(i: u32, n: u32, v: vec4f) { ${name}[i / 4u] = v; }`;
  const each = [0, 1, 2, 3].map((j) => `if (n + ${j}u < ${columns}u) { ${name}[i + ${j}u] = v[${j}]; }`);
  return `fn put_${name}(i: u32, n: u32, v: vec4f) { ${each.join(" ")} }`;
}

/** Element type for `put` and vector loads. */
export const elementOf = (columns: number): "vec4f" | "f32" => (columns % 4 === 0 ? "vec4f" : "f32");

/** The operand for the sums of parts: [splits][groups][rows][columns]. */
export function partialOperand({ columns }: Pick<Product, "columns">, access: Operand["access"]): Operand {
  return { name: "partial", access, element: elementOf(columns) };
}

function storeOf({ finish, columns, groups, maxRows }: Product, { splits }: Tile): string {
  if (splits === 1)
    return `${finish}\nfn store(m: u32, n: u32, group: u32, split: u32, v: vec4f) { finish(m, n, group, v); }`;
  return `${put("partial", columns)}
fn store(m: u32, n: u32, group: u32, split: u32, v: vec4f) {
  put_partial(((split * ${groups}u + group) * ${maxRows}u + m) * ${columns}u + n, n, v);
}`;
}

/** WGSL of a product. With several parts, `partial` takes the place of the operands of `finish`. */
export function productCode(product: Product, tile: Tile): string {
  const { operands, a, b } = product;
  const head = `${declare(operands)}\n${a.text}\n${b.text}\n${storeOf(product, tile)}\n`;
  return head + (tile.shape ? tiledMain(product, tile, tile.shape) : plainMain(product, tile));
}

/** Number of workgroups for a number of rows. */
export function productWorkgroups({ a, columns, groups }: Product, { shape, splits }: Tile, rows: number): number {
  if (shape) return Math.ceil(rows / shape.rows) * Math.ceil(columns / shape.columns) * groups * splits;
  const threads = Math.ceil(rows / (a.along === "across" ? 4 : 1)) * Math.ceil(columns / 4) * groups * splits;
  return Math.ceil(threads / PLAIN_THREADS);
}

const PLAIN_THREADS = 64;

/** One thread for four columns of a row, or of four rows where A is loaded by four rows. */
function plainMain({ rows, columns, depth, groups, a, b }: Product, { splits, splitDepth }: Tile): string {
  const rowsOfThread = a.along === "across" ? 4 : 1;
  const step = a.along === "across" ? 1 : 4;
  const lanes = ["x", "y", "z", "w"];
  const sums = Array.from({ length: rowsOfThread }, (_, r) => `s${r}`);
  const body =
    a.along === "across"
      ? `let x = aLoad(af, k); let y = bLoad(b0, k); ${sums.map((s, r) => `${s} += x.${lanes[r]} * y;`).join(" ")}`
      : b.along === "across"
        ? `let x = aLoad(af, k); ${lanes.map((l, j) => `s0 += x.${l} * bLoad(b0, k + ${j}u);`).join(" ")}`
        : `let x = aLoad(af, k); ${lanes.map((l, j) => `s0.${l} += dot(x, bLoad(b${j}, k));`).join(" ")}`;
  const fixed = b.along === "across" ? [0] : [0, 1, 2, 3];
  return `@compute @workgroup_size(${PLAIN_THREADS})
fn main(${mainParameters}) {
  let rows = ${rows};
  let quads = ${Math.ceil(columns / 4)}u;
  let lines = (rows + ${rowsOfThread - 1}u) / ${rowsOfThread}u;
  let i = (${workgroupNumber}) * ${PLAIN_THREADS}u + thread;
  if (i >= quads * lines * ${groups * splits}u) { return; }
  let n = i % quads * 4u;
  let m = i / quads % lines * ${rowsOfThread}u;
  let slice = i / (quads * lines);
  let group = slice % ${groups}u;
  let split = slice / ${groups}u;
  let last = min(${depth}, (split + 1u) * ${splitDepth}u);
  let af = aFixed(m, group);
  ${fixed.map((j) => `let b${j} = bFixed(n + ${j}u, group);`).join("\n  ")}
  ${sums.map((s) => `var ${s} = vec4f();`).join(" ")}
  for (var k = split * ${splitDepth}u; k < last; k += ${step}u) { ${body} }
  ${sums.map((s, r) => `if (m + ${r}u < rows) { store(m + ${r}u, n, group, split, ${s}); }`).join("\n  ")}
}
`;
}

/** Loads a tile: each thread the same number of vectors, in the order [depth / 4][row] or [depth][row / 4]. */
function tileLoad(
  side: "a" | "b",
  { along }: Factor,
  extent: number,
): { readonly before: string; readonly load: string } {
  const quads = along === "depth" ? QUARTER : extent / 4;
  const slots = (extent * DEPTH) / 4;
  const each = Array.from({ length: Math.ceil(slots / THREADS) }, (_, j) => {
    const [fixed, slot] = [`${side}f${j}`, `${side}s${j}`];
    const position = along === "depth" ? `${slot} / ${quads}u` : `${slot} % ${quads}u * 4u`;
    const k = along === "depth" ? `${slot} % ${quads}u * 4u` : `${slot} / ${quads}u`;
    const place = along === "depth" ? `${slot} % ${quads}u * ${extent}u + ${slot} / ${quads}u` : slot;
    const load = `${side}Tile[${place}] = ${side}Load(${fixed}, k0 + ${k});`;
    return {
      before: `let ${slot} = thread + ${j * THREADS}u; let ${fixed} = ${side}Fixed(${side}First + ${position}, group);`,
      load: slots % THREADS === 0 ? load : `if (${slot} < ${slots}u) { ${load} }`,
    };
  });
  return { before: each.map(({ before }) => before).join("\n  "), load: each.map(({ load }) => load).join("\n    ") };
}

/** The innermost loop: a thread's rows × 4 columns from one tile. */
function tileProduct(a: Factor, b: Factor, rows: number, columns: number, rowsOfThread: number): string {
  const lanes = ["x", "y", "z", "w"];
  const across = columns / 4;
  if (a.along === "across") {
    const add = Array.from({ length: 4 }, (_, r) => `s${r} = fma(vec4f(x.${lanes[r]}), y, s${r});`);
    return `for (var k = 0u; k < ${DEPTH}u; k++) {
      let x = aTile[k * ${rows / 4}u + line]; let y = bTile[k * ${across}u + column];
      ${add.join(" ")}
    }`;
  }
  const loads = lanes.map((_, j) =>
    b.along === "across"
      ? `let y${j} = bTile[(q * 4u + ${j}u) * ${across}u + column];`
      : `let y${j} = bTile[q * ${columns}u + column * 4u + ${j}u];`,
  );
  const add = Array.from({ length: rowsOfThread }, (_, r) => {
    const load = `let x${r} = aTile[q * ${rows}u + line * ${rowsOfThread}u + ${r}u];`;
    if (b.along === "depth") return `${load} s${r} += vec4f(${lanes.map((_, j) => `dot(x${r}, y${j})`).join(", ")});`;
    return `${load} ${lanes.map((l, j) => `s${r} = fma(vec4f(x${r}.${l}), y${j}, s${r});`).join(" ")}`;
  });
  return `for (var q = 0u; q < ${QUARTER}u; q++) {
      ${loads.join(" ")}
      ${add.join("\n      ")}
    }`;
}

function tiledMain(
  { rows, columns, depth, groups, a, b }: Product,
  { splits, splitDepth }: Tile,
  shape: NonNullable<Tile["shape"]>,
): string {
  const across = shape.columns / 4;
  const rowsOfThread = (shape.rows * across) / THREADS;
  const [aLoad, bLoad] = [tileLoad("a", a, shape.rows), tileLoad("b", b, shape.columns)];
  const sums = Array.from({ length: rowsOfThread }, (_, r) => r);
  return `var<workgroup> aTile: array<vec4f, ${(shape.rows * DEPTH) / 4}>;
var<workgroup> bTile: array<vec4f, ${(shape.columns * DEPTH) / 4}>;
@compute @workgroup_size(${THREADS})
fn main(${mainParameters}) {
  let rows = ${rows};
  let columnTiles = ${Math.ceil(columns / shape.columns)}u;
  let rowTiles = (rows + ${shape.rows - 1}u) / ${shape.rows}u;
  let number = ${workgroupNumber};
  if (number >= columnTiles * rowTiles * ${groups * splits}u) { return; }
  let bFirst = number % columnTiles * ${shape.columns}u;
  let aFirst = number / columnTiles % rowTiles * ${shape.rows}u;
  let slice = number / (columnTiles * rowTiles);
  let group = slice % ${groups}u;
  let split = slice / ${groups}u;
  let last = min(${depth}, (split + 1u) * ${splitDepth}u);
  let line = thread / ${across}u;
  let column = thread % ${across}u;
  ${aLoad.before}
  ${bLoad.before}
  ${sums.map((r) => `var s${r} = vec4f();`).join(" ")}
  for (var k0 = split * ${splitDepth}u; k0 < last; k0 += ${DEPTH}u) {
    ${aLoad.load}
    ${bLoad.load}
    workgroupBarrier();
    ${tileProduct(a, b, shape.rows, shape.columns, rowsOfThread)}
    workgroupBarrier();
  }
  let n = bFirst + column * 4u;
  let m = aFirst + line * ${rowsOfThread}u;
  if (n >= ${columns}u) { return; }
  ${sums.map((r) => `if (m + ${r}u < rows) { store(m + ${r}u, n, group, split, s${r}); }`).join("\n  ")}
}
`;
}

/** Adds the parts of a product in order, and stores the sums. `operands` are `partial` and those of `finish`. */
export function sumCode(product: Product, { splits }: Tile, operands: readonly Operand[]): string {
  const { rows, columns, groups, maxRows, finish } = product;
  const quads = Math.ceil(columns / 4);
  const load =
    columns % 4 === 0
      ? "v += partial[at / 4u];"
      : [0, 1, 2, 3].map((j) => `if (n + ${j}u < ${columns}u) { v[${j}] += partial[at + ${j}u]; }`).join(" ");
  return elementwise(operands, {
    helpers: finish,
    count: `${rows} * ${quads * groups}u`,
    body: `let n = i % ${quads}u * 4u;
  let rows = ${rows};
  let m = i / ${quads}u % rows;
  let group = i / (${quads}u * rows);
  var v = vec4f();
  for (var split = 0u; split < ${splits}u; split++) {
    let at = ((split * ${groups}u + group) * ${maxRows}u + m) * ${columns}u + n;
    ${load}
  }
  finish(m, n, group, v);`,
  });
}
