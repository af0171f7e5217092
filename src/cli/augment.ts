/** `alexnet augment`. */
import type { Command } from "commander";
import type { PreviewOptions } from "../tuning/augmentPreview.ts";
import {
  addInputOptions,
  dataDirOption,
  jsonOption,
  maxBadOption,
  positiveInteger,
  seed,
  validationShareOption,
} from "./options.ts";
import { imageProgress, print, printJson, progressLine, tell } from "./output.ts";
import { onStopSignals } from "./signals.ts";

interface AugmentFlags extends Omit<PreviewOptions, "observer" | "signal" | "dataset"> {
  readonly preview: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet augment photos/                               as the recipe has it
  alexnet augment photos/ --preview jitter.png --augment flip,jitter
  alexnet augment cifar10 --fit native --images 4

The sheet shows pictures as they are, as they are evaluated, and as they are
used in epochs of training. It is made of up to 500 training pictures: of a
folder that has more, training draws other changes of the same kind. Nothing
but the sheet is written, and what is needed of the pictures to the cache.
`;

/** Adds `alexnet augment`. */
export function addAugment(program: Command): void {
  const augment = program
    .command("augment")
    .description("draw a contact sheet of what training makes of pictures")
    .argument("<dataset>", "a data set's name, or a folder with a folder for each class")
    .option("--preview <file>", "where the sheet is written, a PNG", "augment.png")
    .option("--images <n>", "pictures to show (default: 6 to 10, by the number of classes)", positiveInteger)
    .option("--uses <n>", "uses of each in training", positiveInteger, 8)
    .option("--network <name>", "as in train")
    .option("--recipe <name>", "as in train")
    .option("--input-size <n>", "height and width of the network's input, in pixels", positiveInteger)
    .option("--seed <n>", "of every random choice", seed)
    .addOption(validationShareOption())
    .addOption(maxBadOption())
    .addOption(dataDirOption())
    .addOption(jsonOption());
  addInputOptions(augment);
  augment.addHelpText("after", examples).action(augmentCommand);
}

async function augmentCommand(dataset: string, { preview, json, ...flags }: AugmentFlags): Promise<void> {
  const { previewAugmentation } = await import("../tuning/augmentPreview.ts");
  const { writeFileDurably } = await import("../checkpoint/durable.ts");
  const packing = imageProgress("pack");
  const downloading = progressLine("download");
  const clear = () => {
    packing.clear();
    downloading.clear();
  };
  // Nothing is to be saved, but the terminal gets its cursor back at a regular end only.
  const stop = onStopSignals(() => process.exit(stop.exitCode()));
  try {
    const { png, ...made } = await previewAugmentation({
      ...flags,
      dataset,
      observer: {
        onDownload: (bytes, of) => downloading.update(bytes, of, ""),
        onPacking: packing.update,
        onMessage(message) {
          clear();
          tell(message);
        },
      },
    });
    clear();
    await writeFileDurably(preview, png);
    if (json) printJson({ preview, ...made });
    else print(preview);
  } finally {
    clear();
    stop.end();
  }
}
