/**
 * Compares this project with PyTorch and ONNX Runtime on this machine, or its WebAssembly engine with other runtimes in WebAssembly, all in one run:
 *
 *     npm run bench:peers -- --network alexnet-owt --mode infer --batch-size 1
 *     npm run bench:peers -- --engine wasm --threads 1 --network conv2 --mode infer
 */
import { Command, Option } from "commander";
import { positiveInteger } from "../../src/cli/options.ts";
import { print, printError, printJson } from "../../src/cli/output.ts";
import { toOption } from "../../src/cli/program.ts";
import type { InferencePrecision } from "../../src/engine/engine.ts";
import { nativePrecisions } from "../../src/engine/select/precision.ts";
import { selectEngine } from "../../src/engine/select/selectEngine.ts";
import { AlexNetError, messageOf } from "../../src/errors.ts";
import { wrap } from "../../src/report/text.ts";
import { type Comparison, compare } from "./compare.ts";
import { findWorkload } from "./layerNetworks.ts";
import {
  type ComparedEngine,
  comparedEngines,
  defaultBatchSizes,
  defaultNetworks,
  oneDnnParticipants,
  trains,
  type WasmPeer,
  wasmParticipants,
  wasmPeerNames,
} from "./participants.ts";
import type { Mode } from "./protocol.ts";
import { findTorch } from "./python.ts";
import { formatComparison } from "./table.ts";
import { TUNED, type Variant } from "./variants.ts";

interface Flags {
  readonly engine: ComparedEngine;
  readonly peers?: readonly WasmPeer[];
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
  .description("compare training and inference with PyTorch and ONNX Runtime, or WebAssembly with WebAssembly")
  .addOption(new Option("--engine <name>", "engine to compare").choices(comparedEngines).default("onednn"))
  .addOption(
    new Option("--peers <names...>", "peers of --engine wasm (default: all except reference)").choices(wasmPeerNames),
  )
  .option(
    "--network <names...>",
    "networks, or gemm or conv2 for one layer (default for training: all three, of wasm conv2 and alexnet-small; " +
      "for inference: alexnet-owt, of wasm gemm and conv2 too)",
  )
  .addOption(
    new Option("--precision <names...>", "number formats (default: those that the processor supports)").choices([
      "f32",
      "bf16",
      "int8",
    ]),
  )
  .addOption(new Option("--mode <names...>", "what to compare (default: both)").choices(["train", "infer"]))
  .addOption(numberOption("--batch-size <n>", "images per batch (default: by network)"))
  .addOption(numberOption("--threads <n>", "threads of each participant (default: the processor's cores)"))
  .addOption(numberOption("--rounds <n>", "number of times that each computes in turn").default(5))
  .option("--json", "print the result as JSON")
  .configureHelp({ helpWidth: 80 });

/** Precisions of an engine, and the participants in a mode. */
interface Field {
  readonly precisions: readonly InferencePrecision[];
  participants(mode: Mode, precisions: readonly InferencePrecision[]): readonly Variant[];
}

const fields: { readonly [E in ComparedEngine]: (flags: Flags) => Promise<Field> } = {
  async onednn({ precision }) {
    const torch = await findTorch(printError);
    printError(`PyTorch ${torch.version}`);
    if (!torch.hasJemalloc) printError("jemalloc (libjemalloc.so.2) is missing: PyTorch is tuned without it");
    if (!torch.hasCompiler) printError("a C++ compiler is missing: PyTorch is not compiled");
    const { engine } = await selectEngine("onednn");
    engine.close();
    return {
      precisions: precision ?? [...nativePrecisions(engine), "int8"],
      participants: (mode, precisions) => oneDnnParticipants(mode, precisions, torch),
    };
  },
  wasm: async ({ peers }) => ({ precisions: ["f32"], participants: () => wasmParticipants(peers) }),
};

async function main(flags: Flags): Promise<void> {
  const field = await fields[flags.engine](flags);
  const { engine } = await selectEngine(flags.engine, flags.threads);
  printError(engine.description);
  const { threads } = engine;
  engine.close();
  const results: object[] = [];
  for (const comparison of comparisons(flags, field, threads)) {
    const { network, mode, batchSize, rounds } = comparison;
    printError(`${network.name} ${mode} batch ${batchSize}`);
    const measured = await compare(comparison, printError);
    results.push({ network: network.name, mode, batchSize, threads, rounds, measured });
    if (!flags.json) print(`${formatComparison(comparison, measured)}\n`);
  }
  if (flags.json) printJson(results);
  else if (flags.engine === "onednn") print(wrap(TUNED));
}

/** Training requires gigabytes for each worker, so precisions are compared separately; for inference, together. */
function comparisons(flags: Flags, { precisions, participants }: Field, threads: number): readonly Comparison[] {
  return (flags.mode ?? (["train", "infer"] as const)).flatMap((mode) =>
    (flags.network ?? defaultNetworks(flags.engine, mode)).flatMap((name) =>
      (flags.batchSize ? [flags.batchSize] : defaultBatchSizes(flags.engine, mode, name)).flatMap((batchSize) =>
        (mode === "train" ? precisions.filter(trains).map((one) => [one]) : [precisions]).map((together) => ({
          network: findWorkload(name),
          mode,
          batchSize,
          threads,
          rounds: flags.rounds,
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
