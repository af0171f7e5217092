/** `alexnet verify`. */
import { type Command, Option } from "commander";
import type { EngineName } from "../engine/select/engineNames.ts";
import { formatsThat } from "../formats/formats.ts";
import { engineOption, jsonOption, nonNegative, positiveInteger, seed, threadsOption } from "./options.ts";
import { print, printJson, tell } from "./output.ts";

interface VerifyFlags {
  readonly format?: string;
  readonly images: number;
  readonly seed: number;
  readonly tolerance: number;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet verify runs/photos photos.pth
  alexnet verify runs/photos photos.safetensors --images 64 --json
`;

export function addVerify(program: Command): void {
  const readable = formatsThat("read").map(({ name }) => name);
  program
    .command("verify")
    .description("compute the same images with a run and with a file: the largest difference of their outputs")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .argument("<file>", "a file of another format, such as export writes")
    .addOption(new Option("--format <name>", "default: by the file's ending").choices(readable))
    .option("--images <n>", "so many images, drawn from the seed", positiveInteger, 16)
    .option("--seed <n>", "of those images", seed, 0)
    .option("--tolerance <x>", "largest difference to accept, in units of the largest output", nonNegative, 5e-6)
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(verifyCommand);
}

async function verifyCommand(run: string, file: string, { json, tolerance, ...options }: VerifyFlags): Promise<void> {
  const { verifyModel } = await import("../exchange/verifyModel.ts");
  const result = await verifyModel(run, file, { ...options, onMessage: tell });
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
  tell(
    `alexnet: ${file}: expected a difference of up to ${tolerance} of the largest output, got ${relativeDifference}`,
  );
  process.exitCode = 1;
}
