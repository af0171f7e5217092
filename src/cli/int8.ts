/** `export --int8`: its options, its progress, and what it says. */
import type { Command } from "commander";
import type { EngineName } from "../engine/select/engineNames.ts";
import type { Exported } from "../exchange/exportModel.ts";
import type { QuantizeOptions } from "../exchange/quantizeModel.ts";
import { formatBytes, formatCount, formatPercent } from "../report/numbers.ts";
import { type Column, formatTable } from "../report/tables/terminal.ts";
import { dataDirOption, engineOption, positiveInteger, threadsOption } from "./options.ts";
import { imageProgress, tell } from "./output.ts";

export interface Int8Flags {
  readonly int8?: boolean;
  readonly calibrate?: string;
  readonly calibrationImages?: number;
  readonly testLimit?: number;
  readonly dataDir?: string;
  readonly engine?: EngineName;
  readonly threads?: number;
}

export function addInt8Options(command: Command): void {
  command
    .option("--int8", "onnx: weights and activations of 8 bits; says what they cost in accuracy")
    .option(
      "--calibrate <dataset>",
      "int8: data set, or folder of pictures, to calibrate and measure on (default: the run's)",
    )
    .option("--calibration-images <n>", "int8: so many training pictures (default: 256)", positiveInteger)
    .option("--test-limit <n>", "int8: measure on so many test pictures (default: 1000)", positiveInteger)
    .addOption(dataDirOption())
    .addOption(engineOption())
    .addOption(threadsOption());
}

type Progress = ReturnType<typeof int8Progress>;

/** Undefined without `--int8`: then its other options are wrong usage. */
export function int8Options(flags: Int8Flags, command: Command, progress: Progress): QuantizeOptions | undefined {
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
    command.error(
      "error: --calibrate, --calibration-images, --test-limit, --data-dir, --engine and --threads are of --int8: give that too",
    );
  }
  return undefined;
}

export function int8Progress() {
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
      tell(message);
    },
  };
}

/** Size and accuracy of both, and on what they were found. */
export function formatInt8({ calibration, test, f32Bytes }: NonNullable<Exported["int8"]>, bytes: number): string {
  const { images, f32, int8, sameClass } = test;
  // Among five classes or fewer, all are among the first five.
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
    `Calibrated on ${formatCount(calibration.images)} pictures of ${calibration.dataset}; measured on ${formatCount(images)} test pictures,`,
    `of which both give ${formatCount(sameClass)} the same class.`,
  ].join("\n");
}
