/** Installs the Chromium that the tests of the pages need, on Debian and Ubuntu: only if there is none. */
import { findChromium } from "../../test/browser.ts";

interface Apt {
  hasApt(): boolean;
  asRoot(): readonly string[] | undefined;
  update(prefix: readonly string[]): string | undefined;
  install(prefix: readonly string[], packages: readonly string[]): string | undefined;
}

const own = "install Chromium and set ALEXNET_CHROMIUM to the path of its program";

async function installChromium(): Promise<string> {
  const apt: Apt = await import(new URL("../setup/apt.mjs", import.meta.url).href);
  const prefix = apt.hasApt() ? apt.asRoot() : undefined;
  if (!prefix) throw new Error(`there is none, and no apt-get that may be used here; ${own}`);
  console.log("Chromium: installing chromium by apt");
  const updateFailure = apt.update(prefix);
  const failure = apt.install(prefix, ["chromium"]);
  const found = findChromium();
  if (failure === undefined && found !== undefined) return found;
  throw new Error([`apt did not install it; ${own}`, failure, updateFailure].filter(Boolean).join("\n"));
}

try {
  console.log(`Chromium: ${findChromium() ?? (await installChromium())}`);
} catch (error) {
  console.error(`Chromium: ${(error as Error).message}`);
  process.exitCode = 1;
}
