/** Folders with a oneDNN library and the libraries that it needs: of `alexnet setup`, and of the platform packages. */
import { readdirSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { userCache } from "../../../userCache.ts";

/** A library of 2.x or 3.x, by the name that the dynamic linker asks for. */
const ONEDNN_FILE = /^(?:libdnnl\.so\.[23][.\d]*|libdnnl\.[23][.\d]*\.dylib|dnnl\.dll)$/;
/** The OpenMP runtime and OpenCL's loader. */
const COMPANION_FILE = /^(?:libgomp\.so\.1|libOpenCL\.so\.1|libomp\.dylib)$/;

/** Files of such a folder, as paths without symbolic links. */
export interface LibraryFolder {
  /** The oneDNN library. */
  readonly file: string;
  /** To load first, each by its name if the system has it. */
  readonly companions: readonly { readonly name: string; readonly path: string }[];
}

/** Folder of `alexnet setup`: `~/.cache/alexnet/onednn`. */
export function setupFolder(): string {
  return join(userCache(), "onednn");
}

/** Undefined if the folder has no oneDNN. */
export function readLibraryFolder(folder: string): LibraryFolder | undefined {
  try {
    const files = readdirSync(folder).map((name) => ({ name, path: realpathSync(join(folder, name)) }));
    // 2.x comes before 3.x.
    const oneDnn = files.filter(({ name }) => ONEDNN_FILE.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1))[0];
    return oneDnn && { file: oneDnn.path, companions: files.filter(({ name }) => COMPANION_FILE.test(name)) };
  } catch {
    return undefined; // no folder, or a broken link in it
  }
}

/** Names of the npm packages with a library for a platform. A package for the other C library of Linux does not load, and is skipped. */
export function platformPackages(platform: NodeJS.Platform, arch: string): readonly string[] {
  const name = `alexnet-onednn-${platform}-${arch}`;
  return platform === "linux" ? [`${name}-gnu`, `${name}-musl`] : [name];
}

/** Folders of the installed platform packages. */
export function platformPackageFolders(platform = process.platform, arch: string = process.arch): readonly string[] {
  const { resolve } = createRequire(import.meta.url);
  return platformPackages(platform, arch).flatMap((name) => {
    try {
      return [join(dirname(resolve(`${name}/package.json`)), "lib")];
    } catch {
      return []; // not installed
    }
  });
}
