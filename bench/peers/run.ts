/**
 * Compares this project with PyTorch and ONNX Runtime on this machine, its WebAssembly engine with other runtimes in WebAssembly, or its WebGPU engine
 * with other runtimes in Chromium, all in one run:
 *
 *     npm run bench:peers -- --network alexnet-owt --mode infer --batch-size 1
 *     npm run bench:peers -- --engine wasm --threads 1 --network conv2 --mode infer
 *     npm run bench:peers -- --engine webgpu --network alexnet-small --mode train
 */
import { Command, Option } from "commander";
import { positiveInteger } from "../../src/cli/options.ts";
import { print, printError, printJson } from "../../src/cli/output.ts";
import { toOption } from "../../src/cli/program.ts";
import type { Engine, InferencePrecision } from "../../src/engine/engine.ts";
import type { EngineName } from "../../src/engine/select/engineNames.ts";
import { nativePrecisions } from "../../src/engine/select/precision.ts";
import { selectEngine } from "../../src/engine/select/selectEngine.ts";
import { AlexNetError, messageOf, UsageError } from "../../src/errors.ts";
import { wrap } from "../../src/report/text.ts";
import { findBrowserAdapter } from "./browserAdapter.ts";
import { type Comparison, compare } from "./compare.ts";
import { findWorkload } from "./layerNetworks.ts";
import {
  type ComparedEngine,
  comparedEngines,
  defaultBatchSizes,
  defaultNetworks,
  oneDnnParticipants,
  peerNames,
  trains,
  type WorkloadSet,
  wasmParticipants,
  webGpuParticipants,
} from "./participants.ts";
import type { Mode } from "./protocol.ts";
import { findTorch } from "./python.ts";
import { formatComparison } from "./table.ts";
import { TUNED, type Variant } from "./variants.ts";

interface Flags {
  readonly engine: ComparedEngine;
  readonly peers?: readonly string[];
  readonly network?: readonly string[];
  readonly precision?: readonly InferencePrecision[];
  readonly mode?: readonly Mode[];
  readonly batchSize?: number;
  readonly threads?: number;
  readonly rounds: number;
  readonly json?: boolean;
}

function numberOption(flags: string, help: string): Option {
  return toOption({ flags, help, parse: positiveInteger }, "bench:peers");
}

const program = new Command("bench:peers")
  .description("compare training and inference with PyTorch and ONNX Runtime, or with runtimes of browsers")
  .addOption(new Option("--engine <name>", "engine to compare").choices(comparedEngines).default("onednn"))
  .addOption(
    new Option("--peers <names...>", "peers of --engine wasm or webgpu (default: all except reference)").choices([
      ...new Set(Object.values(peerNames).flat()),
    ]),
  )
  .option("--network <names...>", "networks, or gemm or conv2 for one layer, or tiny (default: by engine and mode)")
  .addOption(
    new Option("--precision <names...>", "number formats (default: those that the processor supports)").choices([
      "f32",
      "bf16",
      "int8",
    ]),
  )
  .addOption(new Option("--mode <names...>", "what to compare (default: both)").choices(["train", "infer"]))
  .addOption(numberOption("--batch-size <n>", "images per batch (default: by network)"))
  .addOption(
    numberOption("--threads <n>", "threads of each participant, except webgpu (default: the processor's cores)"),
  )
  .addOption(numberOption("--rounds <n>", "number of times that each computes in turn").default(5))
  .option("--json", "print the result as JSON")
  .configureHelp({ helpWidth: 80 });

/** Seconds that each participant computes in a round. */
const ROUND_SECONDS = 3;

/** Precisions of an engine, its threads or adapter, its default workloads, and the participants in a mode. */
interface Field extends Pick<Comparison, "threads" | "adapter"> {
  readonly workloads: WorkloadSet;
  readonly precisions: readonly InferencePrecision[];
  participants(mode: Mode, precisions: readonly InferencePrecision[]): readonly Variant[];
}

const fields: { readonly [E in ComparedEngine]: (flags: Flags) => Promise<Field> } = {
  async onednn({ precision, threads }) {
    const torch = await findTorch(printError);
    printError(`PyTorch ${torch.version}`);
    if (!torch.hasJemalloc) printError("jemalloc (libjemalloc.so.2) is missing: PyTorch is tuned without it");
    if (!torch.hasCompiler) printError("a C++ compiler is missing: PyTorch is not compiled");
    const engine = await describeEngine("onednn", threads);
    return {
      threads: engine.threads,
      workloads: "onednn",
      precisions: precision ?? [...nativePrecisions(engine), "int8"],
      participants: (mode, precisions) => oneDnnParticipants(mode, precisions, torch),
    };
  },
  async wasm({ peers, threads }) {
    const engine = await describeEngine("wasm", threads);
    return {
      threads: engine.threads,
      workloads: "wasm",
      precisions: ["f32"],
      participants: () => wasmParticipants(peers),
    };
  },
  async webgpu({ peers, threads, network }) {
    if (threads !== undefined) throw new UsageError("--threads: a graphics adapter has none; omit it");
    const adapter = await findBrowserAdapter();
    const name = adapter.isSoftware ? `${adapter.name}, a software adapter` : adapter.name;
    printError(`Chromium: ${name}`);
    if (adapter.isSoftware) printError("its speed says nothing about graphics processors");
    if (adapter.isSoftware && !network) printError("only a tiny network is compared; choose others by --network");
    return {
      threads: 1,
      adapter: name,
      workloads: adapter.isSoftware ? "software" : "webgpu",
      precisions: ["f32"],
      participants: () => webGpuParticipants(adapter, peers),
    };
  },
};

/** Prints the description of an engine. Returns it closed. */
async function describeEngine(name: EngineName, threads: number | undefined): Promise<Engine> {
  const { engine } = await selectEngine(name, threads);
  printError(engine.description);
  engine.close();
  return engine;
}

/** Throws UsageError for peers and precisions that the engine does not have. */
function checkFlags({ engine, peers = [], precision = [] }: Flags): void {
  const strange = peers.find((name) => !peerNames[engine].includes(name));
  if (strange !== undefined) {
    const expected = peerNames[engine].length > 0 ? `expected some of ${peerNames[engine].join(", ")}` : "omit --peers";
    throw new UsageError(`--peers: "${strange}" is not compared with --engine ${engine}; ${expected}`);
  }
  const other = precision.find((name) => engine !== "onednn" && name !== "f32");
  if (other !== undefined) throw new UsageError(`--precision ${other}: --engine ${engine} computes in f32; omit it`);
}

async function main(flags: Flags): Promise<void> {
  checkFlags(flags);
  const field = await fields[flags.engine](flags);
  const results: object[] = [];
  for (const comparison of comparisons(flags, field)) {
    const { network, mode, batchSize, threads, adapter, rounds } = comparison;
    printError(`${network.name} ${mode} batch ${batchSize}`);
    const measured = await compare(comparison, printError);
    const machine = adapter === undefined ? { threads } : { adapter };
    results.push({ network: network.name, mode, batchSize, ...machine, rounds, measured });
    if (!flags.json) print(`${formatComparison(comparison, measured)}\n`);
  }
  if (flags.json) printJson(results);
  else if (flags.engine === "onednn") print(wrap(TUNED));
}

/** Training requires gigabytes for each worker, so precisions are compared separately; for inference, together. */
function comparisons(
  flags: Flags,
  { precisions, participants, threads, adapter, workloads }: Field,
): readonly Comparison[] {
  return (flags.mode ?? (["train", "infer"] as const)).flatMap((mode) =>
    (flags.network ?? defaultNetworks(workloads, mode)).flatMap((name) =>
      (flags.batchSize ? [flags.batchSize] : defaultBatchSizes(workloads, mode, name)).flatMap((batchSize) =>
        (mode === "train" ? precisions.filter(trains).map((one) => [one]) : [precisions]).map((together) => ({
          network: findWorkload(name),
          mode,
          batchSize,
          threads,
          adapter,
          rounds: flags.rounds,
          roundSeconds: ROUND_SECONDS,
          variants: participants(mode, together),
        })),
      ),
    ),
  );
}

program.action(async () => {
  try {
    await main(program.opts<Flags>());
  } catch (error) {
    if (!(error instanceof AlexNetError)) throw error;
    printError(`bench:peers: ${messageOf(error)}`);
    process.exitCode = error.exitCode;
  }
});
await program.parseAsync();
