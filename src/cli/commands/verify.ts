/** `alexnet verify`. */
import type { EngineName } from "../../engine/select/engineNames.ts";
import { formatsThat } from "../../formats/formats.ts";
import {
  jsonOption,
  type NetworkSizeFlags,
  networkSizeOptions,
  nonNegative,
  positiveInteger,
  runArgument,
  seed,
} from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import { imageProgress } from "../progress.ts";
import type { CommandSpec, Invocation } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

export const verify: CommandSpec = {
  arguments: [
    { ...runArgument, help: `${runArgument.help}; with --gradients also a network: a name or a JSON file` },
    { name: "[file]", help: "file of another format, such as alexnet export writes" },
  ],
  options: [
    {
      flags: "--gradients",
      help: "compare the gradients of the network, with random weights, with finite differences in f64",
    },
    {
      flags: "--checks <n>",
      help: "with --gradients: number of elements to compare in each parameter (default: 10)",
      parse: positiveInteger,
    },
    ...networkSizeOptions.map((option) => ({ ...option, help: `with --gradients: ${option.help}` })),
    {
      flags: "--format <name>",
      help: "file format (default: by the file's extension)",
      choices: formatsThat("read").map(({ name }) => name),
    },
    { flags: "--images <n>", help: "number of random images", parse: positiveInteger, default: 16 },
    { flags: "--seed <n>", help: "random seed of those images", parse: seed, default: 0 },
    {
      flags: "--tolerance <x>",
      help: "maximum difference to accept, relative to the largest output or derivative (default: 5e-6, with --gradients 1e-3)",
      parse: nonNegative,
    },
    settingOption("engine"),
    settingOption("threads"),
    jsonOption,
  ],
  examples: [
    ["alexnet verify runs/photos photos.pth"],
    ["alexnet verify runs/photos photos.safetensors --images 64 --json"],
    ["alexnet verify mine.json --gradients", "a network of your own"],
    ["alexnet verify alexnet --gradients --input-size 67 --classes 10"],
  ],
  run: verifyFile,
};

interface VerifyFlags extends NetworkSizeFlags {
  readonly gradients?: boolean;
  readonly checks?: number;
  readonly format?: string;
  readonly images: number;
  readonly seed: number;
  readonly tolerance?: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

async function verifyFile(
  run: string,
  file: string | undefined,
  { gradients, ...flags }: VerifyFlags,
  invocation: Invocation,
): Promise<void> {
  if (gradients) {
    if (file !== undefined) invocation.fail("--gradients checks a network without a file; remove one of the two");
    return checkGradients(run, flags);
  }
  if (file === undefined) invocation.fail("expected the file to compare the run with, or --gradients");
  if ([flags.checks, flags.classes, flags.inputSize].some((value) => value !== undefined))
    invocation.fail("--checks, --classes and --input-size require --gradients");
  return compareFile(run, file, flags);
}

async function checkGradients(network: string, { json, tolerance = 1e-3, ...flags }: VerifyFlags): Promise<void> {
  const { verifyGradients } = await import("../../exchange/verifyGradients.ts");
  const line = imageProgress("gradients", "derivatives");
  const result = await verifyGradients(network, { ...flags, onMessage: printError, onProgress: line.update }).finally(
    line.clear,
  );
  const agrees = result.relativeDifference <= tolerance;
  if (json) printJson({ ...result, tolerance, agrees });
  else {
    const { formatGradients } = await import("../../report/tables/gradientTable.ts");
    print(`${result.network}, ${result.engine}, f32\n\n${formatGradients(result.parameters)}`);
  }
  if (agrees) return;
  const { parameter, relativeDifference } = result.parameters.reduce((most, each) =>
    each.relativeDifference > most.relativeDifference ? each : most,
  );
  printError(
    `alexnet: ${parameter}: expected gradients within ${tolerance} of finite differences, got ${relativeDifference.toExponential(1)}`,
  );
  process.exitCode = 1;
}

async function compareFile(
  run: string,
  file: string,
  { json, tolerance = 5e-6, ...options }: VerifyFlags,
): Promise<void> {
  const { verifyModel } = await import("../../exchange/verifyModel.ts");
  const result = await verifyModel(run, file, { ...options, onMessage: printError });
  const { images, largestDifference, largestOutput, relativeDifference, sameClass } = result;
  const agrees = relativeDifference <= tolerance && result.otherFacts.length === 0;
  if (json) printJson({ ...result, tolerance, agrees });
  else {
    print(`${result.run} and ${file}, ${images} images, f32
largest output      ${largestOutput.toPrecision(4)}
largest difference  ${largestDifference.toPrecision(4)} (${relativeDifference.toExponential(1)} of it)
same class          ${sameClass} of ${images}`);
  }
  if (agrees) return;
  if (result.otherFacts.length > 0)
    printError(`alexnet: ${file}: other ${result.otherFacts.join(", ")} than ${result.run}`);
  if (relativeDifference > tolerance)
    printError(
      `alexnet: ${file}: expected a difference of up to ${tolerance} of the largest output, got ${relativeDifference}`,
    );
  process.exitCode = 1;
}
