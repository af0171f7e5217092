/**
 * Number of compute threads: the physical cores that this process may use, since a second hardware thread of a core has no
 * multipliers of its own and a thread beyond a container's quota makes all others wait.
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The files that Linux tells it in; on other systems there are none. */
export interface SystemFiles {
  /** Undefined if it cannot be read. */
  read(path: string): string | undefined;
  /** Names in a folder; none if there is no such folder. */
  list(folder: string): readonly string[];
}

/** The part of the machine that this process may use. */
export interface ProcessorShare {
  /** Processors as the system counts them: a core with two hardware threads is two. */
  readonly processors: number;
  /** Physical cores that these belong to; undefined where the system does not tell. */
  readonly cores: number | undefined;
  /** Processors' worth of time that control groups grant, such as 1.5; undefined without a limit. */
  readonly quota: number | undefined;
  /** The cores, or the processors where cores are not known, as far as the quota suffices for them; at least 1. */
  readonly threads: number;
}

const systemFiles: SystemFiles = {
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
  list(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
};

/** This process's share of the machine. `available` is for systems without the files: the processors that the runtime sees. */
export function processorShare(files: SystemFiles = systemFiles, available = availableParallelism()): ProcessorShare {
  const allowed = allowedProcessors(files);
  const processors = allowed?.length ?? available;
  const cores = allowed && countCores(files, allowed);
  const quota = cpuQuota(files);
  return {
    processors,
    cores,
    quota,
    threads: Math.max(1, Math.min(cores ?? processors, Math.floor(quota ?? Infinity))),
  };
}

/**
 * The processors that are on and that any thread of this process may run on. OpenMP ties the thread that loads it to one processor if the
 * environment tells it to (OMP_PROC_BIND); the threads that the runtime started before keep what the process was given.
 */
function allowedProcessors({ read, list }: SystemFiles): readonly number[] | undefined {
  const lists = list("/proc/self/task").flatMap(
    (thread) => /^Cpus_allowed_list:\s*(\S+)/m.exec(read(`/proc/self/task/${thread}/status`) ?? "")?.[1] ?? [],
  );
  const online = read("/sys/devices/system/cpu/online");
  if (lists.length === 0 || online === undefined) return undefined;
  const on = new Set(parseList(online));
  const allowed = [...new Set(lists.flatMap(parseList))].filter((processor) => on.has(processor));
  return allowed.length === 0 ? undefined : allowed;
}

/** `0-2,8` is 0, 1, 2, 8. */
function parseList(text: string): readonly number[] {
  return text
    .trim()
    .split(",")
    .flatMap((range) => {
      const [first = Number.NaN, last = first] = range.split("-").map(Number);
      return Array.from({ length: last - first + 1 || 0 }, (_, i) => first + i);
    });
}

/** Two processors are one core if the system lists the same siblings for both. */
function countCores({ read }: SystemFiles, processors: readonly number[]): number | undefined {
  const siblings = processors.map((n) => read(`/sys/devices/system/cpu/cpu${n}/topology/thread_siblings_list`)?.trim());
  return siblings.includes(undefined) ? undefined : new Set(siblings).size;
}

/** The strictest limit on the way from this process's control groups up to the roots that it can see. */
function cpuQuota(files: SystemFiles): number | undefined {
  const groups = (files.read("/proc/self/cgroup") ?? "").split("\n").map((line) => {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return { controllers: controllers.split(","), path };
  });
  const mounts = parseMounts(files.read("/proc/self/mountinfo") ?? "");
  const quotas = mounts.flatMap((mount) => {
    const unified = mount.type === "cgroup2";
    if (!unified && !mount.options.includes("cpu")) return [];
    const group = groups.find(({ controllers }) => controllers.includes(unified ? "" : "cpu"));
    if (!group) return [];
    return foldersUp(mount, group.path).flatMap((folder) => (unified ? quota2 : quota1)(files, folder) ?? []);
  });
  return quotas.length === 0 ? undefined : Math.min(...quotas);
}

interface Mount {
  /** The mounted part of the file system. */
  readonly root: string;
  readonly folder: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** Format: proc_pid_mountinfo(5). */
function parseMounts(text: string): readonly Mount[] {
  return [...text.matchAll(/^\S+ \S+ \S+ (\S+) (\S+) .* - (\S+) \S+ (\S+)$/gm)].map(
    ([, root = "", folder = "", type = "", options = ""]) => ({ root, folder, type, options: options.split(",") }),
  );
}

/** A group's folder and those above it, up to the mount's own. A group outside of what is mounted is known by that folder only. */
function foldersUp({ root, folder }: Mount, path: string): readonly string[] {
  const base = root === "/" ? "" : root;
  const isInside = `${path}/`.startsWith(`${base}/`) && !path.startsWith("/..");
  const names = isInside
    ? path
        .slice(base.length)
        .split("/")
        .filter((name) => name !== "")
    : [];
  return Array.from({ length: names.length + 1 }, (_, i) => [folder, ...names.slice(0, i)].join("/"));
}

/** `150000 100000` is 1.5; `max 100000` is no limit. */
function quota2({ read }: SystemFiles, folder: string): number | undefined {
  return ratio(...(read(`${folder}/cpu.max`)?.trim().split(" ") ?? []));
}

/** −1 is no limit. */
function quota1({ read }: SystemFiles, folder: string): number | undefined {
  return ratio(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function ratio(quota?: string, period?: string): number | undefined {
  const value = Number(quota) / Number(period);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}
