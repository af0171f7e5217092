/** A program's memory: one shared WebAssembly memory, and where things lie in it. */
import { formatBytes } from "../../bytes.ts";
import { NativeError, ShapeError } from "../../errors.ts";
import { control } from "./kernels/kernel.ts";
import { CHUNK_BYTES } from "./kernels/tensors.ts";

/** Bytes of a page of WebAssembly memory. */
const PAGE_BYTES = 65536;
/** Reach of addresses of 32 bits. */
const MAX_BYTES = 2 ** 32;
/** The last page is left out: kernels compute an address up to a chunk after what they read, which must not wrap to 0. */
const MAX_PROGRAM_BYTES = MAX_BYTES - CHUNK_BYTES;
const ALIGNMENT = 64;

/**
 * Memories of closed programs, for the next ones. The runtime frees a memory only when it collects garbage, which it may not do for a long time, since
 * what it sees of a memory is small.
 */
export class MemoryPool {
  readonly #free: WebAssembly.Memory[] = [];
  #isOpen = true;

  /** The smallest memory of at least `bytes` bytes; otherwise the largest, which can grow; undefined if there is none. */
  take(bytes: number): WebAssembly.Memory | undefined {
    this.#free.sort((a, b) => a.buffer.byteLength - b.buffer.byteLength);
    const fitting = this.#free.findIndex(({ buffer }) => buffer.byteLength >= bytes);
    return this.#free.splice(fitting, 1)[0];
  }

  /** Gives back a memory that no thread uses any more. */
  give(memory: WebAssembly.Memory): void {
    if (this.#isOpen) this.#free.push(memory);
  }

  close(): void {
    this.#isOpen = false;
    this.#free.length = 0;
  }
}

/** Allocates addresses in order. Addresses may be given before the memory exists, which `create` makes large enough; later ones make it grow. */
export class Heap {
  #end: number = control.end;
  #memory: WebAssembly.Memory | undefined;
  /** True for a memory that another program has written to. */
  #isUsed = false;

  /** Address of `bytes` bytes, zero at first. Throws ShapeError if they are not within 4 GiB, NativeError if the system refuses them. */
  allocate(bytes: number): number {
    const address = Math.ceil(this.#end / ALIGNMENT) * ALIGNMENT;
    if (this.#memory) {
      grow(this.#memory, address + bytes);
      if (this.#isUsed) new Uint8Array(this.#memory.buffer, address, bytes).fill(0);
    }
    this.#end = address + bytes;
    return address;
  }

  /** Creates the memory for all that was allocated, or takes one that is given. Throws as `allocate`. */
  create(used?: WebAssembly.Memory): WebAssembly.Memory {
    requireAddresses(this.#end);
    if (used) {
      grow(used, this.#end);
      new Uint8Array(used.buffer, 0, this.#end).fill(0);
      this.#isUsed = true;
      this.#memory = used;
      return used;
    }
    try {
      this.#memory = new WebAssembly.Memory({
        initial: Math.ceil(this.#end / PAGE_BYTES),
        maximum: MAX_BYTES / PAGE_BYTES,
        shared: true,
      });
    } catch (cause) {
      throw refused(this.#end, cause);
    }
    return this.#memory;
  }

  /** Bytes that were allocated. */
  get bytes(): number {
    return this.#end;
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#buffer(), address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.#buffer(), address, length);
  }

  doubles(address: number, length: number): Float64Array {
    return new Float64Array(this.#buffer(), address, length);
  }

  #buffer(): ArrayBufferLike {
    if (!this.#memory) throw new Error("memory: used before it was created");
    return this.#memory.buffer;
  }
}

function grow(memory: WebAssembly.Memory, end: number): void {
  requireAddresses(end);
  const missing = Math.ceil((end - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw refused(end, cause);
  }
}

function requireAddresses(bytes: number): void {
  if (bytes <= MAX_PROGRAM_BYTES) return;
  throw new ShapeError(
    `engine wasm: the program needs ${formatBytes(bytes)} (expected at most ${formatBytes(MAX_PROGRAM_BYTES)}, ` +
      "what WebAssembly can address); use a smaller batch size or input, or --engine onednn",
  );
}

function refused(bytes: number, cause: unknown): NativeError {
  const message = `engine wasm: the system refuses ${formatBytes(bytes)} of memory; use a smaller batch size, or free memory`;
  return new NativeError(message, { cause });
}
