/**
 * Compares this project with PyTorch and ONNX Runtime on this machine, all in one run:
 *
 *     npm run bench:peers -- --network alexnet-owt --mode infer --batch-size 1
 */
import { Command, Option } from "commander";
import { positiveInteger } from "../../src/cli/options.ts";
import { print, printError, printJson } from "../../src/cli/output.ts";
import { toOption } from "../../src/cli/program.ts";
import type { InferencePrecision, Precision } from "../../src/engine/engine.ts";
import { createOneDnnEngine } from "../../src/engine/onednn/onednn.ts";
import { nativePrecisions } from "../../src/engine/select/precision.ts";
import { AlexNetError, messageOf } from "../../src/errors.ts";
import { findNetwork } from "../../src/network/alexnet.ts";
import { wrap } from "../../src/report/text.ts";
import { type Comparison, compare } from "./compare.ts";
import type { Mode } from "./protocol.ts";
import { findTorch, type Torch } from "./python.ts";
import { formatComparison } from "./table.ts";
import { onnxRuntimeVariants, ownVariant, TUNED, torchVariants, type Variant } from "./variants.ts";

interface Flags {
  readonly network?: readonly string[];
  readonly precision?: readonly InferencePrecision[];
  readonly mode?: readonly Mode[];
  readonly batchSize?: number;
  readonly rounds: number;
  readonly json?: boolean;
}

const defaultNetworks: { readonly [M in Mode]: readonly string[] } = {
  train: ["alexnet-fashion", "alexnet-owt", "alexnet"],
  infer: ["alexnet-owt"],
};
/** The second network is compared at small batches too, where the update takes most of a step. */
const smallBatches = { network: "alexnet-owt", sizes: [10, 32] } as const;
const defaultBatchSizes = (mode: Mode, network: string): readonly number[] => {
  if (mode === "infer") return [1, 32];
  return network === smallBatches.network ? [128, ...smallBatches.sizes] : [128];
};

function numberOption(flags: string, help: string): Option {
  return toOption({ flags, help, parse: positiveInteger }, "bench:peers");
}

const program = new Command("bench:peers")
  .description("compare training and inference with PyTorch and ONNX Runtime")
  .option("--network <names...>", "networks (default: all three for training, alexnet-owt for inference)")
  .addOption(
    new Option("--precision <names...>", "number formats (default: those that the processor supports)").choices([
      "f32",
      "bf16",
      "int8",
    ]),
  )
  .addOption(new Option("--mode <names...>", "what to compare (default: both)").choices(["train", "infer"]))
  .addOption(
    numberOption(
      "--batch-size <n>",
      "images per batch (default: 128 for training, alexnet-owt at 10 and 32 too, 1 and 32 for inference)",
    ),
  )
  .addOption(numberOption("--rounds <n>", "number of times that each computes in turn").default(5))
  .option("--json", "print the result as JSON")
  .configureHelp({ helpWidth: 80 });

async function main(flags: Flags): Promise<void> {
  const torch = await findTorch(printError);
  printError(`PyTorch ${torch.version}`);
  if (!torch.hasJemalloc) printError("jemalloc (libjemalloc.so.2) is missing: PyTorch is tuned without it");
  if (!torch.hasCompiler) printError("a C++ compiler is missing: PyTorch is not compiled");
  const engine = createOneDnnEngine();
  printError(engine.description);
  const { threads } = engine;
  engine.close();
  const precisions = flags.precision ?? [...nativePrecisions(engine), "int8"];
  const results: object[] = [];
  for (const comparison of comparisons(flags, precisions, threads, torch)) {
    const { network, mode, batchSize, rounds } = comparison;
    printError(`${network.name} ${mode} batch ${batchSize}`);
    const measured = await compare(comparison, printError);
    results.push({ network: network.name, mode, batchSize, threads, rounds, measured });
    if (!flags.json) print(`${formatComparison(comparison, measured)}\n`);
  }
  if (flags.json) printJson(results);
  else print(wrap(TUNED));
}

/** Training requires gigabytes for each worker, so precisions are compared separately; for inference, together. */
function comparisons(
  flags: Flags,
  precisions: readonly InferencePrecision[],
  threads: number,
  torch: Torch,
): readonly Comparison[] {
  return (flags.mode ?? (["train", "infer"] as const)).flatMap((mode) =>
    (flags.network ?? defaultNetworks[mode]).flatMap((name) =>
      (flags.batchSize ? [flags.batchSize] : defaultBatchSizes(mode, name)).flatMap((batchSize) =>
        (mode === "train" ? precisions.filter(trains).map((one) => [one]) : [precisions]).map((together) => ({
          network: findNetwork(name),
          mode,
          batchSize,
          threads,
          rounds: flags.rounds,
          variants: variantsOf(mode, together, torch),
        })),
      ),
    ),
  );
}

const trains = (precision: InferencePrecision): precision is Precision => precision !== "int8";

function variantsOf(mode: Mode, precisions: readonly InferencePrecision[], torch: Torch): readonly Variant[] {
  return [
    ...precisions.map(ownVariant),
    ...precisions.filter(trains).flatMap((precision) => torchVariants(torch, mode, precision)),
    ...(mode === "infer" ? onnxRuntimeVariants(precisions, printError) : []),
  ];
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
