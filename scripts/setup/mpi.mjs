/** Open MPI, for training in several processes: installed on request only. */
import { spawnSync } from "node:child_process";
import { asRoot, hasApt, install, update } from "./apt.mjs";
import { brewInstall, hasBrew } from "./brew.mjs";

/** The launcher starts processes through ssh, on this machine too if it is named as a host. */
const DEBIAN_PACKAGES = ["openmpi-bin", "openssh-client"];
const BREW_PACKAGE = "open-mpi";

function launcher() {
  const { stdout, error } = spawnSync("mpirun", ["--version"], { encoding: "utf8" });
  return error ? undefined : (stdout || "").split("\n")[0];
}

/** The step that installs it. Throws if it cannot be installed. */
export function openMpi() {
  const present = launcher();
  if (present) return { present };
  return {
    missing: hasApt() ? `${DEBIAN_PACKAGES.join(" and ")} by apt` : `${BREW_PACKAGE} by brew`,
    install() {
      const failure = hasApt() ? byApt() : byBrew();
      const found = launcher();
      if (!found) throw new Error(`mpirun was not installed:\n${failure || "it is not on the PATH"}`);
      return found;
    },
  };
}

function byApt() {
  const prefix = asRoot();
  if (!prefix) {
    return `without root; let someone with root run\n    apt-get install --no-install-recommends ${DEBIAN_PACKAGES.join(" ")}`;
  }
  const updateFailure = update(prefix);
  return install(prefix, DEBIAN_PACKAGES) || updateFailure;
}

function byBrew() {
  if (!hasBrew()) return "this system has neither apt nor brew; install Open MPI 4 or 5 by its package manager";
  return brewInstall(BREW_PACKAGE) ? undefined : `brew install ${BREW_PACKAGE} failed`;
}
