/** Creates a Debian system with PyTorch in a folder: Debian's unstable suite has a recent version, and this machine is not changed. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { AlexNetError } from "../../src/errors.ts";

/** The functions in use of `scripts/setup/apt.mjs`. */
interface Apt {
  hasApt(): boolean;
  update(prefix: readonly string[]): string | undefined;
  install(prefix: readonly string[], packages: readonly string[]): string | undefined;
}

const SUITE = "unstable";
/** Compiler for torch.compile, which generates C++ with the headers of PyTorch and Python. */
const COMPILER = ["g++", "libtorch-dev", "libpython3-dev"];
/** Without OpenBLAS, Debian's PyTorch multiplies matrices with the reference BLAS, more than twenty times slower. */
const PACKAGES = ["python3-torch", "python3-torchvision", "libopenblas0-openmp", "libjemalloc2", ...COMPILER];
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Folder for the benchmark's installations, outside the checkout. */
export function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "alexnet");
}

/**
 * Command prefix for running a command in a root, with `folder` of this machine mounted at `inside`. The mounts belong to that process alone and end
 * with it.
 */
export function enterRoot(root: string, folder: string, inside: string): readonly string[] {
  const script = `
    mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" && mount --rbind /dev "$1/dev" &&
    mount --bind "$2" "$1$3" && root=$1 && shift 3 && exec chroot "$root" "$@"`;
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", root, folder, inside];
}

/** Folder of the Debian system, which is created if it does not exist: a download of about 400 MB. Throws AlexNetError on failure. */
export async function debianRoot(say: (line: string) => void): Promise<string> {
  await requireTools(say);
  const root = join(cacheFolder(), "peers-root");
  if (existsSync(root)) return root;
  const partial = `${root}.partial`;
  const log = `${root}.log`;
  await mkdir(cacheFolder(), { recursive: true });
  await rm(partial, { recursive: true, force: true });
  const mirror = debianMirror();
  say(
    `creating a Debian ${SUITE} system with ${PACKAGES.join(", ")} in ${root} from ${mirror ?? "its mirrors"}: some minutes, log ${log}`,
  );
  await logged(log, [
    "debootstrap",
    "--variant=minbase",
    "--force-check-gpg",
    `--keyring=${KEYRING}`,
    SUITE,
    partial,
    ...(mirror === undefined ? [] : [mirror]),
  ]);
  const install = [
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "install",
    "-q",
    "--yes",
    "--no-install-recommends",
  ];
  await logged(log, [...enterRoot(partial, "/tmp", "/mnt"), ...install, ...PACKAGES]);
  await rename(partial, root);
  return root;
}

/** Installs what is missing: only root comes this far. */
async function requireTools(say: (line: string) => void): Promise<void> {
  const remedy = "install PyTorch 2 or later and name its Python in ALEXNET_PYTHON";
  if (process.getuid?.() !== 0) {
    throw new AlexNetError(
      `PyTorch: not found in python3, and only root can create or enter a Debian system with it; ${remedy}`,
    );
  }
  const missing = [
    ...(hasProgram("debootstrap") ? [] : ["debootstrap"]),
    ...(existsSync(KEYRING) ? [] : ["debian-archive-keyring"]),
    ...(hasProgram("unshare") ? [] : ["util-linux"]),
  ];
  if (missing.length === 0) return;
  const what = missing.join(" and ");
  const problem = `PyTorch: python3 has none, and ${what} is needed to make a Debian system with it`;
  const apt: Apt = await import(new URL("../../scripts/setup/apt.mjs", import.meta.url).href);
  if (!apt.hasApt()) throw new AlexNetError(`${problem}; install it, or ${remedy}`);
  say(`installing ${what} by apt-get`);
  const failure = apt.update([]) ?? apt.install([], missing);
  if (failure !== undefined) throw new AlexNetError(`${problem}, but apt-get failed: ${failure}; ${remedy}`);
}

function hasProgram(name: string): boolean {
  return !spawnSync(name, ["--help"]).error;
}

/** Debian mirror used by this machine's apt, if any; debootstrap has its own default. */
function debianMirror(): string | undefined {
  const { stdout } = spawnSync("apt-get", ["indextargets", "--format", "$(LABEL) $(SITE)"], { encoding: "utf8" });
  return /^Debian (\S+)$/m.exec(stdout ?? "")?.[1];
}

/** Runs a command, appending its output to a file. */
async function logged(log: string, [program = "", ...args]: readonly string[]): Promise<void> {
  const file = await open(log, "a");
  try {
    const code = await new Promise((resolve, reject) => {
      spawn(program, args, { stdio: ["ignore", file.fd, file.fd] })
        .once("error", reject)
        .once("close", resolve);
    });
    if (code === 0) return;
    const end = readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n");
    throw new AlexNetError(`${program}: exit code ${code}; the end of ${log}:\n${end}`);
  } finally {
    await file.close();
  }
}
