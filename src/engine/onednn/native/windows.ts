/** Memory and libraries on Windows, by kernel32. Tried under Wine only. */
import type { ForeignFunctions } from "../../../koffi.ts";
import type { System } from "./system.ts";

const MEM_COMMIT = 0x1000;
const MEM_RESERVE = 0x2000;
const MEM_DECOMMIT = 0x4000;
const MEM_RELEASE = 0x8000;
const PAGE_READWRITE = 4;
const GET_MODULE_HANDLE_EX_FLAG_PIN = 1;
/** Longest path of Windows, in UTF-16 units. */
const MAX_PATH_UNITS = 32768;

export function windowsSystem(koffi: ForeignFunctions): System {
  const kernel = koffi.load("kernel32.dll");
  const virtualAlloc = kernel.func("VirtualAlloc", "void *", ["void *", "size_t", "uint32", "uint32"]);
  const virtualFree = kernel.func("VirtualFree", "int", ["void *", "size_t", "uint32"]);
  const getModuleHandle = kernel.func("GetModuleHandleW", "void *", ["str16"]);
  const getModuleHandleEx = kernel.func("GetModuleHandleExW", "int", ["uint32", "str16", "void *"]);
  const getModuleFileName = kernel.func("GetModuleFileNameW", "uint32", ["void *", "void *", "uint32"]);
  return {
    allocate: (bytes) => virtualAlloc(null, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) ?? undefined,
    // The size of a release is 0: an allocation is released as a whole.
    free: (start) => void virtualFree(start, 0, MEM_RELEASE),
    discard(start, bytes) {
      virtualFree(start, bytes, MEM_DECOMMIT);
      virtualAlloc(start, bytes, MEM_COMMIT, PAGE_READWRITE);
    },
    // Large pages need a privilege that no ordinary account has.
    preferHugePages: () => undefined,
    pin(path) {
      try {
        // Koffi's search for dependencies includes the library's folder.
        koffi.load(path);
      } catch {
        return false;
      }
      return getModuleHandleEx(GET_MODULE_HANDLE_EX_FLAG_PIN, path, new BigUint64Array(1)) !== 0;
    },
    fileOf(name) {
      const handle: bigint | null = getModuleHandle(name);
      if (handle === null) return undefined;
      const units = new Uint16Array(MAX_PATH_UNITS);
      const length: number = getModuleFileName(handle, units, units.length);
      return length === 0 ? undefined : Buffer.from(units.buffer, 0, 2 * length).toString("utf16le");
    },
  };
}
