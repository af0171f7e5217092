/** oneDNN and Fashion-MNIST from Debian's and Ubuntu's packages, in the user's cache: without root, and without a change to the system. */
import { chmod, copyFile, lstat, mkdir, mkdtemp, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { formatBytes } from "../bytes.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import { isRunning } from "../dataset/download/partialFile.ts";
import { codeOf, NativeError } from "../errors.ts";
import { type Apt, type DebianPackage, downloadLists, systemApt, unpack } from "./apt.ts";

/** The package includes the version in its name: libdnnl2, libdnnl3, libdnnl3.6. */
const ONEDNN_PREFIX = "libdnnl";
const ONEDNN_PACKAGE = /^libdnnl\d+(\.\d+)?$/;
/** Libraries that oneDNN may need, and a bare system may lack: OpenMP, OpenCL. */
const COMPANIONS = ["libgomp1", "ocl-icd-libopencl1"];
const LIBRARY_FILE = /^lib(?:dnnl|gomp|OpenCL)\.so\.[\d.]+$/;
const DATA_PACKAGE = "dataset-fashion-mnist";
const DATA_FOLDER = "usr/share/datasets/fashion-mnist";

/** Settings of both installations. */
export interface Installation {
  /** Folder to install into. */
  readonly folder: string;
  /** Called with each step, as a message. */
  readonly onStep: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** An installation of oneDNN. */
export interface OneDnnInstallation extends Installation {
  /** True for a version that the engine supports, such as `2.6.3-1`. */
  readonly supports: (version: string) => boolean;
  /** Loads the library of a folder. Throws if it cannot be used. */
  readonly check: (folder: string) => void;
}

/** Downloads, verifies and unpacks oneDNN with the libraries that it needs. Throws NativeError if apt has none. */
export async function installOneDnn(installation: OneDnnInstallation): Promise<void> {
  const { folder, supports, check } = installation;
  await install(
    installation,
    (apt) => oneDnnPackages(apt, supports),
    "oneDNN",
    async (root, work) => {
      const library = join(work, "library");
      await collect(root, library);
      check(library);
      await replaceFolder(library, folder);
    },
  );
}

/** Downloads, verifies and unpacks Fashion-MNIST's package. Throws NativeError if apt has none. */
export async function installFashionMnist(installation: Installation): Promise<void> {
  const wanted = async (apt: Apt) => {
    const found = await apt.candidate(DATA_PACKAGE);
    return found ? [found] : [];
  };
  const { folder } = installation;
  await install(installation, wanted, DATA_PACKAGE, async (root) => {
    await mkdir(folder, { recursive: true });
    const from = join(root, DATA_FOLDER);
    for (const name of await readdir(from)) await rename(join(from, name), join(folder, name));
  });
}

/** oneDNN and its companions, as apt offers them; empty if it offers no supported version. */
async function oneDnnPackages(apt: Apt, supports: (version: string) => boolean): Promise<readonly DebianPackage[]> {
  const names = (await apt.names(ONEDNN_PREFIX)).filter((name) => ONEDNN_PACKAGE.test(name));
  const offers = (await Promise.all(names.map((name) => apt.candidate(name)))).filter((offer) => offer !== undefined);
  const oneDnn = bestOffer(offers.filter(({ version }) => supports(version)));
  if (!oneDnn) return [];
  const needed = COMPANIONS.filter((name) => oneDnn.depends.includes(name));
  const companions = await Promise.all(needed.map((name) => apt.candidate(name)));
  return [oneDnn, ...companions.filter((companion) => companion !== undefined)];
}

/** 2.x first, which has Winograd convolutions for AVX-512, then the latest. */
export function bestOffer<T extends Pick<DebianPackage, "version">>(offers: readonly T[]): T | undefined {
  const numbers = ({ version }: T) => version.split(/[.-]/).map(Number);
  return [...offers].sort((a, b) => {
    const [[majorA = 0, minorA = 0], [majorB = 0, minorB = 0]] = [numbers(a), numbers(b)];
    return majorA - majorB || minorB - minorA;
  })[0];
}

async function install(
  { folder, onStep, signal }: Installation,
  choose: (apt: Apt) => Promise<readonly DebianPackage[]>,
  thing: string,
  finish: (root: string, work: string) => Promise<void>,
): Promise<void> {
  await explainingWrites(folder, async () => {
    await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
    await removeLeftovers(folder);
    const work = await mkdtemp(`${folder}.new-${process.pid}-`);
    try {
      const fetched = await fetchPackages(work, choose, onStep, signal);
      if (fetched.length === 0) throw new NativeError(`${thing}: apt offers no supported package`);
      const root = join(work, "root");
      await mkdir(root);
      for (const file of fetched) await unpack(file, root, signal);
      await finish(root, work);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

/** Removes what ended processes have left of their installations. */
async function removeLeftovers(folder: string): Promise<void> {
  const prefix = `${basename(folder)}.new-`;
  for (const name of await readdir(dirname(folder))) {
    const [, pid] = (name.startsWith(prefix) && /^(\d+)-/.exec(name.slice(prefix.length))) || [];
    if (pid === undefined || isRunning(Number(pid))) continue;
    await rm(join(dirname(folder), name), { recursive: true, force: true });
  }
}

/** Files of the chosen packages: by the system's lists, and by fresh ones where these are missing or outdated. */
async function fetchPackages(
  work: string,
  choose: (apt: Apt) => Promise<readonly DebianPackage[]>,
  onStep: (message: string) => void,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const apt = systemApt(signal);
  try {
    const chosen = await choose(apt);
    if (chosen.length > 0) return await downloadAll(apt, chosen, join(work, "packages"), onStep);
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof NativeError)) throw error;
  }
  onStep("apt's package lists are missing or outdated; downloading fresh ones, for this installation only");
  const own = await downloadLists(join(work, "lists"), signal);
  return downloadAll(own, await choose(own), join(work, "packages-again"), onStep);
}

async function downloadAll(
  apt: Apt,
  packages: readonly DebianPackage[],
  folder: string,
  onStep: (message: string) => void,
): Promise<readonly string[]> {
  const files: string[] = [];
  for (const one of packages) {
    onStep(`downloading ${one.name} ${one.version} (${formatBytes(one.bytes)})`);
    const place = join(folder, one.name);
    await mkdir(place, { recursive: true });
    files.push(await apt.download(one, place));
  }
  return files;
}

/** Moves the libraries of unpacked packages into one folder, with the copyright files. */
async function collect(root: string, folder: string): Promise<void> {
  await mkdir(folder);
  for (const path of await readdir(root, { recursive: true })) {
    const from = join(root, path);
    if (LIBRARY_FILE.test(basename(path))) await take(from, join(folder, basename(path)));
    else if (basename(path) === "copyright") await take(from, join(folder, `copyright.${basename(dirname(path))}`));
  }
  await chmod(folder, 0o755);
}

async function take(from: string, to: string): Promise<void> {
  const stat = await lstat(from);
  if (stat.isSymbolicLink()) await symlink(basename(await readlink(from)), to);
  else await copyFile(from, to);
}

/** Moves a folder to its place, and a folder in that place away. A process that has loaded its libraries keeps them. */
async function replaceFolder(from: string, to: string): Promise<void> {
  const old = `${from}.old`;
  await rename(to, old).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
  });
  await rename(from, to).catch((error: unknown) => {
    // Another process has just installed the same.
    if (codeOf(error) !== "ENOTEMPTY" && codeOf(error) !== "EEXIST") throw error;
  });
}
