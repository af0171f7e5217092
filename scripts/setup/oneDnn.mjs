/** Finds the oneDNN libraries that the dynamic linker would load, without loading any; the engine loads and checks them. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";

/** Versions that the engine accepts (src/engine/onednn/native/find.ts). */
export const SUPPORTED_VERSIONS = "2.6 or later of 2.x, or 3.x";
const LIBRARY_FILE = /^libdnnl(?:\.so((?:\.\d+)+)|((?:\.\d+)+)\.dylib)$/;
const DEFAULT_FOLDERS =
  process.platform === "darwin"
    ? ["/opt/homebrew/lib", "/usr/local/lib"]
    : ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];
/** Architectures in the linker's cache; others, such as i386 on amd64, cannot be loaded. */
const CACHE_ARCHITECTURE = { x64: "x86-64", arm64: "AArch64" };

/** `version` is, for example, `2.6.3-1` or `2.6`; a missing part counts as supported. */
export function isSupported(version) {
  const [major, minor = Infinity] = version.split(/[.-]/).map(Number);
  return (major === 2 && minor >= 6) || major === 3;
}

/** Compares versions by the engine's preference: 2.x first, which has Winograd convolutions for AVX-512, then the latest. */
export function bestFirst(a, b) {
  const [[majorA, minorA = 0], [majorB, minorB = 0]] = [a, b].map((version) => version.split(/[.-]/).map(Number));
  return majorA - majorB || minorB - minorA;
}

/** Libraries in the output of `ldconfig -p` that a process of this architecture can load. */
export function librariesInCache(text, architecture) {
  const label = CACHE_ARCHITECTURE[architecture] || "";
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(\S+) \(([^)]*)\) => (.+)$/.exec(line);
    return match && LIBRARY_FILE.test(match[1]) && match[2].includes(label) ? [match[3]] : [];
  });
}

/**
 * Returns { path, version, supported } of each library, best first; only the one named by ALEXNET_ONEDNN if it is set.
 *
 * Throws if that file does not exist.
 */
export function findOneDnn(env) {
  const chosen = env.ALEXNET_ONEDNN;
  if (chosen) {
    if (!existsSync(chosen))
      throw new Error(`ALEXNET_ONEDNN: there is no file ${chosen}; set it to a libdnnl.so.2 or .3, or unset it`);
    return [{ path: chosen, version: versionOf(chosen), supported: true }];
  }
  const folders = [...(env.LD_LIBRARY_PATH || "").split(":").filter(Boolean), ...DEFAULT_FOLDERS, userFolder(env)];
  const paths = new Set([...folders.flatMap(librariesIn), ...librariesInCache(linkerCache(), process.arch)].map(real));
  return [...paths]
    .map((path) => ({ path, version: versionOf(path), supported: isSupported(versionOf(path)) }))
    .sort((a, b) => bestFirst(a.version, b.version));
}

/** Folder of `alexnet setup` (src/engine/onednn/native/libraryFolder.ts). */
function userFolder(env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "alexnet/onednn");
}

function librariesIn(folder) {
  try {
    return readdirSync(folder)
      .filter((file) => LIBRARY_FILE.test(file))
      .map((file) => join(folder, file));
  } catch {
    return [];
  }
}

/** Ldconfig is rarely on an ordinary user's PATH; without it, the library folders are searched. */
function linkerCache() {
  const ldconfig = ["/sbin/ldconfig", "/usr/sbin/ldconfig"].find((path) => existsSync(path));
  return ldconfig ? spawnSync(ldconfig, ["-p"], { encoding: "utf8" }).stdout || "" : "";
}

/** File at the end of the links, whose name contains the full version. */
function real(path) {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function versionOf(path) {
  const match = LIBRARY_FILE.exec(basename(real(path)));
  return match ? (match[1] || match[2]).slice(1) : "of unknown version";
}
