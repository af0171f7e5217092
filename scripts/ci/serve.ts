/** The smallest form of the soak of `alexnet serve` (`npm run soak`), within two minutes; installs slowhttptest, on Debian and Ubuntu, if it is missing. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { installPackage } from "./aptPackage.ts";

const TOOL = "slowhttptest";
const hasTool = () => spawnSync(TOOL, ["-h"]).error === undefined;

if (!hasTool()) await installPackage(TOOL, hasTool, `install ${TOOL}`);
const root = fileURLToPath(new URL("../../", import.meta.url));
// Lengths for two minutes; the tests kill jobs of several processes. A machine of CI has other work, and short scenarios vary: twice the bounds of times and speeds.
const scenarios = ["throughput", "overload", "slow", "kills", "mixed", "termination"];
const args = [
  "--import",
  "./scripts/typescript.mjs",
  "scripts/soak.ts",
  "--scale",
  "0.05",
  "--slack",
  "2",
  ...scenarios,
];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
process.exitCode = status ?? 1;
