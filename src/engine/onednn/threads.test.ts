import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { type ProcessorShare, processorShare, type SystemFiles } from "./threads.ts";

/** A system that has these files and no others. */
function system(files: Readonly<Record<string, string>>): SystemFiles {
  return {
    read: (path) => files[path],
    list: (folder) => [
      ...new Set(
        Object.keys(files).flatMap((path) =>
          path.startsWith(`${folder}/`) ? (path.slice(folder.length + 1).split("/")[0] ?? []) : [],
        ),
      ),
    ],
  };
}

/** Processors with the siblings that each lists, and a process that may run on some; one mask for each of its threads. */
function processors(siblings: readonly string[], ...allowed: readonly string[]): Readonly<Record<string, string>> {
  const topology = siblings.map((list, n) => [
    `/sys/devices/system/cpu/cpu${n}/topology/thread_siblings_list`,
    `${list}\n`,
  ]);
  const status = allowed.map((list, i) => [
    `/proc/self/task/${100 + i}/status`,
    `Name:\tnode\nCpus_allowed:\tf\nCpus_allowed_list:\t${list}\nMems_allowed_list:\t0\n`,
  ]);
  const online = siblings.length === 1 ? "0" : `0-${siblings.length - 1}`;
  return Object.fromEntries([["/sys/devices/system/cpu/online", `${online}\n`], ...topology, ...status]);
}

/** Two cores of two hardware threads each, numbered as Linux does: the second threads after all first ones. */
const pairs = ["0,2", "1,3", "0,2", "1,3"];
const eight = Array.from({ length: 8 }, (_, n) => `${n}`);

function share(files: Readonly<Record<string, string>>): ProcessorShare {
  return processorShare(system(files), 99);
}

test("hardware threads of one core count once, however an affinity mask splits the pairs", () => {
  const cases: readonly (readonly [allowed: string, processors: number, cores: number])[] = [
    ["0-3", 4, 2],
    ["0-1", 2, 2],
    ["0,2", 2, 1],
    ["1-2", 2, 2],
    ["0-1,3", 3, 2],
    ["3", 1, 1],
  ];
  for (const [allowed, count, cores] of cases) {
    const expected = { processors: count, cores, quota: undefined, threads: cores };
    assert.deepEqual(share(processors(pairs, allowed)), expected, allowed);
  }
});

test("a mask names processors that are off or were never there: they do not count", () => {
  assert.equal(share(processors(pairs, "0-127")).processors, 4);
  assert.equal(share(processors(["0"], "0-127")).threads, 1);
});

test("a thread that OpenMP has tied to one processor does not hide what the process may use", () => {
  assert.equal(share(processors(pairs, "0", "0-3", "0-3")).threads, 2);
  assert.equal(share(processors(pairs, "0", "0-1", "0-1")).threads, 2);
});

test("without topology the processors count, without anything what the runtime sees", () => {
  const { "/sys/devices/system/cpu/cpu1/topology/thread_siblings_list": _, ...partial } = processors(pairs, "0-2");
  assert.deepEqual(share(partial), { processors: 3, cores: undefined, quota: undefined, threads: 3 });
  assert.deepEqual(share({}), { processors: 99, cores: undefined, quota: undefined, threads: 99 });
});

/** /proc/self/mountinfo as kernels write it, shortened. */
const unified =
  "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const divided = [
  "22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw",
  "30 22 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755",
  "31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate",
  "35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct",
  "36 30 0:32 / /sys/fs/cgroup/cpuset rw,nosuid shared:16 - cgroup cgroup rw,cpuset",
  "",
].join("\n");

function quotaOf(files: Readonly<Record<string, string>>): readonly [quota: number | undefined, threads: number] {
  const { quota, threads } = share({ ...processors(eight, "0-7"), ...files });
  return [quota, threads];
}

test("cgroup v2: whole processors of the quota, at least one", () => {
  const cases: readonly (readonly [max: string, quota: number | undefined, threads: number])[] = [
    ["max 100000\n", undefined, 8],
    ["150000 100000\n", 1.5, 1],
    ["200000 100000\n", 2, 2],
    ["299999 100000\n", 2.99999, 2],
    ["25000 100000\n", 0.25, 1],
    ["1600000 100000\n", 16, 8],
    ["30000 10000\n", 3, 3],
  ];
  for (const [max, quota, threads] of cases) {
    const files = { "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": unified, "/sys/fs/cgroup/cpu.max": max };
    assert.deepEqual(quotaOf(files), [quota, threads], max);
  }
});

test("cgroup v2: the strictest of nested groups counts, and no group beside them", () => {
  const files = {
    "/proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
    "/proc/self/mountinfo": unified,
    "/sys/fs/cgroup/user.slice/cpu.max": "600000 100000\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "350000 100000\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/user.slice/user-1001.slice/cpu.max": "100000 100000\n",
    "/sys/fs/cgroup/session-3.scope/cpu.max": "100000 100000\n",
  };
  assert.deepEqual(quotaOf(files), [3.5, 3]);
  // Out of a namespace's sight, and another group has its name.
  const outside = { ...files, "/proc/self/cgroup": "0::/../session-3.scope\n" };
  assert.deepEqual(quotaOf(outside), [undefined, 8]);
});

test("cgroup v1: quota and period of the cpu controller, −1 without a limit, nested groups too", () => {
  const files = {
    "/proc/self/cgroup": "12:cpuset:/other\n4:cpu,cpuacct:/system.slice/ci.service\n0::/system.slice/ci.service\n",
    "/proc/self/mountinfo": divided,
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.cfs_quota_us": "400000\n",
    "/sys/fs/cgroup/cpu,cpuacct/system.slice/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu,cpuacct/system.slice/ci.service/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu,cpuacct/system.slice/ci.service/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpuset/other/cpu.cfs_quota_us": "100000\n",
    "/sys/fs/cgroup/cpuset/other/cpu.cfs_period_us": "100000\n",
  };
  assert.deepEqual(quotaOf(files), [4, 4]);
});

test("in a container whose groups are named as the host names them, its own are where they are mounted", () => {
  const mounted = "/docker/4f1c";
  const files = {
    "/proc/self/cgroup": `4:cpu,cpuacct:${mounted}/job\n`,
    "/proc/self/mountinfo": `1560 1558 0:31 ${mounted} /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:15 - cgroup cgroup rw,cpu,cpuacct\n`,
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "50000\n",
    "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "100000\n",
    "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "50000\n",
  };
  assert.deepEqual(quotaOf(files), [2, 2]);
  // For a group outside the mount, only the mounted folder is visible.
  assert.deepEqual(quotaOf({ ...files, "/proc/self/cgroup": "4:cpu,cpuacct:/docker/4f1cd/job\n" }), [5, 5]);
  assert.deepEqual(quotaOf({ ...files, "/proc/self/cgroup": "4:cpu,cpuacct:/../other\n" }), [5, 5]);
});

test("on this machine: the processors that nproc counts, the cores that lscpu lists", () => {
  const { OMP_NUM_THREADS: _, OMP_THREAD_LIMIT: __, ...env } = process.env; // nproc obeys them
  const { processors: counted, cores, threads } = processorShare();
  assert.equal(counted, Number(execFileSync("nproc", { env, encoding: "utf8" })));
  const listed = execFileSync("lscpu", ["--parse=CORE,SOCKET"], { encoding: "utf8" }).split("\n");
  const all = new Set(listed.filter((line) => /^\d/.test(line))).size;
  assert.ok(cores !== undefined && cores <= all && threads <= cores && threads >= 1, `${cores} of ${all} cores`);
});
