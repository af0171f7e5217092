/** A device: its pipelines, buffers, the order of its work, and its failures as errors. */
import { NativeError } from "../../errors.ts";
import { nameOf } from "./adapter.ts";
import type {
  GpuAdapter,
  GpuBinding,
  GpuBuffer,
  GpuCommandEncoder,
  GpuComputePass,
  GpuDevice,
  GpuHandle,
  GpuPipeline,
  WebGpu,
} from "./api.ts";

/** Number of the standard's `GPUMapMode`. */
const MAP_READ = 1;

/** Staging buffers up to this size are used again: those of outputs, not of whole weights. */
const POOLED_BYTES = 2 ** 22;

/** Sums of the standard's `GPUBufferUsage`: read 1, copy source 4, copy target 8, uniform 0x40, storage 0x80. */
const usages = { storage: 0x8c, uniform: 0x48, staging: 0x09 } as const;

/** A kernel with its buffers. */
export interface Bound {
  readonly pipeline: GpuPipeline;
  readonly group: GpuHandle;
}

/** Limits that are those of the adapter instead of the standard's. */
const raisedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxStorageBuffersPerShaderStage",
] as const;

/** Opens a device with all of its adapter's memory limits. Throws NativeError if there is no adapter. */
export async function openDevice(gpu: WebGpu): Promise<Device> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new NativeError(
      "engine webgpu: no graphics adapter; install its driver (Vulkan on Linux), or use --engine onednn or wasm",
    );
  }
  const { limits } = adapter;
  const requiredLimits = Object.fromEntries(raisedLimits.map((name) => [name, limits[name]]));
  try {
    return new Device(gpu, adapter, await adapter.requestDevice({ requiredLimits }));
  } catch (cause) {
    throw new NativeError(`engine webgpu: ${nameOf(adapter)}: cannot be opened: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** An open device. */
export class Device {
  /** Held, since an object of the package `webgpu` that is collected takes the process with it. */
  readonly gpu: WebGpu;
  readonly adapter: GpuAdapter;
  readonly #device: GpuDevice;
  readonly #pipelines = new Map<string, Promise<GpuPipeline> | GpuPipeline>();
  readonly #calls = new Set<Promise<unknown>>();
  #scopes: Promise<unknown> = Promise.resolve();
  #encoder: GpuCommandEncoder | undefined;
  #pass: GpuComputePass | undefined;
  /** Free staging buffers by their size. */
  readonly #staging = new Map<number, GpuBuffer[]>();
  #copy = new Float32Array(0);
  #failure: NativeError | undefined;
  #isOpen = true;

  constructor(gpu: WebGpu, adapter: GpuAdapter, device: GpuDevice) {
    this.gpu = gpu;
    this.adapter = adapter;
    this.#device = device;
    device.onuncapturederror = ({ error }: { readonly error: Error }) => this.#fail(error.message);
    void device.lost.then(({ reason, message }) => {
      if (!this.#isOpen) return;
      this.#fail(
        `device lost (${message || reason}); close other programs that use it, or use a smaller --batch-size, and --resume`,
      );
    });
  }

  get limits() {
    return this.#device.limits;
  }

  /** Bytes that a binding may have; parts of a buffer begin at multiples of 256. */
  get bindingBytes(): number {
    return Math.floor(Math.min(this.limits.maxStorageBufferBindingSize, this.limits.maxBufferSize) / 256) * 256;
  }

  #fail(message: string): void {
    this.#failure ??= new NativeError(`engine webgpu: ${nameOf(this.adapter)}: ${message.trim()}`);
  }

  /** Throws NativeError for a failure since the device was opened. Results after one are wrong. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /**
   * Throws errors of what `create` does as NativeError, with a remedy for memory. One call after the other, because the scopes of errors are a stack of the
   * whole device.
   */
  scoped<T>(what: string, create: () => T | Promise<T>): Promise<T> {
    const call = this.#scopes.then(() => this.#scoped(what, create));
    this.#scopes = call.catch(() => {});
    return call;
  }

  async #scoped<T>(what: string, create: () => T | Promise<T>): Promise<T> {
    const device = this.#device;
    this.check();
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const [result] = await Promise.allSettled([(async () => create())()]);
    const memory = await device.popErrorScope();
    const error = await device.popErrorScope();
    const prefix = `${what}: ${nameOf(this.adapter)}`;
    if (memory) {
      throw new NativeError(`${prefix} has not enough memory (${memory.message.trim()}); use a smaller --batch-size`);
    }
    if (error) throw new NativeError(`${prefix}: ${error.message.trim()}`);
    if (result.status === "rejected") {
      this.check();
      throw new NativeError(`${prefix}: ${(result.reason as Error).message}`, { cause: result.reason });
    }
    return result.value;
  }

  storage(bytes: number): GpuBuffer {
    return this.#device.createBuffer({ size: Math.max(4, bytes), usage: usages.storage });
  }

  uniform(bytes: number): GpuBuffer {
    return this.#device.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage: usages.uniform });
  }

  #descriptor(code: string) {
    return { layout: "auto", compute: { module: this.#device.createShaderModule({ code }) } } as const;
  }

  /** The pipeline of a kernel; kernels of equal code share it. */
  async pipeline(code: string): Promise<GpuPipeline> {
    const known = this.#pipelines.get(code);
    if (known) return known;
    const made = this.#device.createComputePipelineAsync(this.#descriptor(code));
    this.#pipelines.set(code, made);
    const pipeline = await made;
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }

  /** The same without waiting, for what is compiled between steps. */
  pipelineNow(code: string): GpuPipeline {
    const known = this.#pipelines.get(code);
    if (known && "label" in known) return known;
    const made = this.#device.createComputePipeline(this.#descriptor(code));
    this.#pipelines.set(code, made);
    return made;
  }

  /** A kernel with a uniform and its operands' buffers. */
  bind(pipeline: GpuPipeline, buffer: GpuBuffer, operands: readonly GpuBinding[]): Bound {
    const entries = [{ buffer }, ...operands].map((resource, binding) => ({ binding, resource }));
    return { pipeline, group: this.#device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }) };
  }

  #openEncoder(): GpuCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #endPass(): GpuCommandEncoder {
    this.#pass?.end();
    this.#pass = undefined;
    return this.#openEncoder();
  }

  /** Adds a kernel to the work that `submit` starts. */
  dispatch({ pipeline, group }: Bound, workgroups: number): void {
    const limit = this.limits.maxComputeWorkgroupsPerDimension;
    const rows = Math.ceil(workgroups / limit);
    this.#pass ??= this.#openEncoder().beginComputePass();
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, group);
    this.#pass.dispatchWorkgroups(Math.ceil(workgroups / rows), rows);
  }

  clear(buffer: GpuBuffer, offset: number, bytes: number): void {
    if (bytes > 0) this.#endPass().clearBuffer(buffer, offset, bytes);
  }

  /** Starts what was added. */
  submit(): void {
    if (!this.#encoder) return;
    const commands = this.#endPass().finish();
    this.#encoder = undefined;
    this.#device.queue.submit([commands]);
  }

  /** Writes plain data, after everything added before. The data is copied before the call returns. */
  write(buffer: GpuBuffer, data: Float32Array | Uint32Array, length = data.length): void {
    this.submit();
    // Dawn takes the process down for memory that threads share.
    const isShared = typeof SharedArrayBuffer !== "undefined" && data.buffer instanceof SharedArrayBuffer;
    if (isShared) {
      if (this.#copy.length < length) this.#copy = new Float32Array(length);
      this.#copy.set(data.subarray(0, length));
    }
    this.#device.queue.writeBuffer(buffer, 0, isShared ? this.#copy : data, 0, length);
  }

  /** Copies buffers to the host, after everything added before, into `use`: a view of each, valid during the call. */
  read<T>(
    sources: readonly { readonly buffer: GpuBuffer; readonly bytes: number }[],
    use: (views: readonly ArrayBuffer[]) => T,
  ): Promise<T> {
    this.check();
    const staging = sources.map(({ bytes }) => this.#takeStaging(bytes));
    const encoder = this.#endPass();
    for (const [i, { buffer, bytes }] of sources.entries()) {
      encoder.copyBufferToBuffer(buffer, 0, staging[i] as GpuBuffer, 0, bytes);
    }
    this.submit();
    return this.tracked(this.#map(staging, sources, use));
  }

  async #map<T>(
    staging: readonly GpuBuffer[],
    sources: readonly { readonly bytes: number }[],
    use: (views: readonly ArrayBuffer[]) => T,
  ): Promise<T> {
    try {
      await Promise.all(staging.map((buffer) => buffer.mapAsync(MAP_READ)));
    } catch (cause) {
      // The reason for a lost device arrives on its own.
      await Promise.race([this.#device.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
      this.check();
      throw new NativeError(`engine webgpu: ${nameOf(this.adapter)}: ${(cause as Error).message}`, { cause });
    }
    this.check();
    const result = use(staging.map((buffer, i) => buffer.getMappedRange(0, sources[i]?.bytes ?? 0)));
    for (const buffer of staging) {
      buffer.unmap();
      if (buffer.size > POOLED_BYTES) buffer.destroy();
      else this.#staging.get(buffer.size)?.push(buffer);
    }
    return result;
  }

  #takeStaging(bytes: number): GpuBuffer {
    const free = this.#staging.get(bytes) ?? [];
    this.#staging.set(bytes, free);
    return free.pop() ?? this.#device.createBuffer({ size: bytes, usage: usages.staging });
  }

  /** A call that `settled` waits for. */
  tracked<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call);
    void call.then(
      () => this.#calls.delete(call),
      () => this.#calls.delete(call),
    );
    return call;
  }

  /** Resolves after the calls that have started. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#calls]);
  }

  /** Closes the device after the calls that have started. */
  close(): void {
    this.submit();
    void this.settled().then(() => {
      this.#isOpen = false;
      this.#device.destroy();
    });
  }
}
