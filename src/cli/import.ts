/** `alexnet import`. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ImportOptions } from "../exchange/importModel.ts";
import { formatsThat } from "../formats/formats.ts";
import { fitNames } from "../image/prepare/fit.ts";
import { filters } from "../image/resize/taps.ts";
import { jsonOption, positiveInteger } from "./options.ts";
import { print, printJson, tell } from "./output.ts";
import { stoppable } from "./signals.ts";

interface ImportFlags extends Omit<ImportOptions, "network"> {
  readonly network?: string;
  readonly run: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet import alexnet-owt-7be5be79.pth --network alexnet-owt \\
    --classes imagenet.txt --run runs/torchvision
  alexnet import tuned.pth --like runs/photos --run runs/tuned
  alexnet import photos.safetensors --run runs/copy     written by export
`;

export function addImport(program: Command): void {
  const readable = formatsThat("read");
  program
    .command("import")
    .description("take weights of other programs: predict, evaluate and export go on from there")
    .argument("<file>", `${readable.flatMap(({ endings }) => endings).join(", ")}; nothing in it is run`)
    .requiredOption("--run <dir>", "the run directory to make")
    .addOption(new Option("--format <name>", "default: by the file's ending").choices(readable.map(({ name }) => name)))
    .option("--network <name>", "a name or a JSON file (default: what the file says)")
    .option("--input-size <n>", "height and width of the network's input, in pixels", positiveInteger)
    .option("--like <run>", "network, class names and preprocessing of this run")
    .option("--classes <file>", "a class name a line, in the order of the outputs")
    .addOption(new Option("--fit <name>", "how images are fitted to the input").choices(fitNames))
    .addOption(new Option("--filter <name>", "how images are resized").choices(filters))
    .option("--mean <list>", "a number a channel, from 0 (black) to 1 (white): 0.485,0.456,0.406", numbers)
    .option("--deviation <list>", "what the rest is divided by: 0.229,0.224,0.225", numbers)
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(importCommand);
}

function numbers(text: string): readonly number[] {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new InvalidArgumentError(`expected numbers with commas between, got "${text}"`);
}

async function importCommand(file: string, { run, json, ...options }: ImportFlags): Promise<void> {
  const { importModel } = await import("../exchange/importModel.ts");
  await stoppable(
    () => tell("\nStopping."),
    async (signal) => {
      const { format, weights, model, assumptions } = await importModel(file, run, { ...options, signal });
      const { network, classNames, preprocessing } = model;
      if (json) printJson({ file, format, weights, network: network.name, classNames, preprocessing, assumptions });
      else print(`${file}: ${format}, ${network.name}, ${classNames.length} classes\n${weights}`);
      for (const assumption of assumptions) tell(`Not said, so taken: ${assumption}`);
    },
  );
}
