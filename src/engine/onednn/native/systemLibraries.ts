/** Names of oneDNN on each system, and how to install it there. */
import path from "node:path";

/** Supported versions, as messages name them. */
export const SUPPORTED_VERSIONS = "2.6 or later of 2.x, or 3.x";

/** Debian puts the minor version into the name (3.7 and 3.12 are both called 3.6), and the linker accepts no patterns. */
const HIGHEST_MINOR = 30;
const debianNames = Array.from({ length: HIGHEST_MINOR + 1 }, (_, i) => `libdnnl.so.3.${HIGHEST_MINOR - i}`);

/**
 * Names for the dynamic linker, best first. 2.x comes before 3.x, since only 2.x has Winograd convolutions for AVX-512. Version 1 is searched for the
 * sake of the error message. macOS and Windows would also search the current directory for a bare name, so paths are absolute there.
 */
export function systemLibraries(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): readonly string[] {
  if (platform === "win32") return foldersOnPath(env).map((folder) => path.win32.join(folder, "dnnl.dll"));
  if (platform === "darwin") {
    const folders = ["/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib"]; // Homebrew on Arm and Intel, MacPorts
    return ["libdnnl.2.dylib", "libdnnl.3.dylib"].flatMap((name) => folders.map((folder) => `${folder}/${name}`));
  }
  return ["libdnnl.so.2", "libdnnl.so.3", ...debianNames, "libdnnl.so.1"];
}

/** Windows compares names of variables without case. */
function foldersOnPath(env: NodeJS.ProcessEnv): readonly string[] {
  const [, value = ""] = Object.entries(env).find(([name]) => name.toUpperCase() === "PATH") ?? [];
  return value
    .split(path.win32.delimiter)
    .map((folder) => folder.replace(/^"(.*)"$/, "$1"))
    .filter((folder) => /^[a-z]:[\\/]/i.test(folder) || folder.startsWith("\\\\"));
}

/** The remedy of messages about a missing library. */
export function howToInstall(platform: NodeJS.Platform): string {
  const install = `install ${SUPPORTED_VERSIONS}`;
  if (platform === "win32") return `set ALEXNET_ONEDNN to the path of a dnnl.dll, ${SUPPORTED_VERSIONS}`;
  if (platform === "darwin") return `${install} (brew install onednn), or set ALEXNET_ONEDNN to the path of one`;
  return `${install} (on Debian and Ubuntu: alexnet setup, no root needed), or set ALEXNET_ONEDNN to the path of one`;
}
