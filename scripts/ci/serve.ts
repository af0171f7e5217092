/** The smallest form of the soak (`npm run soak`), within two minutes; installs slowhttptest, on Debian and Ubuntu, if it is missing. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

interface Apt {
  hasApt(): boolean;
  asRoot(): readonly string[] | undefined;
  update(prefix: readonly string[]): string | undefined;
  install(prefix: readonly string[], packages: readonly string[]): string | undefined;
}

const TOOL = "slowhttptest";
const hasTool = () => spawnSync(TOOL, ["-h"]).error === undefined;

async function installTool(): Promise<void> {
  const apt: Apt = await import(new URL("../setup/apt.mjs", import.meta.url).href);
  const prefix = apt.hasApt() ? apt.asRoot() : undefined;
  if (!prefix) throw new Error(`${TOOL}: not found, and apt-get is missing or not permitted; install it`);
  const failures = [apt.update(prefix), apt.install(prefix, [TOOL])];
  if (!hasTool()) throw new Error([`${TOOL}: apt did not install it`, ...failures].filter(Boolean).join("\n"));
}

if (!hasTool()) await installTool();
const root = fileURLToPath(new URL("../../", import.meta.url));
// Lengths for two minutes. A machine of CI has other work, and short scenarios vary: twice the bounds of times and speeds.
const args = ["--import", "./scripts/typescript.mjs", "scripts/soak.ts", "--scale", "0.05", "--slack", "2"];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
process.exitCode = status ?? 1;
