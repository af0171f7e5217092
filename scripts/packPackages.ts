/**
 * Packs alexnet together with the platform packages that are built in `packages/`: `node --import ./scripts/typescript.mjs scripts/packPackages.ts [FOLDER]`.
 *
 * The platform packages become optional dependencies in the tarball only: package.json names no package that is not published.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A tarball, with the name and version of its package. */
export interface Packed {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: number;
  readonly unpackedBytes: number;
}

/** Folders of the platform packages whose libraries are built. */
function builtPackages(): readonly string[] {
  return readdirSync(join(root, "packages"))
    .map((name) => join(root, "packages", name))
    .filter((folder) => existsSync(join(folder, "lib")));
}

/** Packs a folder, as `npm publish` would. */
function npmPack(source: string, folder: string, ...args: readonly string[]): Packed {
  const command = ["pack", "--json", "--pack-destination", folder, ...args];
  const stdout = execFileSync("npm", command, { cwd: source, encoding: "utf8" });
  const [{ name, version, filename, size, unpackedSize }] = JSON.parse(stdout.slice(stdout.indexOf("[\n")));
  return { name, version, file: join(folder, filename), bytes: size, unpackedBytes: unpackedSize };
}

/** Packs everything into a folder: alexnet first. */
export function packPackages(folder: string): readonly [Packed, ...Packed[]] {
  const work = mkdtempSync(join(tmpdir(), "alexnet-pack-"));
  try {
    const platforms = builtPackages().map((source) => npmPack(source, folder));
    const { file } = npmPack(root, work);
    execFileSync("tar", ["xf", file, "-C", work]);
    const path = join(work, "package/package.json");
    const optionalDependencies = Object.fromEntries(platforms.map(({ name, version }) => [name, version]));
    const manifest = { ...JSON.parse(readFileSync(path, "utf8")), optionalDependencies };
    writeFileSync(path, `${JSON.stringify(manifest, null, 2)}\n`);
    return [npmPack(join(work, "package"), folder, "--ignore-scripts"), ...platforms];
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = resolve(process.argv[2] ?? ".");
  mkdirSync(folder, { recursive: true });
  const packed = packPackages(folder);
  for (const { file, bytes, unpackedBytes } of packed)
    console.log(`${file}: ${bytes} bytes, ${unpackedBytes} unpacked`);
  if (packed.length === 1)
    console.log("no platform package is built: packages/onednn-linux-x64-gnu/build.sh builds one");
}
