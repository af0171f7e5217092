/**
 * Costs of absurd inputs: wall and CPU time, peak memory and message of each command of test/absurdInputs.ts, run in a process of its own. The row
 * "nothing" is the cost of a command without work.
 *
 *     node --import tsx bench/absurd.ts [--only TEXT] [--json]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeAbsurdInputs } from "../test/absurdFiles.ts";
import { absurdInputs } from "../test/absurdInputs.ts";
import { type ChildCost, childCost } from "../test/childCost.ts";
import { builtCommand } from "../test/command.ts";

const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" }, json: { type: "boolean" } } });
const folder = await mkdtemp(join(tmpdir(), "alexnet-absurd-"));
try {
  await writeAbsurdInputs(folder);
  const command = await builtCommand();
  const nothing = { name: "nothing", args: ["--version"], endless: undefined };
  const rows: ({ readonly name: string } & ChildCost)[] = [];
  for (const { name, args, endless } of [nothing, ...absurdInputs].filter(({ name }) => name.includes(flags.only))) {
    const row = { name, ...(await childCost([command, ...args], folder, endless)) };
    rows.push(row);
    if (!flags.json) console.log(shown(row));
    for (const made of ["imported", "run", "sweep"]) await rm(join(folder, made), { recursive: true, force: true });
  }
  if (flags.json) console.log(JSON.stringify(rows, undefined, 2));
} finally {
  await rm(folder, { recursive: true });
}

function shown({
  name,
  exit,
  wallSeconds,
  cpuSeconds,
  peakBytes,
  text,
}: { readonly name: string } & ChildCost): string {
  const cpu = cpuSeconds === undefined ? "?" : cpuSeconds.toFixed(2);
  const memory = peakBytes === undefined ? "?" : (peakBytes / 1e6).toFixed(0);
  const figures = `wall ${wallSeconds.toFixed(2)} s, CPU ${cpu} s, memory ${memory} MB, exit ${exit}`;
  return `${name}: ${figures}\n${text
    .trim()
    .split("\n")
    .slice(0, 3)
    .map((line) => `    ${line}`)
    .join("\n")}`;
}
