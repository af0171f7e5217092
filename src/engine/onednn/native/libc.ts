/** Memory of the operating system for tensors: at fixed addresses, on huge pages where the system has them. */
import { formatBytes } from "../../../bytes.ts";
import { NativeError } from "../../../errors.ts";
import { loadKoffi } from "./koffi.ts";
import { loadSystem } from "./loadSystem.ts";
import type { System } from "./system.ts";

const HUGE_PAGE = 2 ** 21;
const CACHE_LINE = 64;

/** A range of zeroed memory from the operating system, outside JavaScript's heap: it never moves. */
export interface MappedMemory {
  /** A multiple of 2 MiB. */
  readonly address: bigint;
  readonly bytes: number;
  /**
   * A view of the memory for JavaScript, of up to 2^30 numbers. After `unmap` it reads as zeros or the last values written to it.
   *
   * Throws NativeError if it is longer: the runtime allows no more.
   */
  view(address: bigint, length: number): Float32Array;
  /** Frees the memory, and its addresses once no view of it is left. Repeated calls do nothing. */
  unmap(): void;
}

export interface SharedMemory {
  readonly array: Float32Array<SharedArrayBuffer>;
  readonly address: bigint;
}

export interface LibC {
  /** Zeroed memory on huge pages where the system has them. Throws NativeError if memory runs out. */
  map(bytes: number): MappedMemory;
  /** Zeroed memory that JavaScript threads can share, at a fixed address; it lives as long as the array is referenced. */
  share(length: number): SharedMemory;
  /** The address of a typed array's memory, for synchronous calls. */
  addressOf(array: Float32Array | Int8Array | Uint8Array): bigint;
}

const MAX_VIEW_BYTES = 2 ** 32;

function view(address: bigint, length: number): Float32Array {
  if (length * 4 > MAX_VIEW_BYTES) {
    throw new NativeError(`memory: a tensor of ${length} numbers is too long; use a smaller batch size`);
  }
  return new Float32Array(loadKoffi().view(address, length * 4));
}

/** Runs an action once a view has been collected. */
const collected = new FinalizationRegistry<() => void>((action) => action());

/** Memory of a system, by default of this one. Throws NativeError on a platform that the engine does not support. */
export function loadLibC(system: System = loadSystem()): LibC {
  const koffi = loadKoffi();
  return {
    map(bytes) {
      const whole = Math.ceil(Math.max(bytes, 1) / HUGE_PAGE + 1) * HUGE_PAGE;
      const start = system.allocate(whole);
      if (start === undefined) {
        throw new NativeError(`memory: ${formatBytes(whole)} cannot be allocated; use a smaller batch size`);
      }
      const address = ((start + BigInt(HUGE_PAGE - 1)) / BigInt(HUGE_PAGE)) * BigInt(HUGE_PAGE);
      if (bytes >= HUGE_PAGE) system.preferHugePages(address, whole - HUGE_PAGE);
      let views = 0;
      let isMapped = true;
      return {
        address,
        bytes,
        view(from, length) {
          const array = view(from, length);
          views++;
          collected.register(array.buffer, () => {
            views--;
            if (views === 0 && !isMapped) system.free(start, whole);
          });
          return array;
        },
        unmap() {
          if (!isMapped) return;
          isMapped = false;
          // A view cannot be revoked.
          if (views === 0) system.free(start, whole);
          else system.discard(start, whole);
        },
      };
    },
    share(length) {
      const alignment = 4 * length >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
      const memory = new SharedArrayBuffer(4 * length + alignment);
      const start: bigint = BigInt(koffi.address(new Uint8Array(memory)));
      const offset = (alignment - Number(start % BigInt(alignment))) % alignment;
      const address = start + BigInt(offset);
      if (alignment === HUGE_PAGE) system.preferHugePages(address, 4 * length);
      return { array: new Float32Array(memory, offset, length), address };
    },
    addressOf: (array) => koffi.address(array),
  };
}
