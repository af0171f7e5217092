/** `alexnet predict` for any number of images: in batches, to a file, as lines of JSON, or as text. */
import { type DurableOutput, openDurableOutput } from "../checkpoint/durableOutput.ts";
import type { ImageJob } from "../dataset/pack/imageJob.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import { printable } from "../escape.ts";
import { filesOf } from "../model/featureWriter.ts";
import type { FilePrediction } from "../model/filePrediction.ts";
import type { OpenOptions } from "../model/openModel.ts";
import { findPictures, predictFiles, writeFeatures } from "../model/predictFiles.ts";
import { shownClasses } from "../model/predictRows.ts";
import { csvLine } from "../report/csv.ts";
import { formatPredictions } from "../report/tables/terminal.ts";
import type { ImportFacts } from "./importOptions.ts";
import type { InferencePrecisionFlags } from "./options.ts";
import { jsonOf, print, printError, printProblem, STANDARD_OUTPUT, standardTable, unicodeOutput } from "./output.ts";
import { imageProgress } from "./progress.ts";
import { stoppable } from "./signals.ts";

/** Flags of `alexnet predict`. */
export interface PredictFlags extends InferencePrecisionFlags, ImportFacts {
  readonly top: number;
  readonly samples: number;
  readonly seed: number;
  readonly threshold?: number;
  readonly batchSize: number;
  readonly csv?: string;
  readonly features?: string;
  readonly output?: string;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

/** Classifies images. Unreadable files are reported and left out; the exit code is then 1. */
export async function predictMany(
  run: string,
  paths: readonly string[],
  flags: PredictFlags,
  opening: Pick<OpenOptions, "precision" | "calibration" | "openSource">,
): Promise<void> {
  const line = imageProgress("predict");
  const say = (message: string) => {
    line.clear();
    printError(message);
  };
  const { engine, threads, batchSize, samples, seed, threshold } = flags;
  const settings = {
    ...opening,
    ...(engine ? { engine } : {}),
    ...(threads === undefined ? {} : { threads }),
    ...(threshold === undefined ? {} : { threshold }),
    ...{ batchSize, samples, seed, onMessage: say, onProgress: line.update },
  };
  const onBad = (file: string, error: string) => {
    line.clear();
    printProblem(`${file}: ${error}`);
    process.exitCode = 1;
  };
  const work = async (signal: AbortSignal) => {
    const options = { ...settings, signal };
    const files = await findPictures(paths, say);
    const { features: layer, output } = flags;
    if (layer !== undefined && output !== undefined) {
      const { written, failed, shape } = await writeFeatures(run, files, { ...options, layer, output, onBad });
      say(`${layer} of ${written} images, [${[written, ...shape].join(", ")}], in ${output}${leftOut(failed)}`);
      printError(`file names are in ${filesOf(output)}`);
    } else {
      await classify(run, files, flags, options, onBad, line.clear);
    }
  };
  await stoppable(() => printError("\nStopping."), work).finally(line.clear);
}

async function classify(
  run: string,
  files: readonly ImageJob[],
  { csv, json, top }: PredictFlags,
  options: Parameters<typeof predictFiles>[2],
  onBad: (file: string, error: string) => void,
  clear: () => void,
): Promise<void> {
  const table = csv === undefined ? undefined : await openTable(csv);
  let [done, failed, columns] = [0, 0, 0];
  try {
    for await (const predictions of predictFiles(run, files, options)) {
      const good = predictions.flatMap((prediction) => ("classes" in prediction ? [prediction] : []));
      for (const prediction of predictions) if ("error" in prediction) onBad(prediction.file, prediction.error);
      if (table && columns === 0 && good[0]) {
        columns = Math.min(top, good[0].classes.length);
        await table.append(csvLine([...headings(columns), ...(decides(good[0]) ? ["present"] : [])]));
      }
      if (good.length > 0) {
        clear();
        await table?.append(good.map((prediction) => rowOf(prediction, top)).join(""));
        for (const { file, classes } of json || !table ? good : []) {
          const prediction = { file, classes: shownClasses(classes, top) };
          print(json ? jsonOf(prediction) : shown(prediction));
        }
      }
      done += good.length;
      failed += predictions.length - good.length;
    }
    if (table && columns === 0) await table.append(csvLine(headings(0)));
    await table?.commit();
  } finally {
    await table?.close();
  }
  clear();
  const where = csv === undefined || csv === STANDARD_OUTPUT ? "" : `, in ${csv}`;
  printError(`${done} images classified${where}${leftOut(failed)}`);
}

async function openTable(csv: string): Promise<Pick<DurableOutput, "append" | "commit" | "close">> {
  return csv === STANDARD_OUTPUT ? standardTable : openDurableOutput(csv);
}

type Classified = Extract<FilePrediction, { readonly classes: unknown }>;

/** True if thresholds decide which classes are present. */
function decides({ classes }: Classified): boolean {
  return classes.some(({ isPresent }) => isPresent !== undefined);
}

function headings(columns: number): readonly string[] {
  const numbers = Array.from({ length: columns }, (_, i) => (i === 0 ? "" : `_${i + 1}`));
  return ["file", ...numbers.flatMap((number) => [`class${number}`, `probability${number}`])];
}

function rowOf(prediction: Classified, top: number): string {
  const { file, classes } = prediction;
  const first = classes.slice(0, top).flatMap(({ className, probability }) => [className, String(probability)]);
  const present = classes.flatMap(({ className, isPresent }) => (isPresent ? [className] : []));
  return csvLine([file, ...first, ...(decides(prediction) ? [present.sort().join("; ")] : [])]);
}

function shown({ file, classes }: Classified): string {
  return `${printable(file)}\n${formatPredictions(classes, { unicode: unicodeOutput() })}\n`;
}

function leftOut(failed: number): string {
  return failed === 0 ? "" : `; ${failed} left out`;
}
