/** `alexnet import`. */
import { ConfigError } from "../../errors.ts";
import type { ImportOptions } from "../../exchange/importModel.ts";
import { weightsChoices } from "../../formats/format.ts";
import { formatsThat } from "../../formats/formats.ts";
import { fitNames } from "../../image/prepare/fit.ts";
import { filters } from "../../image/resize/taps.ts";
import { networks } from "../../network/alexnet.ts";
import { headNames } from "../../network/head.ts";
import { jsonOption, positiveInteger } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import { stoppable } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";

const readable = formatsThat("read");

export const importCommand: CommandSpec = {
  arguments: [
    { name: "<file>", help: `${readable.flatMap(({ endings }) => endings).join(", ")} file; no code in it is run` },
  ],
  options: [
    { flags: "--run <dir>", help: "run directory to create", required: true },
    {
      flags: "--format <name>",
      help: "file format (default: by the file's extension)",
      choices: readable.map(({ name }) => name),
    },
    {
      flags: "--network <network>",
      help: "name or JSON file (default: as described by the file)",
      suggestions: networks.map(({ name }) => name),
    },
    {
      flags: "--input-size <n>",
      help: "height and width of the network's input, in pixels",
      parse: positiveInteger,
    },
    {
      flags: "--head <name>",
      help: "function from outputs to probabilities (default: the file's, or softmax for 2 or more outputs)",
      choices: headNames,
    },
    {
      flags: "--weights <kind>",
      help: "of a PyTorch checkpoint with both: those of training, or their moving average (default: the one under the usual name)",
      choices: weightsChoices,
    },
    { flags: "--like <run>", help: "use the network, class names and preprocessing of this run" },
    { flags: "--classes <file>", help: "class names, one per line, in the order of the outputs" },
    { flags: "--fit <name>", help: "how images are fitted to the input", choices: fitNames },
    { flags: "--filter <name>", help: "resampling filter", choices: filters },
    {
      flags: "--mean <list>",
      help: "mean of each channel, comma-separated, on a scale from 0 (black) to 1 or 255 (white), such as 0.485,0.456,0.406",
      parse: numbers,
    },
    {
      flags: "--deviation <list>",
      help: "standard deviation of each channel, on the same scale, such as 0.229,0.224,0.225",
      parse: numbers,
    },
    jsonOption,
  ],
  examples: [
    [
      "alexnet import alexnet-owt-7be5be79.pth --network alexnet-owt \\\n  --classes imagenet.txt --run runs/torchvision",
    ],
    ["alexnet import tuned.pth --like runs/photos --run runs/tuned"],
    ["alexnet import photos.safetensors --run runs/copy", "written by export"],
    ["alexnet import two.pth --network net.json --head sigmoid --run runs/two"],
  ],
  run: importFile,
};

interface ImportFlags extends Omit<ImportOptions, "network"> {
  readonly network?: string;
  readonly run: string;
  readonly json?: boolean;
}

function numbers(text: string): readonly number[] {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new ConfigError(`expected comma-separated numbers, got "${text}"`);
}

async function importFile(file: string, { run, json, ...options }: ImportFlags): Promise<void> {
  const { importModel } = await import("../../exchange/importModel.ts");
  await stoppable(
    () => printError("\nStopping."),
    async (signal) => {
      const { format, weights, model, assumptions, notes } = await importModel(file, run, { ...options, signal });
      const { network, classNames, preprocessing } = model;
      const { head = "softmax" } = model;
      if (json)
        printJson({
          file,
          format,
          weights,
          network: network.name,
          head,
          classNames,
          preprocessing,
          assumptions,
          notes,
        });
      else {
        const shown = head === "softmax" ? "" : `, head ${head}`;
        print(`${file}: ${format}, ${network.name}, ${classNames.length} classes${shown}\n${weights}`);
      }
      for (const note of notes) printError(note);
      for (const assumption of assumptions) printError(`Assumed: ${assumption}`);
    },
  );
}
