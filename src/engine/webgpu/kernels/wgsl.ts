/** WGSL of kernels: declarations, and the frame of kernels with one thread for each element. */

/** Use of an operand by a kernel. */
export type Access = "read" | "write";

/** A buffer that a kernel names. */
export interface Operand {
  readonly name: string;
  readonly access: Access;
  /** Default: `f32`. */
  readonly element?: "f32" | "u32" | "vec4f";
}

/** Threads of a workgroup. */
export const THREADS = 256;

/** Numbers of a call, in a uniform buffer: images of the batch, dropout's seed and first counter, and 1 for training. */
export const STEP_BYTES = 16;
const stepDeclaration = "struct Step { images: u32, seed: u32, first: u32, training: u32 }\n";

/** Declares the operands as bindings from 1, and the uniform as binding 0. */
export function declare(
  operands: readonly Operand[],
  uniform = `${stepDeclaration}@group(0) @binding(0) var<uniform> step: Step;`,
): string {
  const bindings = operands.map(({ name, access, element = "f32" }, i) => {
    const mode = access === "read" ? "read" : "read_write";
    return `@group(0) @binding(${i + 1}) var<storage, ${mode}> ${name}: array<${element}>;`;
  });
  return [uniform, ...bindings].join("\n");
}

/** Names of the builtins that `main` has: the number of its workgroup in any shape of the grid, and of its thread. */
export const mainParameters =
  "@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_index) thread: u32";
export const workgroupNumber = "workgroup.y * grid.x + workgroup.x";

/** Functions of a thread and its value that combine `a` and `b` over a workgroup, in a fixed order, and return the result to all of its threads. */
export function reduction(functions: Readonly<Record<string, string>>): string {
  const each = Object.entries(functions).map(
    ([name, combined]) => `fn ${name}(thread: u32, x: f32) -> f32 {
  workgroupBarrier();
  parts[thread] = x;
  for (var half = ${THREADS / 2}u; half > 0; half /= 2) {
    workgroupBarrier();
    if (thread < half) { let a = parts[thread]; let b = parts[thread + half]; parts[thread] = ${combined}; }
  }
  workgroupBarrier();
  return parts[0];
}`,
  );
  return [`var<workgroup> parts: array<f32, ${THREADS}>;`, ...each].join("\n");
}

/** A kernel with one thread for each of `count` elements; `body` computes element `i`. `helpers` are functions that it calls. */
export function elementwise(
  operands: readonly Operand[],
  {
    count,
    body,
    helpers = "",
    uniform,
  }: { readonly count: string; readonly body: string; readonly helpers?: string; readonly uniform?: string },
): string {
  return `${declare(operands, uniform)}
${helpers}
@compute @workgroup_size(${THREADS})
fn main(${mainParameters}) {
  let i = (${workgroupNumber}) * ${THREADS} + thread;
  if (i >= ${count}) { return; }
  ${body}
}
`;
}

/** A number as WGSL of type f32. */
export function float(x: number): string {
  return `${Math.fround(x)}f`;
}
