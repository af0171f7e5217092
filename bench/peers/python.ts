/** Where PyTorch is: in a Python of this machine, or in a Debian root made for it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { AlexNetError } from "../../src/errors.ts";
import { debianRoot, enterRoot } from "./debianRoot.ts";

const JEMALLOC = "libjemalloc.so.2";
/** Freed memory stays mapped, as it does in an engine that plans its memory, and lies on huge pages. */
const JEMALLOC_CONFIG =
  "oversize_threshold:1,background_thread:true,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";

/** The environment that Python starts in: as it comes, or the one that PyTorch is fastest in. */
export type Environment = "default" | "tuned";

/** A Python that has PyTorch. */
export interface Torch {
  readonly version: string;
  /** Whether the tuned environment has jemalloc. */
  readonly hasJemalloc: boolean;
  /** Whether torch.compile has the C++ compiler that it needs. */
  readonly hasCompiler: boolean;
  /** The command that runs Python where a folder of this machine is `folderInside` of it. */
  command(folder: string, environment: Environment): readonly string[];
  folderInside(folder: string): string;
}

const PROBE = `
import json, os, shutil, torch
print(json.dumps({
    "version": torch.__version__,
    "hasJemalloc": "${JEMALLOC}" in open("/proc/self/maps").read(),
    "hasCompiler": shutil.which(os.environ.get("CXX", "g++")) is not None,
}))
`;

/**
 * Finds PyTorch 2 or later: the Python named by ALEXNET_PYTHON, else python3, else the Debian root, which is made if it is not there.
 *
 * Throws AlexNetError, with what to do, if there is none and none can be made.
 */
export async function findTorch(say: (line: string) => void): Promise<Torch> {
  const named = process.env["ALEXNET_PYTHON"];
  const here = { enter: () => [], folderInside: (folder: string) => folder };
  const found = probe({ python: named ?? "python3", ...here });
  if (found) return found;
  if (named) throw new AlexNetError(`ALEXNET_PYTHON: expected a Python with PyTorch 2 or later, ${named} has none`);
  const root = await debianRoot(say);
  const inside = "/mnt";
  const enter = (folder: string) => enterRoot(root, folder, inside);
  const made = probe({ python: "/usr/bin/python3", enter, folderInside: () => inside });
  if (made) return made;
  throw new AlexNetError(`${root}: expected PyTorch 2 or later in it; remove this folder to have it made again`);
}

interface Place {
  readonly python: string;
  readonly folderInside: (folder: string) => string;
  /** What goes before a command so that it runs where this Python is. */
  readonly enter: (folder: string) => readonly string[];
}

function probe({ python, enter, folderInside }: Place): Torch | undefined {
  const tuned = [`LD_PRELOAD=${JEMALLOC}`, `MALLOC_CONF=${JEMALLOC_CONFIG}`, ...openBlasVariables()];
  const command = (folder: string, environment: Environment) => [
    ...enter(folder),
    "env",
    ...(environment === "tuned" ? tuned : []),
    python,
  ];
  const [program = "", ...args] = [...command("/tmp", "tuned"), "-c", PROBE];
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) return undefined;
  const found: Pick<Torch, "version" | "hasJemalloc" | "hasCompiler"> = JSON.parse(stdout);
  return Number.parseInt(found.version, 10) >= 2 ? { ...found, command, folderInside } : undefined;
}

/** OpenBLAS 0.3.34 takes AVX2 kernels on AMD's AVX-512 processors: 170 GFLOP/s for fc6 instead of 290. */
function openBlasVariables(): readonly string[] {
  const cpu = readFileSync("/proc/cpuinfo", "utf8");
  return /AuthenticAMD/.test(cpu) && /\bavx512vl\b/.test(cpu) ? ["OPENBLAS_CORETYPE=SkylakeX"] : [];
}
