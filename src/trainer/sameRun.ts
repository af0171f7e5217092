/** Check that all processes train the same run: before the first step, since sums of other numbers would go unnoticed. */
import { describeMachine } from "../engine/select/machine.ts";
import { UsageError } from "../errors.ts";
import type { Job } from "./processes.ts";
import type { PreparedRun } from "./runSetup.ts";

/** Values by their path in config.json, as text. */
type Facts = Readonly<Record<string, string>>;

function leaves(path: string, value: unknown): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  const isBranch = typeof value === "object" && value !== null && !isPlainList(value);
  if (!isBranch) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, member]) => leaves(path === "" ? key : `${path}.${key}`, member));
}

/** True for lists such as class names or a mean image, which are compared as a whole. */
function isPlainList(value: object): boolean {
  return Array.isArray(value) && value.every((member) => typeof member !== "object");
}

/** Number of threads at the end of an engine's description. */
const threadCount = /, \d+ threads?$/;

function factsOf({ config, engine, dataset }: PreparedRun, scheme: string, memory: number): Facts {
  // Time, place and hardware of one process may differ.
  const { machine: _m, started: _s, command: _c, processes: _p, parallel: _l, mpi: _i, engine: _e, ...shared } = config;
  const { source: _source, ...ofDataset } = shared.dataset;
  return Object.fromEntries([
    ["alexnet", describeMachine().alexnet],
    ["engine", `${engine.name} ${engine.version}`],
    // Gradients are summed in the engine's layout, which depends on the instruction set.
    ["engine description", engine.description.replace(threadCount, "")],
    ["images", `${dataset.train.length} for training`],
    ["parallel", scheme],
    ...leaves("", { ...shared, dataset: ofDataset }),
    ["bytes of gradients", String(memory)],
  ]);
}

/** Throws UsageError naming the first value that differs between processes. `gradientBytes` is the size of the compiled gradients. */
export async function requireSameRun(
  { communicator, scheme }: Job,
  prepared: PreparedRun,
  gradientBytes: number,
): Promise<void> {
  const all = await communicator.agree(factsOf(prepared, scheme, gradientBytes));
  const [first = {}] = all;
  for (const [rank, facts] of all.entries()) {
    const keys = [...new Set([...Object.keys(first), ...Object.keys(facts)])];
    const other = keys.find((key) => facts[key] !== first[key]);
    if (other === undefined) continue;
    throw new UsageError(
      `${other}: expected the same in all processes, got ${shown(first[other])} in process 0 and ${shown(facts[other])} in process ${rank}; ` +
        "start all processes with the same version, command and data",
    );
  }
}

function shown(value = "nothing"): string {
  return value.length > 80 ? `${value.slice(0, 80)}…` : value;
}
