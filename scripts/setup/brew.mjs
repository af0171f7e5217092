/** Homebrew, the package manager of macOS. */
import { spawnSync } from "node:child_process";

export function hasBrew() {
  return spawnSync("brew", ["--version"]).status === 0;
}

/** Installs a package, showing brew's output. Returns true on success. */
export function brewInstall(name) {
  return spawnSync("brew", ["install", name], { stdio: "inherit" }).status === 0;
}
