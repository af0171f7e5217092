/** Corrupts valid files of each weights format, by default 100,000 times, and reads them: `node --import tsx scripts/fuzz.ts [COUNT]`. */
import { fuzz, fuzzTargets } from "../test/interopFuzz.ts";

const count = Number(process.argv[2] ?? 100_000);
for (const target of await fuzzTargets()) {
  const began = performance.now();
  const { read, refused, slowestMs } = await fuzz(target, count);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const memory = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(
    `${target.name}: ${read} read, ${refused} refused, slowest ${slowestMs.toFixed(0)} ms, ${seconds} s; peak memory ${memory} MiB`,
  );
}
