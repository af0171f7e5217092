/** The charts of a run beside its curves. */
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import type { ReportChart } from "../pages/htmlParts.ts";
import { drawCalibration } from "./calibrationChart.ts";
import { drawClasses } from "./classChart.ts";
import { drawConfusion } from "./confusionChart.ts";
import { drawPace, type PaceEntry } from "./paceChart.ts";

/** A chart with the name of its files. */
export interface NamedChart extends ReportChart {
  readonly name: string;
}

/** What an evaluation shows. `title`: what was trained on what. */
export async function evaluationCharts(evaluation: Evaluation, title: string): Promise<readonly NamedChart[]> {
  return [
    {
      name: "confusion",
      heading: "Which classes are taken for which",
      description:
        "A row for each class, a column for each class predicted; the stronger a cell's colour, the larger its share of the row.",
      svg: await drawConfusion(evaluation, title),
    },
    {
      name: "classes",
      heading: "Precision and recall",
      description:
        "Of the images that are said to be of a class, how many are; of the images of a class, how many are found.",
      svg: await drawClasses(evaluation, title),
    },
    {
      name: "calibration",
      heading: "How sure it is, and how often right",
      description:
        "On the dashed line the two agree; below it the network is too sure. A point's area is its share of the images.",
      svg: await drawCalibration(evaluation.calibration, title),
    },
  ];
}

/** What the log shows besides the curves. */
export async function logCharts(log: readonly PaceEntry[], title: string): Promise<readonly NamedChart[]> {
  if (log.length === 0) return [];
  const description = "Images per second, and the learning rate.";
  return [{ name: "pace", heading: "Pace", description, svg: await drawPace(log, title) }];
}
