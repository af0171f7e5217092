/** WebGPU, limited to what the engine uses, so that its declarations need neither the DOM's nor a package's. Names and meanings are those of the standard. */

/** Source of adapters: `navigator.gpu` of a browser, or `create([])` of the package `webgpu`. */
export interface WebGpu {
  /** Returns an adapter; null if there is none. */
  requestAdapter(options?: { readonly powerPreference?: "high-performance" }): Promise<GpuAdapter | null>;
}

/** A graphics processor and its driver. */
export interface GpuAdapter {
  readonly info: GpuAdapterInfo;
  readonly limits: GpuLimits;
  /** Opens a device. Rejects for limits above those of the adapter. */
  requestDevice(options: { readonly requiredLimits: Record<string, number> }): Promise<GpuDevice>;
}

/** Names of an adapter; empty where the browser hides them. */
export interface GpuAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

/** Limits of an adapter or a device: bytes, workgroups, bindings. */
export interface GpuLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxStorageBuffersPerShaderStage: number;
}

/** A connection to an adapter. Errors of its calls go to the innermost error scope, or to `onuncapturederror`. */
export interface GpuDevice {
  readonly limits: GpuLimits;
  readonly queue: GpuQueue;
  readonly lost: Promise<{ readonly reason?: string | undefined; readonly message: string }>;
  /** A function of an event with `error.message`; the declarations of the event differ. */
  onuncapturederror: unknown;
  /** Begins to collect errors of one kind. */
  pushErrorScope(filter: "validation" | "out-of-memory"): void;
  /** Ends the innermost scope. Resolves to its first error; null without one. */
  popErrorScope(): Promise<{ readonly message: string } | null>;
  /** Allocates memory of `size` bytes, filled with zeros. `usage` is a sum of flags. */
  createBuffer(descriptor: { readonly size: number; readonly usage: number }): GpuBuffer;
  /** Compiles WGSL. */
  createShaderModule(descriptor: { readonly code: string }): GpuHandle;
  /** Compiles a kernel at once. */
  createComputePipeline(descriptor: GpuPipelineDescriptor): GpuPipeline;
  /** Compiles a kernel aside. Rejects with the error of an invalid one. */
  createComputePipelineAsync(descriptor: GpuPipelineDescriptor): Promise<GpuPipeline>;
  /** Binds buffers for dispatches. */
  createBindGroup(descriptor: { readonly layout: GpuHandle; readonly entries: Iterable<GpuBindGroupEntry> }): GpuHandle;
  /** Begins to record commands. */
  createCommandEncoder(): GpuCommandEncoder;
  /** Frees its memory. */
  destroy(): void;
}

/** An object that is only passed on. */
export type GpuHandle = object & { readonly label: string };

/** A compiled kernel. */
export interface GpuPipeline {
  readonly label: string;
  /** Layout of the bindings that the kernel uses. */
  getBindGroupLayout(index: number): GpuHandle;
}

/** A kernel, whose bindings are those that it uses. */
interface GpuPipelineDescriptor {
  readonly layout: GpuHandle | "auto";
  readonly compute: { readonly module: GpuHandle; readonly entryPoint?: string | undefined };
}

/** A buffer, or a part of it, in bytes; the offset is a multiple of 256. */
export interface GpuBinding {
  readonly buffer: GpuBuffer;
  readonly offset?: number;
  readonly size?: number;
}

/** Contents of one binding. */
interface GpuBindGroupEntry {
  readonly binding: number;
  /** A `GpuBinding`. */
  readonly resource: object;
}

/** Memory of a device. */
export interface GpuBuffer {
  readonly label: string;
  readonly size: number;
  /** Resolves once the device has finished with the buffer; mode 1 reads, 2 writes. */
  mapAsync(mode: number): Promise<undefined>;
  /** Memory of a mapped buffer, from `offset` on, in bytes. */
  getMappedRange(offset: number, size: number): ArrayBuffer;
  /** Returns the memory to the device. */
  unmap(): void;
  /** Frees its memory. */
  destroy(): void;
}

/** Commands in the order of submission. */
export interface GpuQueue {
  /** Copies values to a buffer before later submissions. Offset in bytes; `dataOffset` and `size` in elements of `data`. */
  writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBufferView, dataOffset?: number, size?: number): void;
  /** Starts recorded commands. */
  submit(commands: Iterable<GpuHandle>): void;
}

/** Records commands for one submission. */
export interface GpuCommandEncoder {
  /** Begins a sequence of dispatches. */
  beginComputePass(): GpuComputePass;
  /** Copies bytes between buffers. */
  copyBufferToBuffer(
    source: GpuBuffer,
    sourceOffset: number,
    destination: GpuBuffer,
    destinationOffset: number,
    size: number,
  ): void;
  /** Fills bytes with zeros. */
  clearBuffer(buffer: GpuBuffer, offset?: number, size?: number): void;
  /** Ends recording. */
  finish(): GpuHandle;
}

/** Records dispatches. */
export interface GpuComputePass {
  /** Chooses the kernel of the next dispatches. */
  setPipeline(pipeline: GpuPipeline): void;
  /** Chooses their buffers. */
  setBindGroup(index: number, group: GpuHandle | null): void;
  /** Runs x · y · z workgroups. */
  dispatchWorkgroups(x: number, y?: number, z?: number): void;
  /** Ends the sequence. */
  end(): void;
}
