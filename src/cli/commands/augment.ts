/** `alexnet augment`. */
import type { PreviewOptions } from "../../tuning/augmentPreview.ts";
import { jsonOption, positiveInteger } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import { imageProgress, progressLine } from "../progress.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";
import { datasetArgument, settingOptions } from "../trainingOptions.ts";

export const augment: CommandSpec = {
  arguments: [{ ...datasetArgument, name: "<dataset>", help: "data set, or a folder with one subfolder per class" }],
  options: [
    { flags: "--preview <file>", help: "PNG file to write the contact sheet to", default: "augment.png" },
    {
      flags: "--images <n>",
      help: "number of images to show (default: 6 to 10, depending on the number of classes)",
      parse: positiveInteger,
    },
    { flags: "--uses <n>", help: "number of training epochs to show per image", parse: positiveInteger, default: 8 },
    jsonOption,
    ...settingOptions("augment"),
  ],
  examples: [
    ["alexnet augment photos/", "the recipe's augmentation"],
    ["alexnet augment photos/ --preview jitter.png --augment flip,jitter"],
    ["alexnet augment cifar10 --fit native --images 4"],
  ],
  notes: `
The sheet shows each image unchanged, as evaluation sees it, and as training
sees it in several epochs. It is drawn from up to 500 training images; training
on a larger folder draws other random changes of the same kind. Writes only the
sheet, plus decoded images to the cache.`,
  run: previewAugmented,
};

interface AugmentFlags extends Omit<PreviewOptions, "observer" | "signal" | "dataset"> {
  readonly preview: string;
  readonly json?: boolean;
}

async function previewAugmented(dataset: string, { preview, json, ...flags }: AugmentFlags): Promise<void> {
  const { previewAugmentation } = await import("../../tuning/augmentPreview.ts");
  const { writeFileDurably } = await import("../../checkpoint/durable.ts");
  const packing = imageProgress("pack");
  const downloading = progressLine("download");
  const clear = () => {
    packing.clear();
    downloading.clear();
  };
  // Nothing to save, but only a regular exit restores the terminal's cursor.
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
          printError(message);
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
