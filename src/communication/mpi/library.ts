/** MPI by foreign function calls: the search for the library, and the functions that are used. */
import { messageOf, NativeError } from "../../errors.ts";
import { type ForeignFunctions, loadKoffiFor } from "../../koffi.ts";
import { type Handle, type Implementation, implementations } from "./implementations.ts";

/** The environment variable with the path of the library. */
const LIBRARY_VARIABLE = "ALEXNET_MPI";

/** The remedy of messages about a missing MPI. */
export const installMpi =
  "install Open MPI (on Debian and Ubuntu: apt-get install openmpi-bin; in a checkout: npm run setup -- --mpi)";

/** `MPI_THREAD_FUNNELED`: one thread makes all calls. */
const FUNNELED = 1;
const RTLD_NOW = 2;
/** `RTLD_NODELETE` of Linux. */
const NO_DELETE = process.platform === "linux" ? 0x1000 : 0;
/** `MPI_MAX_LIBRARY_VERSION_STRING` is 256 in Open MPI and 8192 in MPICH. */
const VERSION_BYTES = 8192;

/** An MPI library on this machine. */
export interface FoundMpi {
  readonly path: string;
  readonly implementation: Implementation;
  readonly version: string;
}

type NativeLibrary = ReturnType<ForeignFunctions["load"]>;

function loadKoffi(): ForeignFunctions {
  return loadKoffiFor("MPI", "train in one process");
}

/** Names for the dynamic linker. A launcher's own library comes first: processes of another one would not find each other. */
function candidates(env: NodeJS.ProcessEnv): readonly string[] {
  const chosen = env[LIBRARY_VARIABLE];
  if (chosen) return [chosen];
  if (process.platform === "darwin") return ["/opt/homebrew/lib/libmpi.dylib", "/usr/local/lib/libmpi.dylib"];
  const [openMpi, mpich] = [["libmpi.so.40"], ["libmpich.so.12", "libmpi.so.12"]] as const;
  const isHydra = env["PMI_SIZE"] !== undefined && env["OMPI_COMM_WORLD_SIZE"] === undefined;
  return isHydra ? [...mpich, ...openMpi] : [...openMpi, ...mpich];
}

/** Finds the library without starting MPI. Throws NativeError if there is none, its implementation is unknown, or koffi has no binary. */
export function findMpi(env: NodeJS.ProcessEnv): FoundMpi {
  const koffi = loadKoffi();
  for (const path of candidates(env)) {
    let library: NativeLibrary;
    try {
      library = koffi.load(path);
    } catch (cause) {
      if (path !== env[LIBRARY_VARIABLE]) continue;
      const remedy = "set it to a libmpi, or unset it";
      throw new NativeError(`MPI: ${LIBRARY_VARIABLE}: ${messageOf(cause)}; ${remedy}`, { cause });
    }
    return identify(path, library);
  }
  throw new NativeError(`MPI: no library found; ${installMpi}, or set ${LIBRARY_VARIABLE} to the path of one`);
}

function identify(path: string, library: NativeLibrary): FoundMpi {
  const text = new Uint8Array(VERSION_BYTES);
  library.func("MPI_Get_library_version", "int", ["void *", "void *"])(text, new Int32Array(1));
  const version = Buffer.from(text.subarray(0, text.indexOf(0))).toString("latin1");
  for (const implementation of implementations) {
    const number = implementation.version.exec(version)?.[1];
    if (number !== undefined) return { path, implementation, version: number };
  }
  const known = implementations.map(({ name }) => name).join(" or ");
  throw new NativeError(`MPI: ${path}: expected ${known}, got ${version.split("\n")[0]}; ${installMpi}`);
}

/** A request or another value that native code writes, in memory that never moves. */
export interface Slot {
  readonly address: bigint;
}

/** The functions of a started MPI. Each `start…` writes a request, which `isDone` completes. */
export interface Mpi {
  readonly rank: number;
  readonly size: number;
  /** A new slot for a request. */
  slot(): Slot;
  startSum(type: "float" | "double", address: bigint, count: number, request: Slot): void;
  /** Sums all processes' values at `from` into those at `to` of the process `root`. */
  startReduce(type: "float" | "double", from: bigint, to: bigint, count: number, root: number, request: Slot): void;
  /** Gathers `bytes` of every process. */
  startGather(from: bigint, to: bigint, bytes: number, request: Slot): void;
  startShare(address: bigint, bytes: number, request: Slot): void;
  startBarrier(request: Slot): void;
  startSend(address: bigint, bytes: number, to: number, request: Slot): void;
  startReceive(address: bigint, bytes: number, from: number, request: Slot): void;
  isDone(request: Slot): boolean;
  finalize(): void;
  /** Ends this process at once, without the clean-up that would wait for threads. */
  exit(code: number): void;
}

/** Tag of all messages between two processes. */
const TAG = 1;

/** Starts MPI in the calling thread, which then makes all calls. Throws NativeError if a call fails. */
export function startLibrary({ path, implementation }: FoundMpi): Mpi {
  const { handleType, inPlace, statusIgnore } = implementation;
  const koffi = loadKoffi();
  const process_ = koffi.load(null);
  const dlopen = process_.func("dlopen", "void *", ["str", "int"]);
  const dlsym = process_.func("dlsym", "void *", ["void *", "str"]);
  const loaded: bigint | null = dlopen(path, RTLD_NOW | NO_DELETE);
  if (loaded === null) throw new NativeError(`MPI: ${path}: cannot be loaded; ${installMpi}`);
  const library = koffi.load(path);
  const bind = (name: string, types: readonly string[]) => {
    const call = library.func(name, "int", [...types]) as (...args: readonly unknown[]) => number;
    return (...args: readonly unknown[]): void => {
      const status = call(...args);
      if (status !== 0) throw new NativeError(`MPI: ${name}: error ${status}`);
    };
  };
  const [P, I, H] = ["void *", "int", handleType];
  const test = bind("MPI_Test", [P, P, P]);
  const allReduce = bind("MPI_Iallreduce", [P, P, I, H, H, H, P]);
  const reduce = bind("MPI_Ireduce", [P, P, I, H, H, I, H, P]);
  const allGather = bind("MPI_Iallgather", [P, I, H, P, I, H, H, P]);
  const broadcast = bind("MPI_Ibcast", [P, I, H, I, H, P]);
  const barrier = bind("MPI_Ibarrier", [H, P]);
  const send = bind("MPI_Isend", [P, I, H, I, I, H, P]);
  const receive = bind("MPI_Irecv", [P, I, H, I, I, H, P]);
  const { world, float, double, byte, sum } = implementation.handles((name) => {
    const address: bigint | null = dlsym(loaded, name);
    if (address === null) throw new NativeError(`MPI: ${path}: expected the symbol ${name}; ${installMpi}`);
    return address;
  });
  const types: Readonly<Record<"float" | "double", Handle>> = { float, double };
  bind("MPI_Init_thread", [P, P, I, P])(null, null, FUNNELED, new Int32Array(1));
  const number = (name: string) => {
    const value = new Int32Array(1);
    bind(name, [H, P])(world, value);
    return value[0] as number;
  };
  const flag = fixedMemory(koffi, 4);
  const isSet = new Int32Array(flag.memory, flag.offset, 1);
  const exit = process_.func("_exit", "void", ["int"]);
  return {
    rank: number("MPI_Comm_rank"),
    size: number("MPI_Comm_size"),
    slot: () => fixedMemory(koffi, 8),
    startSum: (type, address, count, request) =>
      allReduce(inPlace, address, count, types[type], sum, world, request.address),
    startReduce: (type, from, to, count, root, request) =>
      reduce(from, to, count, types[type], sum, root, world, request.address),
    startGather: (from, to, bytes, request) => allGather(from, bytes, byte, to, bytes, byte, world, request.address),
    startShare: (address, bytes, request) => broadcast(address, bytes, byte, 0, world, request.address),
    startBarrier: (request) => barrier(world, request.address),
    startSend: (address, bytes, to, request) => send(address, bytes, byte, to, TAG, world, request.address),
    startReceive: (address, bytes, from, request) => receive(address, bytes, byte, from, TAG, world, request.address),
    isDone(request) {
      test(request.address, flag.address, statusIgnore);
      return isSet[0] !== 0;
    },
    finalize: bind("MPI_Finalize", []),
    exit: (code) => void exit(code),
  };
}

/** Memory outside of JavaScript's heap, which does not move; it lives as long as the result. */
function fixedMemory(koffi: ForeignFunctions, bytes: number) {
  const memory = new SharedArrayBuffer(bytes + 8);
  const start: bigint = koffi.address(new Uint8Array(memory));
  const offset = Number((8n - (start % 8n)) % 8n);
  return { memory, offset, address: start + BigInt(offset) };
}

/** The address of an array's memory. */
export function addressOf(values: ArrayBufferView): bigint {
  return loadKoffi().address(values);
}
