/** The few functions of the C library that the engine needs. */
import koffi from "koffi";
import { NativeError } from "../../../errors.ts";

const PROT_READ_WRITE = 3;
const MADV_HUGEPAGE = 14;
const RTLD_NOW = 2;
const onLinux = process.platform === "linux";
const MAP_PRIVATE_ANONYMOUS = onLinux ? 0x22 : 0x1002;
const RTLD_NODELETE = onLinux ? 0x1000 : 0x80;
const RTLD_NOLOAD = onLinux ? 0x4 : 0x10;
/** `Dl_info`: four pointers, the first one to the name of the file. */
const DL_INFO_POINTERS = 4;
const MAP_FIXED = 0x10;
const HUGE_PAGE = 2 ** 21;
const CACHE_LINE = 64;

/** A range of zeroed memory of the operating system, outside JavaScript's heap: it never moves. */
export interface MappedMemory {
  /** A multiple of 2 MiB. */
  readonly address: bigint;
  readonly bytes: number;
  /**
   * Part of the memory as JavaScript sees it, for lengths up to 2^30 numbers. After `unmap` it reads as zeros or what was last written to it.
   *
   * Throws NativeError if it is longer: the runtime takes no more.
   */
  view(address: bigint, length: number): Float32Array;
  /** Gives the memory back; its addresses once no view of it is left. Doing so again does nothing. */
  unmap(): void;
}

export interface SharedMemory {
  readonly array: Float32Array<SharedArrayBuffer>;
  readonly address: bigint;
}

export interface LibC {
  /** Zeroed memory on huge pages where the system has them. Throws NativeError if there is not enough. */
  map(bytes: number): MappedMemory;
  /** Zeroed memory that threads of JavaScript can share, at an address that does not change; it lasts as long as the array is referred to. */
  share(length: number): SharedMemory;
  /** The address of a typed array's memory, for calls that return before JavaScript goes on. */
  addressOf(array: Float32Array | Int8Array | Uint8Array): bigint;
  /** Keeps a library loaded until the process ends: its threads may outlive every handle to it. */
  pin(path: string): void;
  /** The file that a library was loaded from which has the function `symbol`; undefined if it is not loaded, or has none. */
  fileOf(library: string, symbol: string): string | undefined;
}

const MAX_VIEW_BYTES = 2 ** 32;

function view(address: bigint, length: number): Float32Array {
  if (length * 4 > MAX_VIEW_BYTES) {
    throw new NativeError(`memory: a tensor of ${length} numbers is too long; use a smaller batch size`);
  }
  return new Float32Array(koffi.view(address, length * 4));
}

/** Runs an action once a view has been collected. */
const collected = new FinalizationRegistry<() => void>((action) => action());

export function loadLibC(): LibC {
  const library = koffi.load(onLinux ? "libc.so.6" : "/usr/lib/libSystem.B.dylib");
  const mmap = library.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64"]);
  const munmap = library.func("munmap", "int", ["void *", "size_t"]);
  const madvise = library.func("madvise", "int", ["void *", "size_t", "int"]);
  const dlopen = library.func("dlopen", "void *", ["str", "int"]);
  const dlsym = library.func("dlsym", "void *", ["void *", "str"]);
  const dlclose = library.func("dlclose", "int", ["void *"]);
  const dladdr = library.func("dladdr", "int", ["void *", "void *"]);
  return {
    map(bytes) {
      const whole = Math.ceil(Math.max(bytes, 1) / HUGE_PAGE + 1) * HUGE_PAGE;
      const start: bigint | null = mmap(null, whole, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
      if (start === null || BigInt.asIntN(64, start) === -1n) {
        throw new NativeError(
          `memory: ${(whole / 2 ** 20).toFixed(0)} MiB are not to be had; use a smaller batch size`,
        );
      }
      const address = ((start + BigInt(HUGE_PAGE - 1)) / BigInt(HUGE_PAGE)) * BigInt(HUGE_PAGE);
      if (onLinux && bytes >= HUGE_PAGE) madvise(address, whole - HUGE_PAGE, MADV_HUGEPAGE);
      const free = () => void munmap(start, whole);
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
            if (views === 0 && !isMapped) free();
          });
          return array;
        },
        unmap() {
          if (!isMapped) return;
          isMapped = false;
          // A view cannot be taken back: fresh pages in place of the old ones, which take no memory until they are touched.
          if (views === 0) free();
          else mmap(start, whole, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_FIXED, -1, 0);
        },
      };
    },
    share(length) {
      const alignment = 4 * length >= HUGE_PAGE ? HUGE_PAGE : CACHE_LINE;
      const memory = new SharedArrayBuffer(4 * length + alignment);
      const start: bigint = BigInt(koffi.address(new Uint8Array(memory)));
      const offset = (alignment - Number(start % BigInt(alignment))) % alignment;
      const address = start + BigInt(offset);
      if (onLinux && alignment === HUGE_PAGE) madvise(address, 4 * length, MADV_HUGEPAGE);
      return { array: new Float32Array(memory, offset, length), address };
    },
    addressOf: (array) => koffi.address(array),
    pin(path) {
      if (dlopen(path, RTLD_NOW | RTLD_NODELETE) === null) {
        throw new NativeError(`${path}: the library does not load`);
      }
    },
    fileOf(name, symbol) {
      const handle = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
      if (handle === null) return undefined;
      const info = new BigUint64Array(DL_INFO_POINTERS);
      const found = dladdr(dlsym(handle, symbol), info) !== 0;
      dlclose(handle);
      return found ? koffi.decode.string(info[0] as bigint) : undefined;
    },
  };
}
