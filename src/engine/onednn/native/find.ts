/** Finds oneDNN on this machine and loads it. */
import { readFileSync } from "node:fs";
import koffi from "koffi";
import { NativeError } from "../../../errors.ts";
import { loadLibC } from "./libc.ts";
import type { OneDnn } from "./oneDnn.ts";
import { loadOneDnn2 } from "./oneDnn2.ts";

/** Loaders by major version; the lowest minor version that each was written for. */
const loaders: ReadonlyMap<
  number,
  { readonly minor: number; readonly load: (path: string, version: string) => OneDnn }
> = new Map([[2, { minor: 6, load: loadOneDnn2 }]]);

/** Where to look, best first: names for the dynamic linker. The unsupported ones are looked for to say what they are. */
const libraryNames =
  process.platform === "darwin"
    ? ["libdnnl.2.dylib", "libdnnl.3.dylib", "/opt/homebrew/lib/libdnnl.3.dylib"]
    : ["libdnnl.so.2", "libdnnl.so.3", "libdnnl.so.3.6", "libdnnl.so.3.5", "libdnnl.so.1"];

const INSTALL =
  "install oneDNN 2.6 or later of 2.x (Debian 12: apt-get install libdnnl2), or set ALEXNET_ONEDNN to the path of one";

/** A oneDNN library on this machine. */
export interface FoundLibrary {
  /** The file, as far as the system tells. */
  readonly path: string;
  readonly version: string;
  readonly supported: boolean;
}

/** Every oneDNN that the dynamic linker finds here, or the one that ALEXNET_ONEDNN names; the first supported one is used. */
export function findOneDnn(): readonly FoundLibrary[] {
  const chosen = process.env["ALEXNET_ONEDNN"];
  return (chosen ? [chosen] : libraryNames).flatMap((name) => probe(name) ?? []);
}

/** Throws NativeError that says what was found and what to install. */
export function loadOneDnn(): OneDnn {
  const found = findOneDnn();
  const usable = found.find((library) => library.supported);
  if (!usable) {
    const chosen = process.env["ALEXNET_ONEDNN"];
    const versions = found.map(({ path, version }) => `${version} at ${path}, which is not supported`).join("; ");
    const state = versions || (chosen ? `nothing loads from ALEXNET_ONEDNN=${chosen}` : "not found");
    throw new NativeError(`oneDNN: ${state}; ${INSTALL}`);
  }
  loadLibC().pin(usable.path);
  const loader = loaders.get(majorMinor(usable.version)[0]);
  if (!loader) throw new NativeError(`oneDNN: no loader for version ${usable.version}`);
  return loader.load(usable.path, usable.version);
}

function probe(name: string): FoundLibrary | undefined {
  try {
    const before = loadedPaths();
    const library = koffi.load(name);
    const pointer: bigint = library.func("dnnl_version", "void *", [])();
    const numbers = new Int32Array(koffi.view(pointer, 12));
    const version = numbers.join(".");
    const [major, minor] = majorMinor(version);
    return { path: newPath(before) ?? name, version, supported: minor >= (loaders.get(major)?.minor ?? Infinity) };
  } catch {
    return undefined; // not there, or no oneDNN: the caller reports what is missing
  }
}

function majorMinor(version: string): readonly [major: number, minor: number] {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return [major, minor];
}

/** The file behind the name just loaded, where the system can tell: a new one, or the only one that was there before. */
function newPath(before: readonly string[]): string | undefined {
  const now = loadedPaths();
  return now.find((path) => !before.includes(path)) ?? (now.length === 1 ? now[0] : undefined);
}

function loadedPaths(): readonly string[] {
  if (process.platform !== "linux") return [];
  const maps = readFileSync("/proc/self/maps", "utf8");
  return [...new Set([...maps.matchAll(/\/.*\/libdnnl[^/\n]*$/gm)].map(([path]) => path))];
}
