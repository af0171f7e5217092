/** Debian's package manager, as root or through sudo. */
import { spawnSync } from "node:child_process";

/** Waits for another apt process instead of failing: a newly started machine is often updating itself. */
const LOCK = ["-o", "DPkg::Lock::Timeout=120"];

export function hasApt() {
  return spawnSync("apt-get", ["--version"]).status === 0;
}

/** Command prefix for running as root: empty, sudo, or undefined if there is no way. */
export function asRoot() {
  if (process.getuid() === 0) return [];
  if (spawnSync("sudo", ["-n", "true"]).status === 0) return ["sudo", "-n"];
  const asked = process.stdin.isTTY && spawnSync("sudo", ["-v"], { stdio: "inherit" }).status === 0;
  return asked ? ["sudo"] : undefined;
}

/** Version in the output of `apt-cache policy`; undefined if the package is unavailable. */
export function candidateVersion(policy) {
  const match = /^ {2}Candidate: (\d\S*)$/m.exec(policy);
  return match ? match[1] : undefined;
}

/** Version that apt would install. */
export function candidate(name) {
  const { stdout } = spawnSync("apt-cache", ["policy", name], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  return candidateVersion(stdout || "");
}

/** Names of all known packages with this prefix. */
export function namesBeginning(prefix) {
  const { stdout } = spawnSync("apt-cache", ["pkgnames", prefix], { encoding: "utf8" });
  return (stdout || "").split("\n").filter(Boolean);
}

/** Returns the last lines of apt's output if it fails. */
export function update(prefix) {
  return aptGet(prefix, ["update"]);
}

/** Returns the last lines of apt's output if it fails. */
export function install(prefix, packages) {
  return aptGet(prefix, ["install", "--yes", "--no-install-recommends", ...packages]);
}

function aptGet(prefix, args) {
  const command = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", ...LOCK, ...args];
  const { status, stdout, stderr } = spawnSync(command[0], command.slice(1), {
    stdio: ["inherit", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status === 0) return undefined;
  return `${stdout}${stderr}`.trim().split("\n").slice(-15).join("\n");
}
