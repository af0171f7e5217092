/** Installs Chromium for the tests of web pages, on Debian and Ubuntu, if it is missing. */
import { findChromium } from "../../test/browser.ts";
import { installPackage } from "./aptPackage.ts";

const remedy = "install Chromium and set ALEXNET_CHROMIUM to the path of its executable";

try {
  if (findChromium() === undefined) {
    console.log("Chromium: installing chromium with apt");
    await installPackage("chromium", () => findChromium() !== undefined, remedy);
  }
  console.log(`Chromium: ${findChromium()}`);
} catch (error) {
  console.error(`Chromium: ${(error as Error).message}`);
  process.exitCode = 1;
}
