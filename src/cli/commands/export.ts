/** `alexnet export`. */

import { formatBytes } from "../../bytes.ts";
import type { EngineName } from "../../engine/select/engineNames.ts";
import type { Exported } from "../../exchange/exportModel.ts";
import type { QuantizeOptions } from "../../exchange/quantizeModel.ts";
import { formatsThat } from "../../formats/formats.ts";
import { tensorNamings } from "../../formats/tensorNaming.ts";
import { formatCount, formatPercent } from "../../report/numbers.ts";
import { type Column, formatTable } from "../../report/tables/terminal.ts";
import { inSection, jsonOption, positiveInteger, runArgument } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import { imageProgress } from "../progress.ts";
import { stoppable } from "../signals.ts";
import type { CommandSpec, Invocation, OptionSpec } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

const writable = formatsThat("write");
const switches = writable.flatMap((format) => format.flags ?? []);

const int8OptionSpecs: readonly OptionSpec[] = inSection({ heading: "Quantization", command: "export" }, [
  { flags: "--int8", help: "onnx: 8-bit weights and activations; reports the change in accuracy" },
  {
    flags: "--calibrate <dataset>",
    help: "data set or image folder for calibration and test (default: the run's)",
  },
  {
    flags: "--calibration-images <n>",
    help: "number of training images to calibrate on (default: 256)",
    parse: positiveInteger,
  },
  {
    flags: "--test-limit <n>",
    help: "number of test images to evaluate on (default: 1000)",
    parse: positiveInteger,
  },
  settingOption("dataDir"),
  settingOption("engine"),
  settingOption("threads"),
]);

export const exportCommand: CommandSpec = {
  arguments: [runArgument],
  options: [
    { flags: "--output <file>", help: "file or folder to write; an existing one is not replaced", required: true },
    {
      flags: "--format <name>",
      help: `file format (default: by the file's extension). ${writable.map(({ name, description }) => `${name}: ${description}`).join("; ")}`,
      choices: writable.map(({ name }) => name),
    },
    {
      flags: "--names <kind>",
      help: `naming of tensors. ${tensorNamings.map(({ name, description }) => `${name} (${description})`).join("; ")}`,
      choices: tensorNamings.map(({ name }) => name),
    },
    ...switches.map(({ name, description }) => ({ flags: `--${name}`, help: description })),
    jsonOption,
    ...int8OptionSpecs,
  ],
  examples: [
    ["alexnet export runs/photos --output photos.pth", "for torch.load"],
    ["alexnet export runs/photos --output photos.safetensors", "for any framework"],
    ["alexnet export runs/quick --names layers --output quick.pth"],
    ["alexnet export runs/photos --pixels --output photos.onnx", "for ONNX Runtime"],
    ["alexnet export runs/photos --format huggingface --output photos", "a folder"],
    ["alexnet export runs/photos --int8 --output small.onnx", "a quarter of the size"],
  ],
  run: exportRun,
};

interface Int8Flags {
  readonly int8?: boolean;
  readonly calibrate?: string;
  readonly calibrationImages?: number;
  readonly testLimit?: number;
  readonly dataDir?: string;
  readonly engine?: EngineName;
  readonly threads?: number;
}

interface ExportFlags extends Int8Flags {
  readonly format?: string;
  readonly output: string;
  readonly names?: string;
  readonly json?: boolean;
  /** Switches of the formats, in camel case. */
  readonly [flag: string]: unknown;
}

async function exportRun(run: string, given: ExportFlags, invocation: Invocation): Promise<void> {
  const { format, output, names, json } = given;
  const { exportModel } = await import("../../exchange/exportModel.ts");
  const flags = switches.filter(({ name }) => given[camelCase(name)] === true).map(({ name }) => name);
  const progress = int8Progress();
  const int8 = int8Options(given, invocation, progress);
  await stoppable(
    () => printError("\nStopping."),
    async (signal) => {
      const exported = await exportModel(run, output, {
        flags: new Set(flags),
        signal,
        ...(format === undefined ? {} : { format }),
        ...(names === undefined ? {} : { names }),
        ...(int8 && { int8 }),
      }).finally(progress.clear);
      if (json) return printJson(exported);
      const { source, network, head, tensors, bytes } = exported;
      print(
        `${source}: ${network}${head === "softmax" ? "" : `, head ${head}`}\n${output}: ${exported.format}, ${tensors} tensors, ${formatBytes(bytes)}`,
      );
      if (exported.int8) print(formatInt8(exported.int8, bytes));
    },
  );
}

function camelCase(name: string): string {
  return name.replace(/-./g, (part) => part.slice(1).toUpperCase());
}

type Progress = ReturnType<typeof int8Progress>;

/** Options of quantization; undefined without `--int8`, which they require. */
function int8Options(flags: Int8Flags, invocation: Invocation, progress: Progress): QuantizeOptions | undefined {
  const { int8, calibrate: dataset, calibrationImages, testLimit, dataDir, engine, threads } = flags;
  const options = {
    ...(dataset === undefined ? {} : { dataset }),
    ...(calibrationImages === undefined ? {} : { calibrationImages }),
    ...(testLimit === undefined ? {} : { testLimit }),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(engine === undefined ? {} : { engine }),
    ...(threads === undefined ? {} : { threads }),
  };
  if (int8) return { ...options, ...progress };
  if (Object.keys(options).length > 0) {
    invocation.fail(
      "--calibrate, --calibration-images, --test-limit, --data-dir, --engine and --threads require --int8",
    );
  }
  return undefined;
}

function int8Progress() {
  const bars = { pack: imageProgress("pack"), calibrate: imageProgress("calibrate"), test: imageProgress("test") };
  const clear = () => {
    for (const bar of Object.values(bars)) bar.clear();
  };
  return {
    clear,
    onPacking: bars.pack.update,
    onProgress(what: "calibrate" | "test", images: number, of: number) {
      bars.pack.clear();
      bars[what].update(images, of);
      if (images === of) bars[what].clear();
    },
    onMessage(message: string) {
      clear();
      printError(message);
    },
  };
}

/** Size and accuracy of both networks, and the images used. */
function formatInt8({ calibration, test, f32Bytes }: NonNullable<Exported["int8"]>, bytes: number): string {
  const { images, f32, int8, sameClass } = test;
  // With five classes or fewer, top-5 accuracy is always 1.
  const showsTopK = f32.topK.k === 5 && f32.topK.accuracy < 1;
  const columns: readonly Column[] = [
    { heading: "", align: "left" },
    { heading: "Size", align: "right" },
    { heading: "Top-1", align: "right" },
    ...(showsTopK ? [{ heading: "Top-5", align: "right" } as const] : []),
  ];
  const row = (name: string, size: number, { top1Accuracy, topK }: typeof f32) => [
    name,
    formatBytes(size),
    formatPercent(top1Accuracy),
    ...(showsTopK ? [formatPercent(topK.accuracy)] : []),
  ];
  const table = formatTable(columns, [row("f32", f32Bytes, f32), row("int8", bytes, int8)]);
  return [
    "",
    table,
    "",
    `Calibrated on ${formatCount(calibration.images)} images of ${calibration.dataset}; measured on ${formatCount(images)} test images,`,
    `${formatCount(sameClass)} of which get the same class from both.`,
  ].join("\n");
}
