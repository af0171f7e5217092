/**
 * Number of compute threads: the physical cores that this process may use, since a core's second hardware thread shares its
 * multipliers, and a thread beyond a container's quota makes all others wait.
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Access to Linux's system files; other systems have none. */
export interface SystemFiles {
  /** Text of a file; undefined if it is unreadable. */
  read(path: string): string | undefined;
  /** Names in a folder; none if the folder is missing. */
  list(folder: string): readonly string[];
}

/** The part of the machine that this process may use. */
export interface ProcessorShare {
  /** Processors as the system counts them: a core with two hardware threads is two. */
  readonly processors: number;
  /** Physical cores of these processors; undefined if the system does not report them. */
  readonly cores: number | undefined;
  /** Processors' worth of time that control groups grant, such as 1.5; undefined without a limit. */
  readonly quota: number | undefined;
  /** Number of cores, or of processors if cores are unknown, limited by the quota; at least 1. */
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

/** Determines the processors that this process may use. `available` is the runtime's number of processors, for systems without the files. */
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
 * The online processors that any thread of this process may run on. With OMP_PROC_BIND, OpenMP binds the thread that loads it to one processor; the
 * runtime's earlier threads keep the process's original affinity.
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

/** Counts cores: processors with the same list of siblings are one core. */
function countCores({ read }: SystemFiles, processors: readonly number[]): number | undefined {
  const siblings = processors.map((n) => read(`/sys/devices/system/cpu/cpu${n}/topology/thread_siblings_list`)?.trim());
  return siblings.includes(undefined) ? undefined : new Set(siblings).size;
}

/** The strictest limit from this process's control groups up to the visible roots. */
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

/** A group's folder and its parents, up to that of the mount. For a group outside the mount, only the mount's folder. */
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
