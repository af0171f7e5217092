/** The apt clients as an ordinary user: package lists, downloads and unpacking in folders of one's own. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { codeOf, messageOf, NativeError } from "../errors.ts";

/** A package as a signed package list describes it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Names of the packages that it needs, alternatives included. */
  readonly depends: readonly string[];
  readonly bytes: number;
  readonly sha256: string;
}

/** Apt with one set of package lists. */
export interface Apt {
  /** Names of the packages with a prefix. */
  names(prefix: string): Promise<readonly string[]>;
  /** The version that apt would install; undefined if the lists have none. */
  candidate(name: string): Promise<DebianPackage | undefined>;
  /**
   * Downloads a package into an empty folder, and returns the file's path. Apt checks it against the lists, whose signatures it has checked; its
   * checksum, name and version are then compared once more.
   */
  download(wanted: DebianPackage, folder: string): Promise<string>;
}

/** Last lines of a program's messages that an error repeats. */
const MESSAGE_LINES = 8;

/** True if the machine has apt. */
export async function hasApt(): Promise<boolean> {
  if (process.platform !== "linux") return false;
  return program("apt-get", ["--version"]).then(
    () => true,
    () => false,
  );
}

/** Apt with the system's package lists. */
export function systemApt(signal?: AbortSignal): Apt {
  return aptWith([], signal);
}

/** Apt with package lists of its own, downloaded into a folder of this user. Throws NativeError if they cannot be downloaded. */
export async function downloadLists(folder: string, signal?: AbortSignal): Promise<Apt> {
  for (const path of ["state/lists/partial", "cache/archives/partial"]) {
    await mkdir(join(folder, path), { recursive: true });
  }
  const own = [`Dir::State=${folder}/state`, `Dir::Cache=${folder}/cache`, "Dir::State::status=/var/lib/dpkg/status"];
  // Hooks of the system, such as those that clean a container's caches, need root.
  const quiet = ["Acquire::Languages=none", "APT::Update::Post-Invoke::=true"];
  await program("apt-get", [...settings([...own, ...quiet]), "-q", "update"], { signal });
  return aptWith(own, signal);
}

/** Unpacks a package's files into a folder; runs none of its scripts. */
export async function unpack(file: string, folder: string, signal?: AbortSignal): Promise<void> {
  await program("dpkg-deb", ["--extract", file, folder], { signal });
}

function aptWith(options: readonly string[], signal: AbortSignal | undefined): Apt {
  const run = (command: string, args: readonly string[], cwd?: string) =>
    program(command, [...settings(options), "-q", ...args], { signal, cwd });
  return {
    async names(prefix) {
      return (await run("apt-cache", ["pkgnames", prefix])).split("\n").filter(Boolean);
    },
    async candidate(name) {
      const described = await run("apt-cache", ["show", "--no-all-versions", name]).catch((error: unknown) => {
        if (error instanceof NativeError && / no packages found|Unable to locate/i.test(error.message)) return "";
        throw error;
      });
      return parsePackage(described);
    },
    async download(wanted, folder) {
      await run("apt-get", ["download", `${wanted.name}=${wanted.version}`], folder);
      const [file, ...others] = await readdir(folder);
      if (file === undefined || others.length > 0) throw new NativeError(`${wanted.name}: apt-get downloaded no file`);
      await verify(wanted, join(folder, file), signal);
      return join(folder, file);
    },
  };
}

/** The first package of the output of `apt-cache show`; undefined if it lacks a field. */
export function parsePackage(text: string): DebianPackage | undefined {
  const [paragraph = ""] = text.split(/\n\n/);
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(paragraph)?.[1];
  const [name, version, architecture] = [field("Package"), field("Version"), field("Architecture")];
  const [size, sha256] = [field("Size"), field("SHA256")];
  if (!name || !version || !architecture || !size || !sha256) return undefined;
  const depends = (field("Depends") ?? "").split(/[,|]/).flatMap((one) => /^\s*([a-z0-9.+-]+)/.exec(one)?.[1] ?? []);
  return { name, version, architecture, depends, bytes: Number(size), sha256 };
}

/** Throws NativeError unless a file is the package of the list. */
export async function verify(wanted: DebianPackage, file: string, signal?: AbortSignal): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  const sha256 = hash.digest("hex");
  if (sha256 !== wanted.sha256) {
    throw new NativeError(`${file}: SHA-256 does not match apt's list (expected ${wanted.sha256}, got ${sha256})`);
  }
  const fields = ["Package", "Version", "Architecture"];
  const described = await program("dpkg-deb", ["--field", file, ...fields], { signal });
  const expected = [wanted.name, wanted.version, wanted.architecture];
  const got = fields.map((name) => new RegExp(`^${name}: (.+)$`, "m").exec(described)?.[1]);
  if (got.some((value, i) => value !== expected[i])) {
    throw new NativeError(`${file}: expected package ${expected.join(" ")}, got ${got.join(" ")}`);
  }
}

/** Options of apt. Root downloads as root: apt's own user cannot write to a folder of root. */
function settings(options: readonly string[]): readonly string[] {
  const common = [
    "APT::Get::AllowUnauthenticated=false",
    ...(process.getuid?.() === 0 ? ["APT::Sandbox::User=root"] : []),
  ];
  return [...common, ...options].flatMap((option) => ["-o", option]);
}

interface ProgramOptions {
  readonly signal?: AbortSignal | undefined;
  readonly cwd?: string | undefined;
}

/** Standard output of a program. Throws NativeError with its last messages if it fails, and the signal's reason after an abort. */
async function program(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  try {
    const { signal, cwd } = options;
    const run = { env, maxBuffer: 2 ** 26, ...(signal && { signal }), ...(cwd !== undefined && { cwd }) };
    return (await promisify(execFile)(command, args, run)).stdout;
  } catch (error) {
    options.signal?.throwIfAborted();
    const name = [command, args.find((argument) => /^[a-z]+$/.test(argument))].filter(Boolean).join(" ");
    if (codeOf(error) === "ENOENT") throw new NativeError(`${command}: not found; install it`, { cause: error });
    const { stderr = "" } = error as { readonly stderr?: string };
    const said = stderr.trim().split("\n").slice(-MESSAGE_LINES).join("\n  ");
    throw new NativeError(`${name} failed: ${said || messageOf(error)}`, { cause: error });
  }
}
