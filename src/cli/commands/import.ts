/** `alexnet import`. */
import type { ImportOptions } from "../../exchange/importModel.ts";
import { formatsThat } from "../../formats/formats.ts";
import { importOptions } from "../importOptions.ts";
import { jsonOption } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import { stoppable } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";

const readable = formatsThat("read");

export const importCommand: CommandSpec = {
  arguments: [
    {
      name: "<file>",
      help: `${readable.flatMap(({ endings }) => endings).join(", ")} file, or a folder of Hugging Face; no code in it is run`,
    },
  ],
  options: [
    { flags: "--run <dir>", help: "run directory to create", required: true },
    {
      flags: "--format <name>",
      help: "file format (default: by the file's extension)",
      choices: readable.map(({ name }) => name),
    },
    ...importOptions,
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
