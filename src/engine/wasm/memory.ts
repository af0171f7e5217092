/** A program's memory: one shared WebAssembly memory, and where things lie in it. */
import { formatBytes } from "../../bytes.ts";
import { NativeError, ShapeError } from "../../errors.ts";
import { control } from "./kernels/kernel.ts";

/** Bytes of a page of WebAssembly memory. */
const PAGE_BYTES = 65536;
/** Reach of addresses of 32 bits. */
const MAX_BYTES = 2 ** 32;
const ALIGNMENT = 64;

/** Allocates addresses in order. Addresses may be given before the memory exists, which `create` makes large enough; later ones make it grow. */
export class Heap {
  #end: number = control.end;
  #memory: WebAssembly.Memory | undefined;

  /** Address of `bytes` bytes, zero at first. Throws ShapeError if they are not within 4 GiB, NativeError if the system refuses them. */
  allocate(bytes: number): number {
    const address = Math.ceil(this.#end / ALIGNMENT) * ALIGNMENT;
    if (this.#memory) grow(this.#memory, address + bytes);
    this.#end = address + bytes;
    return address;
  }

  /** Creates the memory for all that was allocated. Throws as `allocate`. */
  create(): WebAssembly.Memory {
    requireAddresses(this.#end);
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
  if (bytes <= MAX_BYTES) return;
  throw new ShapeError(
    `engine wasm: the program needs ${formatBytes(bytes)} (expected at most ${formatBytes(MAX_BYTES)}, ` +
      "what WebAssembly can address); use a smaller batch size or input, or --engine onednn",
  );
}

function refused(bytes: number, cause: unknown): NativeError {
  const message = `engine wasm: the system refuses ${formatBytes(bytes)} of memory; use a smaller batch size, or free memory`;
  return new NativeError(message, { cause });
}
