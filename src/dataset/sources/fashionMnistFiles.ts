/** Location and download of Fashion-MNIST. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DataError, messageOf } from "../../errors.ts";
import type { DatasetOptions } from "../dataset.ts";
import { cacheFolder } from "../download/cacheFolder.ts";
import { downloadFile } from "../download/download.ts";

/** Where Debian's package dataset-fashion-mnist puts the files. */
const systemFolder = "/usr/share/datasets/fashion-mnist";

/** The official site. Source: github.com/zalandoresearch/fashion-mnist, README; the checksums too. */
const officialSite = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

/** The four files; `md5` and `bytes` are those of the official .gz file. */
const files = {
  trainImages: { name: "train-images-idx3-ubyte", md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d", bytes: 26421880 },
  trainLabels: { name: "train-labels-idx1-ubyte", md5: "25c81989df183df01b3e8a0aad5dffbe", bytes: 29515 },
  testImages: { name: "t10k-images-idx3-ubyte", md5: "bef4ecab320f06d8554ea6380940ec79", bytes: 4422102 },
  testLabels: { name: "t10k-labels-idx1-ubyte", md5: "bb300cfdad3c16e7a12a480ee83cd310", bytes: 5148 },
} as const;

type Role = keyof typeof files;
const roles = Object.keys(files) as readonly Role[];
const timeoutSeconds = 30;

/** `DatasetOptions`, and where the files come from: other than the default for mirrors and tests. */
export interface FashionMnistOptions extends DatasetOptions {
  readonly systemDir?: string | undefined;
  readonly baseUrl?: string | undefined;
}

/** The four idx files, plain or gzipped, in one folder. */
export interface FashionMnistFiles {
  readonly folder: string;
  /** Full paths. */
  readonly paths: Readonly<Record<Role, string>>;
}

/** The files in the first folder that has all four, or undefined. */
export async function findFiles(options: FashionMnistOptions): Promise<FashionMnistFiles | undefined> {
  for (const folder of searchedFolders(options)) {
    const paths = await listFiles(folder);
    if (isComplete(paths)) return { folder, paths };
  }
  return undefined;
}

/**
 * The files where they are, or else in the user's cache, downloaded.
 *
 * Throws DataError, with the remedy, if they cannot be had.
 */
export async function obtainFiles(options: FashionMnistOptions): Promise<FashionMnistFiles> {
  const found = await findFiles(options);
  if (found) return found;
  const { dataDir } = options;
  if (dataDir !== undefined) {
    const missing = missingFiles(await listFiles(dataDir)).map((role) => `${files[role].name}[.gz]`);
    throw new DataError(`${dataDir}: expected the four files of Fashion-MNIST, missing ${missing.join(", ")}`);
  }
  try {
    if (options.download === false) throw new DataError("downloading is switched off");
    return await downloadFiles(cacheFolder("fashion-mnist", options), options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new DataError(
      `fashion-mnist: not found in ${searchedFolders(options).join(" or ")}, and not downloaded (${messageOf(error)}); ` +
        "install the Debian package dataset-fashion-mnist, or give the folder of its four idx files with --data-dir",
      { cause: error },
    );
  }
}

function searchedFolders({ dataDir, systemDir = systemFolder, cacheDir }: FashionMnistOptions): readonly string[] {
  return dataDir === undefined ? [systemDir, cacheFolder("fashion-mnist", { cacheDir })] : [dataDir];
}

/** The paths of those of the four files that are in the folder. */
async function listFiles(folder: string): Promise<Partial<Record<Role, string>>> {
  const present = new Set<string>(await readdir(folder).catch(() => []));
  const paths: Partial<Record<Role, string>> = {};
  for (const role of roles) {
    const { name } = files[role];
    const found = [name, `${name}.gz`].find((candidate) => present.has(candidate));
    if (found !== undefined) paths[role] = join(folder, found);
  }
  return paths;
}

function missingFiles(paths: Partial<Record<Role, string>>): readonly Role[] {
  return roles.filter((role) => paths[role] === undefined);
}

function isComplete(paths: Partial<Record<Role, string>>): paths is Record<Role, string> {
  return missingFiles(paths).length === 0;
}

/** Downloads into `folder` what it lacks. */
async function downloadFiles(folder: string, options: FashionMnistOptions): Promise<FashionMnistFiles> {
  const { baseUrl = officialSite, onProgress, signal } = options;
  const paths = await listFiles(folder);
  const missing = missingFiles(paths);
  const total = missing.reduce((sum, role) => sum + files[role].bytes, 0);
  let received = 0;
  const onBytes = (bytes: number) => {
    received += bytes;
    onProgress?.(received, total);
  };
  for (const role of missing) {
    const { name, md5 } = files[role];
    const path = join(folder, `${name}.gz`);
    await downloadFile({ url: `${baseUrl}/${name}.gz`, path, md5, timeoutSeconds, onBytes, signal });
    paths[role] = path;
  }
  return { folder, paths: paths as Record<Role, string> };
}
