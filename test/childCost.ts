/** Runs a command and measures its time and memory. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { start } from "./command.ts";

/** Outcome of a process, and what it cost. */
export interface ChildCost {
  readonly exit: number | NodeJS.Signals | null;
  /** Standard output and standard error. */
  readonly text: string;
  readonly wallSeconds: number;
  /** Of all threads. Undefined for a process that was killed, or aborted. */
  readonly cpuSeconds?: number;
  /** Largest resident set. Undefined for a process that was killed, or aborted. */
  readonly peakBytes?: number;
}

/** A preloaded module that reports the resources of its process at exit. */
const reporter = `import { writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
if (isMainThread) process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  writeFileSync(process.env.ALEXNET_COST_FILE, JSON.stringify({ cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: 1024 * maxRSS }));
});
`;

/** Runs Node.js with arguments; `endless` gives it zeros without end on standard input. */
export async function childCost(args: readonly string[], cwd: string, endless = false): Promise<ChildCost> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-cost-"));
  try {
    const [hook, report] = [join(folder, "reporter.mjs"), join(folder, "cost.json")];
    await writeFile(hook, reporter);
    const env = { ALEXNET_COST_FILE: report, COLUMNS: "80", NO_COLOR: "1", XDG_CACHE_HOME: join(folder, "cache") };
    const started = performance.now();
    const child = start(["--import", pathToFileURL(hook).href, ...args], {
      cwd,
      env,
      ...(endless && { stdin: "/dev/zero" }),
    });
    const { exit, stdout, stderr } = await child.outcome;
    const wallSeconds = (performance.now() - started) / 1000;
    const cost = await readFile(report, "utf8").then(JSON.parse, () => ({}));
    return { exit, text: stdout + stderr, wallSeconds, ...cost };
  } finally {
    await rm(folder, { recursive: true });
  }
}
