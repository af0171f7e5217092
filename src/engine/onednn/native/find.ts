/** Finds oneDNN on this machine and loads it. */
import { realpathSync } from "node:fs";
import { NativeError } from "../../../errors.ts";
import { loadLibC } from "./libc.ts";
import { inspectLibrary, type LibraryFacts } from "./library.ts";
import type { OneDnn } from "./oneDnn.ts";
import { loadOneDnn2 } from "./oneDnn2.ts";
import { loadOneDnn3 } from "./oneDnn3.ts";

/** Loader and minimum minor version of each major version. Later minor versions keep the API. */
const loaders: ReadonlyMap<
  number,
  { readonly minor: number; readonly load: (path: string, version: string) => OneDnn }
> = new Map([
  [2, { minor: 6, load: loadOneDnn2 }],
  [3, { minor: 0, load: loadOneDnn3 }],
]);

/**
 * Minimum cache size. If a virtual machine hides the caches of an AMD processor, 3.2 to 3.9 assume a first-level cache of one byte: `sum` divides by
 * zero and reorders drop the end of padded weights (https://github.com/uxlfoundation/oneDNN/issues/5313 is the same on Arm, from 3.10 on).
 */
const SMALLEST_CACHE_BYTES = 4096;

/** Debian puts the minor version into the name (3.7 and 3.12 are both called 3.6), and the linker accepts no patterns. */
const HIGHEST_MINOR = 30;
const debianNames = Array.from({ length: HIGHEST_MINOR + 1 }, (_, i) => `libdnnl.so.3.${HIGHEST_MINOR - i}`);

/**
 * Names for the dynamic linker, best first. 2.x comes before 3.x, since only 2.x has Winograd convolutions for AVX-512. Version 1 is searched for the
 * sake of the error message.
 */
const libraryNames: readonly string[] =
  process.platform === "darwin"
    ? ["libdnnl.2.dylib", "libdnnl.3.dylib", "/opt/homebrew/lib/libdnnl.3.dylib", "/usr/local/lib/libdnnl.3.dylib"]
    : ["libdnnl.so.2", "libdnnl.so.3", ...debianNames, "libdnnl.so.1"];

const INSTALL =
  "install 2.6 or later of 2.x, or 3.x (npm run setup in a checkout; packages libdnnl2, libdnnl3 and libdnnl3.6 of Debian and " +
  "Ubuntu, onednn of Homebrew), or set ALEXNET_ONEDNN to the path of one";

/** A oneDNN library on this machine. */
export interface FoundLibrary {
  /** The file, if the system reports it; otherwise its name. */
  readonly path: string;
  readonly version: string;
  readonly supported: boolean;
  /** Reason why it is not supported. */
  readonly problem?: string;
}

/** Every oneDNN that the dynamic linker finds here, or the one that ALEXNET_ONEDNN names; the first supported one is used. */
export function findOneDnn(): readonly FoundLibrary[] {
  return [...search()];
}

/** Throws NativeError that says what was found and what to install. */
export function loadOneDnn(): OneDnn {
  const rejected: FoundLibrary[] = [];
  for (const library of search()) {
    if (library.supported) return load(library);
    rejected.push(library);
  }
  const chosen = process.env["ALEXNET_ONEDNN"];
  const found = rejected.map(({ path, version, problem }) => `${version} at ${path} ${problem}`).join("; ");
  const state = found || (chosen ? `nothing loads from ALEXNET_ONEDNN=${chosen}` : "not found");
  throw new NativeError(`oneDNN: ${state}; ${INSTALL}`);
}

function load({ path, version }: FoundLibrary): OneDnn {
  const loader = loaders.get(majorMinor(version)[0]);
  if (!loader) throw new NativeError(`oneDNN: no loader for version ${version}`);
  loadLibC().pin(path);
  return loader.load(path, version);
}

/** Loads one library at a time, and none after the first supported one. */
function* search(): Generator<FoundLibrary> {
  const chosen = process.env["ALEXNET_ONEDNN"];
  const seen = new Set<string>();
  for (const name of chosen ? [chosen] : libraryNames) {
    const library = probe(name);
    if (!library || seen.has(library.path)) continue;
    seen.add(library.path);
    yield library;
  }
}

function probe(name: string): FoundLibrary | undefined {
  try {
    const facts = inspectLibrary(name);
    const path = realpathSync(loadLibC().fileOf(name, "dnnl_version") ?? name);
    const problem = problemOf(facts);
    return { path, version: facts.version, supported: problem === undefined, ...(problem && { problem }) };
  } catch {
    return undefined; // not found, or not oneDNN: the caller reports it
  }
}

/** Reason to refuse a library; undefined for a supported one. */
function problemOf({ version, firstCacheBytes }: LibraryFacts): string | undefined {
  const [major, minor] = majorMinor(version);
  if (minor < (loaders.get(major)?.minor ?? Infinity)) return "is not supported";
  if (firstCacheBytes === undefined || firstCacheBytes >= SMALLEST_CACHE_BYTES) return undefined;
  return (
    `detects a first-level cache of ${firstCacheBytes} bytes, since the virtual machine hides it, and would lose ` +
    "values or crash; use another version (docs/onednn.md)"
  );
}

function majorMinor(version: string): readonly [major: number, minor: number] {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return [major, minor];
}
