/** Refusal of tables and lists of classes for data sets that have labels of their own. */
import { UsageError } from "../errors.ts";
import type { LayoutOptions } from "./dataset.ts";

const flags: { readonly [K in keyof Required<LayoutOptions>]: string } = {
  labels: "--labels",
  imageColumn: "--image-column",
  labelColumn: "--label-column",
  splitColumn: "--split-column",
  labelSeparator: "--label-separator",
  labelColumns: "--label-columns",
  groupColumn: "--group-column",
  folds: "--folds",
  fold: "--fold",
  classes: "--classes",
  classOrder: "--class-order",
};

/** Throws UsageError for options of image folders. */
export function refuseLayout(name: string, options: LayoutOptions): void {
  const given = Object.entries(flags).find(([key]) => options[key as keyof LayoutOptions] !== undefined);
  if (given) throw new UsageError(`${name}: ${given[1]} applies to folders and archives of images; remove it`);
}
