/** Paired test of runs by the predictions that their reports evaluated. */
import { basename } from "node:path";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { openTable } from "../dataset/table/tableFile.ts";
import { AlexNetError } from "../errors.ts";
import { predictionHeadings } from "../report/csv.ts";
import type { PairedRuns, UnpairedRuns } from "../report/tables/comparedSections.ts";
import { mcnemar } from "../training/evaluation/pairedTest.ts";
import { predictionsFile } from "./runReport.ts";
import type { StoredRun } from "./runState.ts";

/** Images of a run, each as its position, file name and class, and true for the recognized ones. */
interface Predictions {
  readonly images: readonly string[];
  readonly isCorrect: readonly boolean[];
}

/** Tests each further run against the first. A run without readable predictions, or of other images, has the reason instead. */
export async function pairRuns(
  runs: readonly StoredRun[],
  letters: readonly string[],
): Promise<readonly (PairedRuns | UnpairedRuns)[]> {
  const read = await Promise.all(runs.map(readPredictions));
  const [first] = read;
  return read.slice(1).map((second, i): PairedRuns | UnpairedRuns => {
    const names = { first: letters[0] as string, second: letters[i + 1] as string };
    const problem = [first, second].find((one) => typeof one === "string");
    if (typeof problem === "string") return { ...names, problem };
    return { ...names, ...paired(first as Predictions, second as Predictions, names) };
  });
}

function paired(
  first: Predictions,
  second: Predictions,
  names: { readonly first: string; readonly second: string },
): Omit<PairedRuns, "first" | "second"> | Pick<UnpairedRuns, "problem"> {
  const { length } = first.images;
  if (length !== second.images.length || first.images.some((image, i) => image !== second.images[i])) {
    return { problem: `${names.first} and ${names.second}: no paired test: they were evaluated on different images` };
  }
  let [onlyFirst, onlySecond] = [0, 0];
  for (let i = 0; i < length; i++) {
    if (first.isCorrect[i] && !second.isCorrect[i]) onlyFirst++;
    if (second.isCorrect[i] && !first.isCorrect[i]) onlySecond++;
  }
  return { images: length, onlyFirst, onlySecond, pValue: mcnemar(onlyFirst, onlySecond) };
}

/** Reads a run's predictions.csv, or says why not. */
async function readPredictions({ directory, config }: StoredRun): Promise<Predictions | string> {
  const file = predictionsFile(directory);
  if (!(await fileExists(file))) {
    const { watched } = config.dataset;
    return `${directory}: no paired test without its predictions; write them with: alexnet evaluate ${directory} --split ${watched} --csv ${file}`;
  }
  try {
    const table = await openTable(file);
    const columns = predictionHeadings.map((heading) => table.columns.indexOf(heading));
    if (columns.includes(-1)) return `${file}: no paired test: expected the columns ${predictionHeadings.join(", ")}`;
    const images: string[] = [];
    const isCorrect: boolean[] = [];
    for await (const { cells } of table.rows()) {
      const [index, path = "", label, predicted] = columns.map((column) => cells[column]);
      images.push(JSON.stringify([index, basename(path), label]));
      isCorrect.push(label === predicted);
    }
    return { images, isCorrect };
  } catch (error) {
    if (!(error instanceof AlexNetError)) throw error;
    return `no paired test: ${error.message}`;
  }
}
