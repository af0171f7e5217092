/** Finds PyTorch: in a Python of this machine, or in a Debian root created for it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { AlexNetError } from "../../src/errors.ts";
import { debianRoot, enterRoot } from "./debianRoot.ts";

const JEMALLOC = "libjemalloc.so.2";
/** Freed memory stays mapped, as in an engine that plans its memory, and uses huge pages. */
const JEMALLOC_CONFIG =
  "oversize_threshold:1,background_thread:true,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";

/** Environment of Python: the default, or the fastest for PyTorch. */
export type Environment = "default" | "tuned";

/** A Python with PyTorch. */
export interface Torch {
  readonly version: string;
  /** True if the tuned environment has jemalloc. */
  readonly hasJemalloc: boolean;
  /** True if torch.compile has its required C++ compiler. */
  readonly hasCompiler: boolean;
  /** Command that runs Python, in which a folder of this machine is mounted as `folderInside`. */
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
 * Finds PyTorch 2 or later: in the Python named by ALEXNET_PYTHON, in python3, or in the Debian root, which is created if it does not exist.
 *
 * Throws AlexNetError with a remedy if there is none and none can be created.
 */
export async function findTorch(say: (line: string) => void): Promise<Torch> {
  const named = process.env["ALEXNET_PYTHON"];
  const here = { enter: () => [], folderInside: (folder: string) => folder };
  const found = probe({ python: named ?? "python3", ...here });
  if (found) return found;
  if (named) throw new AlexNetError(`ALEXNET_PYTHON: expected a Python with PyTorch 2 or later, got ${named}`);
  const root = await debianRoot(say);
  const inside = "/mnt";
  const enter = (folder: string) => enterRoot(root, folder, inside);
  const made = probe({ python: "/usr/bin/python3", enter, folderInside: () => inside });
  if (made) return made;
  throw new AlexNetError(`${root}: expected PyTorch 2 or later in it; remove this folder to recreate it`);
}

interface Place {
  readonly python: string;
  readonly folderInside: (folder: string) => string;
  /** Command prefix for running in this Python's system. */
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

/** OpenBLAS 0.3.34 chooses AVX2 kernels on AMD's AVX-512 processors: 170 GFLOP/s for fc6 instead of 290. */
function openBlasVariables(): readonly string[] {
  const cpu = readFileSync("/proc/cpuinfo", "utf8");
  return /AuthenticAMD/.test(cpu) && /\bavx512vl\b/.test(cpu) ? ["OPENBLAS_CORETYPE=SkylakeX"] : [];
}
