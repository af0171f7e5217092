/** The tensors of a program in device memory, and what is computed on them. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { formatShape, sizeOf } from "../../shape.ts";
import type { Assignment, Tensor, Update } from "../engine.ts";
import type { GpuBuffer } from "./api.ts";
import type { Bound, Device } from "./device.ts";
import { FINITE_ELEMENTS, finiteCode, SQUARES_CHUNK, squaresCode, tensorsOf, updateCode } from "./kernels/tensors.ts";
import { STEP_BYTES, THREADS } from "./kernels/wgsl.ts";
import type { Layout } from "./weights.ts";

/** A tensor in the engine's layout. */
export interface EngineTensor extends Tensor {
  readonly name: string;
  readonly layout: Layout;
  readonly buffer: GpuBuffer;
}

/** A kernel with its results. */
interface Reduction {
  readonly bound: Bound;
  readonly workgroups: number;
  readonly results: GpuBuffer;
  readonly bytes: number;
}

/** The tensors of one program. */
export class Tensors {
  readonly #device: Device;
  readonly #tensors = new Set<Tensor>();
  readonly #squares = new Map<Tensor, Reduction>();
  /** Flags for every combination of tensors that was searched. */
  readonly #searches = new Map<string, { readonly flags: GpuBuffer; readonly kernels: readonly Reduction[] }>();
  /** Memory that the tensors' kernels own. */
  readonly #owned: GpuBuffer[] = [];
  #staging = new Float32Array(0);
  #isOpen = true;

  constructor(device: Device, tensors: readonly EngineTensor[]) {
    this.#device = device;
    for (const tensor of tensors) this.#tensors.add(tensor);
  }

  /** Throws ClosedError after `close`, NativeError if the device failed. */
  requireOpen(): void {
    if (!this.#isOpen) throw new ClosedError("program");
    this.#device.check();
  }

  /** Frees its memory after calls in flight. False after the first call. */
  close(): boolean {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    return wasOpen;
  }

  /** Frees the memory of tensors and kernels that were made after compilation. */
  free(): void {
    for (const buffer of this.#owned) buffer.destroy();
  }

  /** Throws ShapeError if the tensor is not one of this program's, ClosedError if the program is closed. */
  own(tensor: Tensor): EngineTensor {
    this.requireOpen();
    if (this.#tensors.has(tensor)) return tensor as EngineTensor;
    throw new ShapeError(`tensor [${tensor.shape.join(", ")}]: made by another program`);
  }

  #storage(bytes: number): GpuBuffer {
    const buffer = this.#device.storage(bytes);
    this.#owned.push(buffer);
    return buffer;
  }

  #uniform(values: Uint32Array | Float32Array): GpuBuffer {
    const buffer = this.#device.uniform(values.byteLength);
    this.#owned.push(buffer);
    this.#device.write(buffer, values);
    return buffer;
  }

  newTensor(like: Tensor): EngineTensor {
    const { name, shape, layout } = this.own(like);
    const tensor = { name: `tensor like ${name}`, shape, layout, buffer: this.#storage(4 * layout.length) };
    this.#tensors.add(tensor);
    return tensor;
  }

  async read(given: Tensor, into: Float32Array = new Float32Array(sizeOf(given.shape))): Promise<Float32Array> {
    const tensor = this.own(given);
    requireLength(tensor, into);
    const { buffer, layout } = tensor;
    return this.#device.read([{ buffer, bytes: 4 * layout.length }], ([view]) => {
      layout.unpack(new Float32Array(view as ArrayBuffer), into);
      return into;
    });
  }

  async write(given: Tensor, values: Float32Array): Promise<void> {
    const tensor = this.own(given);
    requireLength(tensor, values);
    const { layout, buffer } = tensor;
    if (this.#staging.length < layout.length) this.#staging = new Float32Array(layout.length);
    layout.pack(values, this.#staging);
    this.#device.write(buffer, this.#staging, layout.length);
  }

  /** Throws ShapeError if the tensors differ in shape or layout. */
  compileUpdate(assignments: readonly Assignment[]): Update {
    const [first, ...rest] = assignments.flatMap(tensorsOf).map((tensor) => this.own(tensor));
    if (!first) return { run() {} };
    for (const tensor of rest) requireLike(first, tensor);
    const { code, tensors, scalars } = updateCode(assignments);
    const targets = new Set<Tensor>(assignments.map(({ target }) => target));
    const access = tensors.map((tensor) => (targets.has(tensor) ? "write" : "read"));
    const device = this.#device;
    const values = new Float32Array(Math.max(4, scalars.length));
    const uniform = this.#uniform(values);
    const buffers = tensors.map((tensor) => this.own(tensor).buffer);
    const bound = device.bind(device.pipelineNow(code, access), uniform, buffers);
    const workgroups = Math.ceil(first.layout.length / THREADS);
    return {
      run: () => {
        this.requireOpen();
        const isChanged = scalars.some(({ value }, i) => Math.fround(value) !== values[i]);
        if (isChanged) {
          for (const [i, { value }] of scalars.entries()) values[i] = value;
          device.write(uniform, values);
        }
        device.dispatch(bound, workgroups);
      },
    };
  }

  /** Σ x² of each tensor; pieces in f32 on the device, their sums in f64. */
  async sumOfSquares(tensors: readonly Tensor[]): Promise<number> {
    const reductions = tensors.map((tensor) => this.#squaresOf(this.own(tensor)));
    for (const { bound, workgroups } of reductions) this.#device.dispatch(bound, workgroups);
    const sources = reductions.map(({ results, bytes }) => ({ buffer: results, bytes }));
    return this.#device.read(sources, (views) => {
      let total = 0;
      for (const view of views) for (const sum of new Float32Array(view)) total += sum;
      return total;
    });
  }

  #squaresOf(tensor: EngineTensor): Reduction {
    const known = this.#squares.get(tensor);
    if (known) return known;
    const workgroups = Math.ceil(tensor.layout.length / SQUARES_CHUNK);
    const results = this.#storage(4 * workgroups);
    const pipeline = this.#device.pipelineNow(squaresCode, ["read", "write"]);
    const bound = this.#device.bind(pipeline, this.#uniform(new Uint32Array(STEP_BYTES / 4)), [tensor.buffer, results]);
    const made = { bound, workgroups, results, bytes: 4 * workgroups };
    this.#squares.set(tensor, made);
    return made;
  }

  /** Index of the first tensor with a NaN or infinite value; −1 if there is none. `key` names the combination. */
  async firstNonFinite(key: string, tensors: readonly Tensor[]): Promise<number> {
    this.requireOpen();
    if (tensors.length === 0) return -1;
    const search = this.#searches.get(key) ?? this.#newSearch(tensors);
    this.#searches.set(key, search);
    const bytes = 4 * tensors.length;
    this.#device.clear(search.flags, 0, bytes);
    for (const { bound, workgroups } of search.kernels) this.#device.dispatch(bound, workgroups);
    return this.#device.read([{ buffer: search.flags, bytes }], ([view]) =>
      new Uint32Array(view as ArrayBuffer).indexOf(1),
    );
  }

  #newSearch(tensors: readonly Tensor[]) {
    const flags = this.#storage(4 * tensors.length);
    const pipeline = this.#device.pipelineNow(finiteCode, ["read", "write"]);
    const kernels = tensors.map((given, i) => {
      const { buffer, layout } = this.own(given);
      const bound = this.#device.bind(pipeline, this.#uniform(Uint32Array.of(0, 0, i, 0)), [buffer, flags]);
      const workgroups = Math.ceil(layout.length / (THREADS * FINITE_ELEMENTS));
      return { bound, workgroups, results: flags, bytes: 4 };
    });
    return { flags, kernels };
  }
}

function requireLike(first: EngineTensor, { name, layout }: EngineTensor): void {
  if (layout.key === first.layout.key) return;
  throw new ShapeError(`${first.name}: cannot be combined with ${name}: another shape or layout`);
}

function requireLength({ name, shape }: EngineTensor, values: Float32Array): void {
  if (values.length === sizeOf(shape)) return;
  throw new ShapeError(`${name}: expected ${sizeOf(shape)} values (${formatShape(shape)}), got ${values.length}`);
}
