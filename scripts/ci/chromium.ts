/** Installs Chromium for the tests of web pages, on Debian and Ubuntu, if it is missing. */
import { findChromium } from "../../test/browser.ts";

interface Apt {
  hasApt(): boolean;
  asRoot(): readonly string[] | undefined;
  update(prefix: readonly string[]): string | undefined;
  install(prefix: readonly string[], packages: readonly string[]): string | undefined;
}

const own = "install Chromium and set ALEXNET_CHROMIUM to the path of its executable";

async function installChromium(): Promise<string> {
  const apt: Apt = await import(new URL("../setup/apt.mjs", import.meta.url).href);
  const prefix = apt.hasApt() ? apt.asRoot() : undefined;
  if (!prefix) throw new Error(`not found, and apt-get is missing or not permitted; ${own}`);
  console.log("Chromium: installing chromium with apt");
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
