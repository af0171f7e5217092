/** `alexnet verify`. */
import type { EngineName } from "../../engine/select/engineNames.ts";
import { formatsThat } from "../../formats/formats.ts";
import { jsonOption, nonNegative, positiveInteger, runArgument, seed } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import type { CommandSpec } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

export const verify: CommandSpec = {
  arguments: [runArgument, { name: "<file>", help: "file of another format, such as alexnet export writes" }],
  options: [
    {
      flags: "--format <name>",
      help: "file format (default: by the file's extension)",
      choices: formatsThat("read").map(({ name }) => name),
    },
    { flags: "--images <n>", help: "number of random images", parse: positiveInteger, default: 16 },
    { flags: "--seed <n>", help: "random seed of those images", parse: seed, default: 0 },
    {
      flags: "--tolerance <x>",
      help: "maximum difference to accept, relative to the largest output",
      parse: nonNegative,
      default: 5e-6,
    },
    settingOption("engine"),
    settingOption("threads"),
    jsonOption,
  ],
  examples: [
    ["alexnet verify runs/photos photos.pth"],
    ["alexnet verify runs/photos photos.safetensors --images 64 --json"],
  ],
  run: verifyFile,
};

interface VerifyFlags {
  readonly format?: string;
  readonly images: number;
  readonly seed: number;
  readonly tolerance: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

async function verifyFile(run: string, file: string, { json, tolerance, ...options }: VerifyFlags): Promise<void> {
  const { verifyModel } = await import("../../exchange/verifyModel.ts");
  const result = await verifyModel(run, file, { ...options, onMessage: printError });
  const { images, largestDifference, largestOutput, relativeDifference, sameClass } = result;
  const agrees = relativeDifference <= tolerance;
  if (json) printJson({ ...result, tolerance, agrees });
  else {
    print(`${result.run} and ${file}, ${images} images, f32
largest output      ${largestOutput.toPrecision(4)}
largest difference  ${largestDifference.toPrecision(4)} (${relativeDifference.toExponential(1)} of it)
same class          ${sameClass} of ${images}`);
  }
  if (agrees) return;
  printError(
    `alexnet: ${file}: expected a difference of up to ${tolerance} of the largest output, got ${relativeDifference}`,
  );
  process.exitCode = 1;
}
