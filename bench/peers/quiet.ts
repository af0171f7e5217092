/** Tells whether the machine was quiet while one process was timed. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Largest fraction of the cores' time that others may use. */
const OTHERS = 0.03;
/** Slowest control loop, relative to the fastest of all. */
const CONTROL = 1.1;
const CONTROL_STEPS = 2e7;
/** `USER_HZ`, in which Linux counts. */
const TICKS_PER_SECOND = 100;

/** Watches one process after the other. */
export interface QuietWatch {
  /**
   * Runs an action whose process reports the CPU time that it used. Returns its result, and what disturbed it, if anything did. Without that time, other
   * processes are not watched.
   */
  watch<T extends { readonly cpuSeconds?: number }>(
    action: () => Promise<T>,
  ): Promise<[T, disturbance: string | undefined]>;
}

/**
 * A loop of fixed length is timed before and after, which slows down if the core does, and the CPU time of all processes is counted, on Linux:
 * what neither the action nor this process used, others did, a hypervisor among them.
 */
export function createQuietWatch(): QuietWatch {
  let fastest = Number.POSITIVE_INFINITY;
  const control = () => {
    const seconds = timeControl();
    fastest = Math.min(fastest, seconds);
    return seconds;
  };
  control();
  return {
    async watch(action) {
      const before = control();
      const busy = machineSeconds();
      const own = process.cpuUsage();
      const start = performance.now();
      const result = await action();
      const elapsed = (performance.now() - start) / 1000;
      const { user, system } = process.cpuUsage(own);
      const used = machineSeconds() - busy - (result.cpuSeconds ?? Number.POSITIVE_INFINITY) - (user + system) / 1e6;
      const others = used / (elapsed * availableParallelism());
      const slowdown = Math.max(before, control()) / fastest;
      if (others > OTHERS) return [result, `other processes used ${(100 * others).toFixed(0)} % of the cores`];
      if (slowdown > CONTROL)
        return [result, `the control loop took ${slowdown.toFixed(2)} times as long as at its fastest`];
      return [result, undefined];
    },
  };
}

function timeControl(): number {
  const start = performance.now();
  let word = 1;
  for (let i = 0; i < CONTROL_STEPS; i++) word = (Math.imul(word, 1664525) + 1013904223) | 0;
  // Never true, so that the loop is not removed.
  if (word === 0.5) throw new Error("control loop");
  return (performance.now() - start) / 1000;
}

/** Seconds of all cores that were not idle since the machine started; 0 where the system does not count them. */
function machineSeconds(): number {
  let line: string;
  try {
    line = readFileSync("/proc/stat", "utf8").slice(0, 200).split("\n")[0] ?? "";
  } catch {
    return 0;
  }
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
