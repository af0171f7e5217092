/** WebGPU, limited to what the engine uses, so that its declarations need neither the DOM's nor a package's. Names and meanings are those of the standard. */

/** Source of adapters: `navigator.gpu` of a browser, or `create([])` of the package `webgpu`. */
export interface WebGpu {
  requestAdapter(options?: { readonly powerPreference?: "high-performance" }): Promise<GpuAdapter | null>;
}

export interface GpuAdapter {
  readonly info: GpuAdapterInfo;
  readonly limits: GpuLimits;
  requestDevice(options: { readonly requiredLimits: Record<string, number> }): Promise<GpuDevice>;
}

export interface GpuAdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

export interface GpuLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}

export interface GpuDevice {
  readonly limits: GpuLimits;
  readonly queue: GpuQueue;
  readonly lost: Promise<{ readonly reason?: string | undefined; readonly message: string }>;
  /** A function of an event with `error.message`; the declarations of the event differ. */
  onuncapturederror: unknown;
  pushErrorScope(filter: "validation" | "out-of-memory" | "internal"): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  createBuffer(descriptor: { readonly size: number; readonly usage: number }): GpuBuffer;
  createShaderModule(descriptor: { readonly code: string }): GpuHandle;
  createBindGroupLayout(descriptor: { readonly entries: GpuLayoutEntry[] }): GpuHandle;
  createPipelineLayout(descriptor: { readonly bindGroupLayouts: Iterable<GpuHandle | null | undefined> }): GpuHandle;
  createComputePipeline(descriptor: GpuPipelineDescriptor): GpuHandle;
  createComputePipelineAsync(descriptor: GpuPipelineDescriptor): Promise<GpuHandle>;
  createBindGroup(descriptor: { readonly layout: GpuHandle; readonly entries: Iterable<GpuBindGroupEntry> }): GpuHandle;
  createCommandEncoder(): GpuCommandEncoder;
  destroy(): void;
}

/** An object that is only passed on. */
export type GpuHandle = object & { readonly label: string };

interface GpuLayoutEntry {
  readonly binding: number;
  readonly visibility: number;
  readonly buffer: { readonly type: "uniform" | "storage" | "read-only-storage" };
}

interface GpuPipelineDescriptor {
  readonly layout: GpuHandle | "auto";
  readonly compute: { readonly module: GpuHandle; readonly entryPoint?: string | undefined };
}

interface GpuBindGroupEntry {
  readonly binding: number;
  /** `{ buffer }`. */
  readonly resource: object;
}

export interface GpuBuffer {
  readonly label: string;
  readonly size: number;
  mapAsync(mode: number): Promise<undefined>;
  getMappedRange(offset: number, size: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export interface GpuQueue {
  writeBuffer(buffer: GpuBuffer, offset: number, data: ArrayBufferView, dataOffset?: number, size?: number): void;
  submit(commands: Iterable<GpuHandle>): void;
}

export interface GpuCommandEncoder {
  beginComputePass(): GpuComputePass;
  copyBufferToBuffer(
    source: GpuBuffer,
    sourceOffset: number,
    destination: GpuBuffer,
    destinationOffset: number,
    size: number,
  ): void;
  clearBuffer(buffer: GpuBuffer, offset?: number, size?: number): void;
  finish(): GpuHandle;
}

export interface GpuComputePass {
  setPipeline(pipeline: GpuHandle): void;
  setBindGroup(index: number, group: GpuHandle | null): void;
  dispatchWorkgroups(x: number, y?: number, z?: number): void;
  end(): void;
}
