/** Which oneDNN libraries the dynamic linker would find, without loading any: the engine does that, and checks again. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";

/** As the engine accepts (src/engine/onednn/native/find.ts). */
export const SUPPORTED_VERSIONS = "2.6 or later of 2.x, or 3.x";
const LIBRARY_FILE = /^libdnnl(?:\.so((?:\.\d+)+)|((?:\.\d+)+)\.dylib)$/;
const DEFAULT_FOLDERS =
  process.platform === "darwin"
    ? ["/opt/homebrew/lib", "/usr/local/lib"]
    : ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];
/** What the linker's cache calls libraries for this processor; others, such as i386 beside amd64, cannot be loaded. */
const CACHE_ARCHITECTURE = { x64: "x86-64", arm64: "AArch64" };

/** `version` as in `2.6.3-1` or `2.6`; a part that is not there counts as good enough. */
export function isSupported(version) {
  const [major, minor = Infinity] = version.split(/[.-]/).map(Number);
  return (major === 2 && minor >= 6) || major === 3;
}

/** Compares versions as the engine prefers them: 2.x, which has Winograd convolutions for AVX-512, then later before earlier ones. */
export function bestFirst(a, b) {
  const [[majorA, minorA = 0], [majorB, minorB = 0]] = [a, b].map((version) => version.split(/[.-]/).map(Number));
  return majorA - majorB || minorB - minorA;
}

/** The libraries in the output of `ldconfig -p` that a process of this architecture can load. */
export function librariesInCache(text, architecture) {
  const label = CACHE_ARCHITECTURE[architecture] || "";
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(\S+) \(([^)]*)\) => (.+)$/.exec(line);
    return match && LIBRARY_FILE.test(match[1]) && match[2].includes(label) ? [match[3]] : [];
  });
}

/**
 * Returns { path, version, supported } of each, best first; the one that ALEXNET_ONEDNN names alone if it is set.
 *
 * Throws if it names no file.
 */
export function findOneDnn(env) {
  const chosen = env.ALEXNET_ONEDNN;
  if (chosen) {
    if (!existsSync(chosen))
      throw new Error(`ALEXNET_ONEDNN: there is no file ${chosen}; set it to a libdnnl.so.2 or .3, or unset it`);
    return [{ path: chosen, version: versionOf(chosen), supported: true }];
  }
  const folders = [...(env.LD_LIBRARY_PATH || "").split(":").filter(Boolean), ...DEFAULT_FOLDERS];
  const paths = new Set([...folders.flatMap(librariesIn), ...librariesInCache(linkerCache(), process.arch)].map(real));
  return [...paths]
    .map((path) => ({ path, version: versionOf(path), supported: isSupported(versionOf(path)) }))
    .sort((a, b) => bestFirst(a.version, b.version));
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

/** ldconfig is seldom on the PATH of ordinary users; where there is none at all, the folders have to do. */
function linkerCache() {
  const ldconfig = ["/sbin/ldconfig", "/usr/sbin/ldconfig"].find((path) => existsSync(path));
  return ldconfig ? spawnSync(ldconfig, ["-p"], { encoding: "utf8" }).stdout || "" : "";
}

/** The file at the end of the links has the longest version in its name. */
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
