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
  /** Rows and depth for a whole batch. */
  readonly maxRows: number;
  readonly maxDepth: number;
  /** Rows of an image; undefined if all images have the same rows. */
  readonly rowsOfImage?: number;
  /** Function `finish(m, n, group, v)`: stores the results of row m, columns n to n + 3. `results` are its operands. */
  readonly finish: string;
  readonly results: readonly Operand[];
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
  if (columns % 4 === 0) return `fn put_${name}(i: u32, n: u32, v: vec4f) { ${name}[i / 4] = v; }`;
  const each = [0, 1, 2, 3].map((j) => `if (n + ${j} < ${columns}) { ${name}[i + ${j}] = v[${j}]; }`);
  return `fn put_${name}(i: u32, n: u32, v: vec4f) { ${each.join(" ")} }`;
}

/** Four values of an operand of `length` elements from `i` on. */
export function get(name: string, columns: number, length: number): string {
  if (columns % 4 === 0) return `${name}[i / 4]`;
  return `vec4f(${[0, 1, 2, 3].map((j) => `${name}[min(i + ${j}, ${length - 1}u)]`).join(", ")})`;
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
  put_partial(((split * ${groups} + group) * ${maxRows} + m) * ${columns} + n, n, v);
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

/** Statements that begin `main`: row and column of the unit of C with the number `number`, `height` rows by `width` columns, its group, and its depth. */
function unitOf(
  { rows, columns, depth, groups }: Product,
  { splits, splitDepth }: Tile,
  { height, width, number }: { readonly height: number; readonly width: number; readonly number: string },
): string {
  return `fn main(${mainParameters}) {
  let rows = ${rows};
  let across = ${Math.ceil(columns / width)}u; let down = (rows + ${height - 1}) / ${height};
  let number = ${number};
  if (number >= across * down * ${groups * splits}) { return; }
  let bFirst = number % across * ${width}; let aFirst = number / across % down * ${height};
  let slice = number / (across * down); let group = slice % ${groups}; let split = slice / ${groups};
  let last = min(${depth}, (split + 1) * ${splitDepth});`;
}

/** Stores the sums of a thread's rows from `m` on. */
const storeRows = (sums: readonly string[]) =>
  sums.map((s, r) => `if (m + ${r} < rows) { store(m + ${r}, n, group, split, ${s}); }`).join("\n  ");

/** Variables of a thread's sums. */
const sumsOf = (rows: number) => Array.from({ length: rows }, (_, r) => `s${r}`);

/** One thread for four columns of a row, or of four rows where A is loaded by four rows. */
function plainMain(product: Product, tile: Tile): string {
  const { a, b } = product;
  const rowsOfThread = a.along === "across" ? 4 : 1;
  const step = a.along === "across" ? 1 : 4;
  const lanes = ["x", "y", "z", "w"];
  const sums = sumsOf(rowsOfThread);
  const unit = { height: rowsOfThread, width: 4, number: `(${workgroupNumber}) * ${PLAIN_THREADS} + thread` };
  const body =
    a.along === "across"
      ? `let x = aLoad(af, k); let y = bLoad(b0, k); ${sums.map((s, r) => `${s} += x.${lanes[r]} * y;`).join(" ")}`
      : b.along === "across"
        ? `let x = aLoad(af, k); ${lanes.map((l, j) => `s0 += x.${l} * bLoad(b0, k + ${j});`).join(" ")}`
        : `let x = aLoad(af, k); ${lanes.map((l, j) => `s0.${l} += dot(x, bLoad(b${j}, k));`).join(" ")}`;
  const fixed = b.along === "across" ? [0] : [0, 1, 2, 3];
  return `@compute @workgroup_size(${PLAIN_THREADS})
${unitOf(product, tile, unit)}
  let n = bFirst; let m = aFirst;
  let af = aFixed(m, group);
  ${fixed.map((j) => `let b${j} = bFixed(n + ${j}, group);`).join("\n  ")}
  ${sums.map((s) => `var ${s} = vec4f();`).join(" ")}
  for (var k = split * ${tile.splitDepth}; k < last; k += ${step}) { ${body} }
  ${storeRows(sums)}
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
    const position = along === "depth" ? `${slot} / ${quads}` : `${slot} % ${quads} * 4`;
    const k = along === "depth" ? `${slot} % ${quads} * 4` : `${slot} / ${quads}`;
    const place = along === "depth" ? `${slot} % ${quads} * ${extent} + ${slot} / ${quads}` : slot;
    const load = `${side}Tile[${place}] = ${side}Load(${fixed}, k0 + ${k});`;
    return {
      before: `let ${slot} = thread + ${j * THREADS}; let ${fixed} = ${side}Fixed(${side}First + ${position}, group);`,
      load: slots % THREADS === 0 ? load : `if (${slot} < ${slots}) { ${load} }`,
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
    return `for (var k = 0u; k < ${DEPTH}; k++) {
      let x = aTile[k * ${rows / 4} + line]; let y = bTile[k * ${across} + column];
      ${add.join(" ")}
    }`;
  }
  const loads = lanes.map((_, j) =>
    b.along === "across"
      ? `let y${j} = bTile[(q * 4 + ${j}) * ${across} + column];`
      : `let y${j} = bTile[q * ${columns} + column * 4 + ${j}];`,
  );
  const add = Array.from({ length: rowsOfThread }, (_, r) => {
    const load = `let x${r} = aTile[q * ${rows} + line * ${rowsOfThread} + ${r}];`;
    if (b.along === "depth") return `${load} s${r} += vec4f(${lanes.map((_, j) => `dot(x${r}, y${j})`).join(", ")});`;
    return `${load} ${lanes.map((l, j) => `s${r} = fma(vec4f(x${r}.${l}), y${j}, s${r});`).join(" ")}`;
  });
  return `for (var q = 0u; q < ${QUARTER}; q++) {
      ${loads.join(" ")}
      ${add.join("\n      ")}
    }`;
}

function tiledMain(product: Product, tile: Tile, shape: NonNullable<Tile["shape"]>): string {
  const { a, b } = product;
  const across = shape.columns / 4;
  const rowsOfThread = (shape.rows * across) / THREADS;
  const [aLoad, bLoad] = [tileLoad("a", a, shape.rows), tileLoad("b", b, shape.columns)];
  const sums = sumsOf(rowsOfThread);
  const unit = { height: shape.rows, width: shape.columns, number: workgroupNumber };
  return `var<workgroup> aTile: array<vec4f, ${(shape.rows * DEPTH) / 4}>;
var<workgroup> bTile: array<vec4f, ${(shape.columns * DEPTH) / 4}>;
@compute @workgroup_size(${THREADS})
${unitOf(product, tile, unit)}
  let line = thread / ${across}; let column = thread % ${across};
  ${aLoad.before}
  ${bLoad.before}
  ${sums.map((s) => `var ${s} = vec4f();`).join(" ")}
  for (var k0 = split * ${tile.splitDepth}; k0 < last; k0 += ${DEPTH}) {
    ${aLoad.load}
    ${bLoad.load}
    workgroupBarrier();
    ${tileProduct(a, b, shape.rows, shape.columns, rowsOfThread)}
    workgroupBarrier();
  }
  let n = bFirst + column * 4;
  let m = aFirst + line * ${rowsOfThread};
  if (n >= ${product.columns}) { return; }
  ${storeRows(sums)}
}
`;
}

/** Adds the parts of a product in order, and stores the sums. `operands` are `partial` and those of `finish`. */
export function sumCode(product: Product, { splits }: Tile, operands: readonly Operand[]): string {
  const { rows, columns, groups, maxRows, finish } = product;
  const quads = Math.ceil(columns / 4);
  const load =
    columns % 4 === 0
      ? "v += partial[at / 4];"
      : [0, 1, 2, 3].map((j) => `if (n + ${j} < ${columns}) { v[${j}] += partial[at + ${j}]; }`).join(" ");
  return elementwise(operands, {
    helpers: finish,
    count: `${rows} * ${quads * groups}`,
    // Layouts of pipelines contain what the code names.
    body: `_ = step.images;
  let n = i % ${quads} * 4;
  let rows = ${rows};
  let m = i / ${quads} % rows;
  let group = i / (${quads}u * rows);
  var v = vec4f();
  for (var split = 0u; split < ${splits}; split++) {
    let at = ((split * ${groups} + group) * ${maxRows} + m) * ${columns} + n;
    ${load}
  }
  finish(m, n, group, v);`,
  });
}
