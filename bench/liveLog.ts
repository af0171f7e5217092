/**
 * Cost of the live page of a long log, without a browser: CPU time and memory of the first view and of one after a new line, and the page's size. The
 * run is a copy whose log is replaced by n lines, with an evaluation every 20.
 *
 *     node --import tsx bench/liveLog.ts RUN [--lines 1000000]
 */
import { appendFileSync, closeSync, cpSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createLiveRun } from "../src/runs/liveRun.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { lines: { type: "string", default: "1000000" } },
});
const [source] = positionals;
if (source === undefined) throw new Error("expected a run directory with a checkpoint");
const lines = Number(values.lines);

function lineAt(n: number): string {
  const figures = { trainLoss: 0.3 + 0.05 * Math.sin(n), trainAccuracy: 0.8 + 0.05 * Math.cos(n) };
  const evaluated = n % 20 === 0 ? { testLoss: 0.4 + 1 / n, testAccuracy: 0.9 - 1 / n } : {};
  const pace = { learningRate: 0.01, examplesPerSecond: 200 + Math.sin(n), seconds: n };
  return `${JSON.stringify({ epoch: n / 20, iteration: 20 * n, ...figures, ...evaluated, ...pace })}\n`;
}

const folder = mkdtempSync(join(tmpdir(), "alexnet-bench-"));
try {
  const run = join(folder, "run");
  cpSync(source, run, { recursive: true });
  const log = join(run, "log.jsonl");
  const file = openSync(log, "w");
  for (let n = 1; n <= lines; n++) writeSync(file, lineAt(n));
  closeSync(file);
  console.log(`log: ${lines} lines, ${(statSync(log).size / 1e6).toFixed(0)} MB`);
  const live = await createLiveRun(run, { fractionOfTime: Number.POSITIVE_INFINITY });
  for (const name of ["first view", "after a new line"]) {
    if (name !== "first view") appendFileSync(log, lineAt(lines + 1));
    const [usage, memory] = [process.cpuUsage(), process.memoryUsage.rss()];
    const { page } = await live.view();
    const { user, system } = process.cpuUsage(usage);
    const grown = (process.memoryUsage.rss() - memory) / 1e6;
    console.log(
      `${name}: ${((user + system) / 1e6).toFixed(1)} s, ${grown.toFixed(0)} MB more, page ${(page.length / 1e3).toFixed(0)} kB`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
