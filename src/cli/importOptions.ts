/** Options that state what another program's file does not. */
import { ConfigError } from "../errors.ts";
import type { ForeignFacts } from "../exchange/foreignModels.ts";
import { weightsChoices } from "../formats/format.ts";
import { fitNames } from "../image/prepare/fit.ts";
import { filters } from "../image/resize/taps.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { networks } from "../network/alexnet.ts";
import { headNames } from "../network/head.ts";
import { inferencePrecisionOptions, inSection, jsonOption, positiveInteger, runArgument } from "./options.ts";
import type { ArgumentSpec, OptionSection, OptionSpec } from "./spec.ts";
import { settingOption } from "./trainingOptions.ts";

/** Help of an argument that is a run, or a file or folder of another program. */
export const modelHelp =
  "run directory (its best weights), .safetensors file, file or folder of another program (see import), or torchvision";

/** A run, or a file or folder of another program. */
export const modelArgument: ArgumentSpec = { ...runArgument, help: modelHelp };

/** Flags of `importOptions`. */
export type ImportFacts = Omit<ForeignFacts, "network"> & { readonly network?: string };

const section: OptionSection = { heading: "Import", command: "import" };

/** Options of `import`, and of commands that open a file without an import. */
export const importOptions: readonly OptionSpec[] = inSection(section, [
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
    help: "training weights or their moving average, if a PyTorch checkpoint has both (default: the usual name's)",
    choices: weightsChoices,
  },
  { flags: "--like <run>", help: "use the network, class names and preprocessing of this run" },
  { flags: "--classes <file>", help: "class names, one per line, in the order of the outputs" },
  { flags: "--fit <name>", help: "fit of images to the input", choices: fitNames },
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
]);

/** Flags of `importOptions`, complete by its type. */
const factKeys: Readonly<Record<keyof ImportFacts, true>> = {
  network: true,
  inputSize: true,
  head: true,
  weights: true,
  like: true,
  classes: true,
  fit: true,
  filter: true,
  mean: true,
  deviation: true,
};

/** Options of commands that predict with a trained network, or a file of another program. */
export const inferenceOptions: readonly OptionSpec[] = [
  ...inferencePrecisionOptions,
  settingOption("engine"),
  settingOption("threads"),
  jsonOption,
  ...importOptions,
];

/** The facts among a command's flags. */
export function foreignFacts(flags: ImportFacts): ForeignFacts {
  const given = Object.entries(flags).filter(([key, value]) => Object.hasOwn(factKeys, key) && value !== undefined);
  return Object.fromEntries(given) as ForeignFacts;
}

/** A command's flags without those of `importOptions`. */
export function withoutFacts<Flags extends ImportFacts>(flags: Flags): Omit<Flags, keyof ImportFacts> {
  const others = Object.entries(flags).filter(([key]) => !Object.hasOwn(factKeys, key));
  return Object.fromEntries(others) as Omit<Flags, keyof ImportFacts>;
}

/** Option of an opener of networks: files of other programs, with the facts among the flags. */
export async function foreignOpening(
  flags: ImportFacts,
  say: (message: string) => void,
): Promise<Required<Pick<OpenOptions, "openSource">>> {
  const { foreignModels } = await import("../exchange/foreignModels.ts");
  return { openSource: foreignModels(foreignFacts(flags), say) };
}

function numbers(text: string): readonly number[] {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new ConfigError(`expected comma-separated numbers, got "${text}"`);
}
