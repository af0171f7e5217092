/** Memory and libraries on Linux (glibc and musl), macOS and FreeBSD. */
import type { ForeignFunctions } from "../../../koffi.ts";
import type { System } from "./system.ts";

/** Values of `sys/mman.h` and `dlfcn.h` that differ. */
interface PosixConstants {
  /** `MAP_PRIVATE | MAP_ANONYMOUS` */
  readonly privateAnonymous: number;
  readonly noDelete: number;
  readonly noLoad: number;
  /** Advice of `madvise`; undefined where huge pages cannot be requested. */
  readonly hugePages: number | undefined;
}

const byPlatform: Readonly<Partial<Record<NodeJS.Platform, PosixConstants>>> = {
  // The same in glibc and musl.
  linux: { privateAnonymous: 0x22, noDelete: 0x1000, noLoad: 0x4, hugePages: 14 },
  darwin: { privateAnonymous: 0x1002, noDelete: 0x80, noLoad: 0x10, hugePages: undefined },
  freebsd: { privateAnonymous: 0x1002, noDelete: 0x1000, noLoad: 0x2000, hugePages: undefined },
};

const PROT_READ_WRITE = 3;
const MAP_FIXED = 0x10;
const RTLD_NOW = 2;
/** `Dl_info`: four pointers, the first one to the name of the file. */
const DL_INFO_POINTERS = 4;

export function posixConstants(platform: NodeJS.Platform): PosixConstants | undefined {
  return byPlatform[platform];
}

export function posixSystem(koffi: ForeignFunctions, constants: PosixConstants): System {
  const { privateAnonymous, noDelete, noLoad, hugePages } = constants;
  // The functions of the process itself: the C library has another name on every system.
  const library = koffi.load(null);
  const mmap = library.func("mmap", "void *", ["void *", "size_t", "int", "int", "int", "int64"]);
  const munmap = library.func("munmap", "int", ["void *", "size_t"]);
  const madvise = library.func("madvise", "int", ["void *", "size_t", "int"]);
  const dlopen = library.func("dlopen", "void *", ["str", "int"]);
  const dlsym = library.func("dlsym", "void *", ["void *", "str"]);
  const dlclose = library.func("dlclose", "int", ["void *"]);
  const dladdr = library.func("dladdr", "int", ["void *", "void *"]);
  return {
    allocate(bytes) {
      const start: bigint | null = mmap(null, bytes, PROT_READ_WRITE, privateAnonymous, -1, 0);
      return start === null || BigInt.asIntN(64, start) === -1n ? undefined : start;
    },
    free: (start, bytes) => void munmap(start, bytes),
    discard: (start, bytes) => void mmap(start, bytes, PROT_READ_WRITE, privateAnonymous | MAP_FIXED, -1, 0),
    preferHugePages(start, bytes) {
      if (hugePages !== undefined) madvise(start, bytes, hugePages);
    },
    pin: (path) => dlopen(path, RTLD_NOW | noDelete) !== null,
    fileOf(name, symbol) {
      const handle = dlopen(name, RTLD_NOW | noLoad);
      if (handle === null) return undefined;
      const info = new BigUint64Array(DL_INFO_POINTERS);
      const found = dladdr(dlsym(handle, symbol), info) !== 0;
      dlclose(handle);
      return found ? koffi.decode.string(info[0] as bigint) : undefined;
    },
  };
}
