/** `alexnet setup`. */
import { NativeError } from "../../errors.ts";
import { print, printError } from "../output.ts";
import { stoppable } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";

export const setup: CommandSpec = {
  options: [{ flags: "--fashion-mnist", help: "also install the data set Fashion-MNIST, by Debian's package (31 MB)" }],
  examples: [
    ["alexnet setup", "once: oneDNN by apt, 7 MB"],
    ["alexnet doctor", "shows which oneDNN is used"],
  ],
  notes: `
Downloads the packages of Debian or Ubuntu by apt, which checks their
signatures, and unpacks them into ~/.cache/alexnet/onednn (or into
$XDG_CACHE_HOME/alexnet/onednn). The system stays as it is. Does nothing if a
supported oneDNN is installed. On macOS, use brew install onednn.`,
  run: setUp,
};

interface SetupFlags {
  readonly fashionMnist?: boolean;
}

async function setUp({ fashionMnist }: SetupFlags): Promise<void> {
  const stopping = () => printError("\nStopping. Nothing is installed.");
  await stoppable(stopping, async (signal) => {
    await installLibrary(signal);
    if (fashionMnist) await installData(signal);
  });
}

async function installLibrary(signal: AbortSignal): Promise<void> {
  const native = await import("../../engine/onednn/native/find.ts");
  const { setupFolder } = await import("../../engine/onednn/native/libraryFolder.ts");
  const { loadSystem } = await import("../../engine/onednn/native/loadSystem.ts");
  loadSystem(); // throws where no library could be used
  const before = usableLibrary(native);
  if (before) return print(`oneDNN ${before.version} is ${before.path}: nothing to install`);
  await requireApt();
  const { requireTrusted } = await import("../../engine/onednn/native/trust.ts");
  const folder = setupFolder();
  requireTrusted(folder);
  const { installOneDnn } = await import("../../setup/installPackages.ts");
  const { supportsVersion: supports, checkLibraryFolder } = native;
  const check = (unpacked: string) => void checkLibraryFolder(unpacked);
  await installOneDnn({ folder, supports, check, onStep, signal });
  const { path, version, close } = native.loadOneDnn();
  close();
  print(`oneDNN ${version} is installed: ${path}`);
}

/** The library that the engine uses. Throws NativeError if ALEXNET_ONEDNN names one that cannot be used. */
function usableLibrary({ findOneDnn, loadOneDnn }: typeof import("../../engine/onednn/native/find.ts")) {
  if (process.env["ALEXNET_ONEDNN"]) loadOneDnn().close();
  return findOneDnn().find(({ supported }) => supported);
}

async function installData(signal: AbortSignal): Promise<void> {
  const { fashionMnist } = await import("../../dataset/sources/fashionMnist.ts");
  const before = await fashionMnist.locate({});
  if (before) return print(`Fashion-MNIST is in ${before}: nothing to install`);
  await requireApt();
  const { cacheFolder } = await import("../../dataset/download/cacheFolder.ts");
  const { installFashionMnist } = await import("../../setup/installPackages.ts");
  const folder = cacheFolder("fashion-mnist", {});
  await installFashionMnist({ folder, onStep, signal });
  print(`Fashion-MNIST is installed in ${folder}`);
}

function onStep(message: string): void {
  printError(`setup: ${message}`);
}

async function requireApt(): Promise<void> {
  const { hasApt } = await import("../../setup/apt.ts");
  if (await hasApt()) return;
  const { howToInstall } = await import("../../engine/onednn/native/systemLibraries.ts");
  throw new NativeError(`setup: this system has no apt to download oneDNN with; ${howToInstall(process.platform)}`);
}
