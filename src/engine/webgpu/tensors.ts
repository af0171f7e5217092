/** The tensors of a program in device memory, and what is computed on them. */
import { ClosedError, ShapeError } from "../../errors.ts";
import { formatShape, sizeOf } from "../../shape.ts";
import type { Assignment, Tensor, Update } from "../engine.ts";
import type { GpuBuffer } from "./api.ts";
import type { Bound, Device } from "./device.ts";
import { partsOf } from "./kernels/bindings.ts";
import { nonFiniteCode, SUMS_CHUNK, squaresCode, tensorsOf, updateCode } from "./kernels/tensors.ts";
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
  readonly buffer: GpuBuffer;
  readonly bytes: number;
}

/** The tensors of one program. */
export class Tensors {
  readonly #device: Device;
  readonly #tensors = new Set<Tensor>();
  /** Kernels of each tensor, by their code. */
  readonly #reductions = new Map<string, Map<Tensor, readonly Reduction[]>>();
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
    const device = this.#device;
    const values = new Float32Array(Math.max(4, scalars.length));
    const uniform = this.#uniform(values);
    const buffers = tensors.map((tensor) => this.own(tensor).buffer);
    const pipeline = device.pipelineNow(code);
    const kernels = this.#partsOf(first).map((part) => ({
      bound: device.bind(
        pipeline,
        uniform,
        buffers.map((buffer) => ({ buffer, ...part })),
      ),
      workgroups: Math.ceil(part.size / 4 / THREADS),
    }));
    return {
      run: () => {
        this.requireOpen();
        const isChanged = scalars.some(({ value }, i) => Math.fround(value) !== values[i]);
        if (isChanged) {
          for (const [i, { value }] of scalars.entries()) values[i] = value;
          device.write(uniform, values);
        }
        for (const { bound, workgroups } of kernels) device.dispatch(bound, workgroups);
      },
    };
  }

  /** Parts of a tensor that the device can bind. */
  #partsOf({ layout }: EngineTensor) {
    return partsOf(4 * layout.length, this.#device.bindingBytes);
  }

  /** Σ x² over all tensors; pieces in f32 on the device, their sums in f64. */
  async sumOfSquares(tensors: readonly Tensor[]): Promise<number> {
    return (await this.#sums(squaresCode, tensors)).reduce((total, sum) => total + sum, 0);
  }

  /** Index of the first tensor with a NaN or infinite value; −1 if there is none. */
  async firstNonFinite(tensors: readonly Tensor[]): Promise<number> {
    return (await this.#sums(nonFiniteCode, tensors)).findIndex((count) => count > 0);
  }

  /** Sums over each tensor by a kernel of `sumsCode`. */
  async #sums(code: string, tensors: readonly Tensor[]): Promise<readonly number[]> {
    this.requireOpen();
    const reductions = tensors.map((tensor) => this.#reductionsOf(code, this.own(tensor)));
    const all = reductions.flat();
    for (const { bound, workgroups } of all) this.#device.dispatch(bound, workgroups);
    return this.#device.read(all, (views) => {
      let at = 0;
      return reductions.map((own) => {
        let total = 0;
        for (const _ of own) for (const sum of new Float32Array(views[at++] as ArrayBuffer)) total += sum;
        return total;
      });
    });
  }

  #reductionsOf(code: string, tensor: EngineTensor): readonly Reduction[] {
    const ofCode = this.#reductions.get(code) ?? new Map<Tensor, readonly Reduction[]>();
    this.#reductions.set(code, ofCode);
    const known = ofCode.get(tensor);
    if (known) return known;
    const pipeline = this.#device.pipelineNow(code);
    const uniform = this.#uniform(new Uint32Array(STEP_BYTES / 4));
    const made = this.#partsOf(tensor).map((part) => {
      const workgroups = Math.ceil(part.size / 4 / SUMS_CHUNK);
      const buffer = this.#storage(4 * workgroups);
      const bound = this.#device.bind(pipeline, uniform, [{ buffer: tensor.buffer, ...part }, { buffer }]);
      return { bound, workgroups, buffer, bytes: 4 * workgroups };
    });
    ofCode.set(tensor, made);
    return made;
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
