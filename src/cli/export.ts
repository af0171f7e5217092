/** `alexnet export`. */
import { type Command, Option } from "commander";
import { formatsThat } from "../formats/formats.ts";
import { tensorNamings } from "../formats/tensorNaming.ts";
import { formatBytes } from "../report/numbers.ts";
import { addInt8Options, formatInt8, type Int8Flags, int8Options, int8Progress } from "./int8.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, tell } from "./output.ts";
import { stoppable } from "./signals.ts";

interface ExportFlags extends Int8Flags {
  readonly format?: string;
  readonly output: string;
  readonly names?: string;
  readonly json?: boolean;
  /** The switches of the formats, by the names that commander makes of them. */
  readonly [flag: string]: unknown;
}

const examples = `
Examples:
  alexnet export runs/photos --output photos.pth          for torch.load
  alexnet export runs/photos --output photos.safetensors  for any framework
  alexnet export runs/quick --names layers --output quick.pth
  alexnet export runs/photos --pixels --output photos.onnx  for ONNX Runtime
  alexnet export runs/photos --int8 --output small.onnx   a quarter of the size
`;

const switches = formatsThat("write").flatMap((format) => format.flags ?? []);

export function addExport(program: Command): void {
  const writable = formatsThat("write");
  const command = program
    .command("export")
    .description("write a trained network for other programs")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .requiredOption("--output <file>", "the file to write; one that is there is not replaced")
    .addOption(
      new Option(
        "--format <name>",
        `default: by the file's ending. ${writable.map(({ name, description }) => `${name}: ${description}`).join("; ")}`,
      ).choices(writable.map(({ name }) => name)),
    )
    .addOption(
      new Option(
        "--names <kind>",
        `how tensors are named. ${tensorNamings.map(({ name, description }) => `${name} (${description})`).join("; ")}`,
      ).choices(tensorNamings.map(({ name }) => name)),
    )
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(exportCommand);
  addInt8Options(command);
  for (const { name, description } of switches) command.option(`--${name}`, description);
}

async function exportCommand(run: string, given: ExportFlags, command: Command): Promise<void> {
  const { format, output, names, json } = given;
  const { exportModel } = await import("../exchange/exportModel.ts");
  const flags = switches.filter(({ name }) => given[camelCase(name)] === true).map(({ name }) => name);
  const progress = int8Progress();
  const int8 = int8Options(given, command, progress);
  await stoppable(
    () => tell("\nStopping."),
    async (signal) => {
      const exported = await exportModel(run, output, {
        flags: new Set(flags),
        signal,
        ...(format === undefined ? {} : { format }),
        ...(names === undefined ? {} : { names }),
        ...(int8 && { int8 }),
      }).finally(progress.clear);
      if (json) return printJson(exported);
      const { source, network, tensors, bytes } = exported;
      print(`${source}: ${network}\n${output}: ${exported.format}, ${tensors} tensors, ${formatBytes(bytes)}`);
      if (exported.int8) print(formatInt8(exported.int8, bytes));
    },
  );
}

function camelCase(name: string): string {
  return name.replace(/-./g, (part) => part.slice(1).toUpperCase());
}
