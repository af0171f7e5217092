/** Finds oneDNN on this machine and loads it. */
import { realpathSync } from "node:fs";
import { isAbsolute } from "node:path";
import { messageOf, NativeError } from "../../../errors.ts";
import { inspectLibrary, type LibraryFacts } from "./library.ts";
import { type LibraryFolder, platformPackageFolders, readLibraryFolder, setupFolder } from "./libraryFolder.ts";
import { loadSystem } from "./loadSystem.ts";
import type { OneDnn } from "./oneDnn.ts";
import { loadOneDnn2 } from "./oneDnn2.ts";
import { loadOneDnn3 } from "./oneDnn3.ts";
import { howToInstall, SUPPORTED_VERSIONS, systemLibraries } from "./systemLibraries.ts";
import { untrustedPart } from "./trust.ts";

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

/** A oneDNN library on this machine. */
export interface FoundLibrary {
  /** The file, if the system reports it; otherwise its name. */
  readonly path: string;
  readonly version: string;
  readonly supported: boolean;
  /** Reason why it is not supported. */
  readonly problem?: string;
}

/** Every oneDNN found here, or the one that ALEXNET_ONEDNN names; the first supported one is used. */
export function findOneDnn(): readonly FoundLibrary[] {
  const chosen = process.env["ALEXNET_ONEDNN"];
  if (!chosen) return [...search()];
  try {
    return [inspect(chosen)];
  } catch {
    return []; // the reason is in the message of loadOneDnn
  }
}

/** Throws NativeError that says what was found and what to install. */
export function loadOneDnn(): OneDnn {
  loadSystem(); // throws without native functions, which would make every library look absent
  const chosen = process.env["ALEXNET_ONEDNN"];
  if (chosen) return loadChosen(chosen);
  const rejected: FoundLibrary[] = [];
  for (const library of search()) {
    if (library.supported) return load(library);
    rejected.push(library);
  }
  const found = rejected.map(({ path, version, problem }) => `${version} at ${path} ${problem}`).join("; ");
  throw new NativeError(`oneDNN: ${found || "not found"}; ${howToInstall(process.platform)}`);
}

/** Loads the library that ALEXNET_ONEDNN names: no other one is searched for. */
function loadChosen(path: string): OneDnn {
  const remedy = `set ALEXNET_ONEDNN to a oneDNN library of version ${SUPPORTED_VERSIONS}, or unset it`;
  try {
    const library = inspect(path);
    if (library.supported) return load(library);
    throw new NativeError(`${library.version} ${library.problem}`);
  } catch (cause) {
    throw new NativeError(`oneDNN: ALEXNET_ONEDNN=${path}: ${reasonOf(cause)}; ${remedy}`, { cause });
  }
}

/** Loads and checks a library file for `alexnet setup`, before it is moved into place. Throws if it is not a supported oneDNN. */
export function checkLibraryFolder(folder: string): FoundLibrary {
  const found = readLibraryFolder(folder);
  if (!found) throw new NativeError(`${folder}: no oneDNN library`);
  loadCompanions(found);
  const library = inspect(found.file);
  if (!library.supported) throw new NativeError(`${library.version} ${library.problem}`);
  return library;
}

function load({ path, version }: FoundLibrary): OneDnn {
  const loader = loaders.get(majorMinor(version)[0]);
  if (!loader) throw new NativeError(`oneDNN: no loader for version ${version}`);
  // The library's threads may outlive every handle to it.
  if (!loadSystem().pin(path)) throw new NativeError(`${path}: the library cannot be loaded`);
  return loader.load(path, version);
}

/** Loads one library at a time, and none after the first supported one: the system's, a platform package's, that of `alexnet setup`. */
function* search(): Generator<FoundLibrary> {
  const seen = new Set<string>();
  for (const look of [
    ...systemLibraries(process.platform, process.env).map((name) => () => inspect(name)),
    ...platformPackageFolders().map((folder) => () => inspectFolder(folder)),
    () => inspectSetupFolder(),
  ]) {
    const library = probe(look);
    if (!library || seen.has(library.path)) continue;
    seen.add(library.path);
    yield library;
  }
}

function probe(look: () => FoundLibrary | undefined): FoundLibrary | undefined {
  try {
    return look();
  } catch {
    return undefined; // not found, or not oneDNN: the caller reports it
  }
}

/** Throws if a library cannot be loaded, or is not oneDNN. */
function inspect(name: string): FoundLibrary {
  const facts = inspectLibrary(name);
  // A loaded file keeps its first path, also after a move.
  const file = isAbsolute(name) ? name : loadSystem().fileOf(name, "dnnl_version");
  const path = realpathSync(file ?? name);
  const problem = problemOf(facts);
  return { path, version: facts.version, supported: problem === undefined, ...(problem && { problem }) };
}

/** A library that fails to load in such a folder is reported: it was installed for this program. */
function inspectFolder(folder: string): FoundLibrary | undefined {
  const found = readLibraryFolder(folder);
  if (!found) return undefined;
  try {
    loadCompanions(found);
    return inspect(found.file);
  } catch (error) {
    return unread(found.file, `cannot be loaded: ${reasonOf(error)}`);
  }
}

function unread(path: string, problem: string): FoundLibrary {
  return { path, version: "unknown version", supported: false, problem };
}

function reasonOf(error: unknown): string {
  return messageOf(error).replace(/^Failed to load shared library: /, "");
}

/** Nothing in the user's cache is loaded that other users can change. */
function inspectSetupFolder(): FoundLibrary | undefined {
  const found = readLibraryFolder(setupFolder());
  if (!found) return undefined;
  for (const path of [found.file, ...found.companions.map((companion) => companion.path)]) {
    const problem = untrustedPart(path);
    if (problem) return unread(path, `is not loaded: ${problem}`);
  }
  return inspectFolder(setupFolder());
}

/** A loaded library serves all that ask for its name. The system's own comes first. */
function loadCompanions({ companions }: LibraryFolder): void {
  const { pin } = loadSystem();
  for (const { name, path } of companions) if (!pin(name)) pin(path);
}

/** Reason to refuse a library; undefined for a supported one. */
function problemOf({ version, firstCacheBytes }: LibraryFacts): string | undefined {
  if (!supportsVersion(version)) return "is not supported";
  if (firstCacheBytes === undefined || firstCacheBytes >= SMALLEST_CACHE_BYTES) return undefined;
  return (
    `detects a first-level cache of ${firstCacheBytes} bytes, since the virtual machine hides it, and would lose ` +
    "values or crash; use another version (docs/onednn.md)"
  );
}

/** True for a version, such as `2.6.3-1` of a package, that the engine supports. */
export function supportsVersion(version: string): boolean {
  const [major, minor] = majorMinor(version);
  return minor >= (loaders.get(major)?.minor ?? Infinity);
}

function majorMinor(version: string): readonly [major: number, minor: number] {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return [major, minor];
}
