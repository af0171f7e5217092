/** Text output of `check`. */

import { formatBytes } from "../../bytes.ts";
import { type Finding, type FindingName, findingKinds } from "../../dataset/folder/findings.ts";
import type { CheckedPart, FolderCheck, ImageSize } from "../../dataset/folder/folderCheck.ts";
import type { PartName } from "../../dataset/folder/partFolders.ts";
import { formatCount } from "../numbers.ts";
import { wrap } from "../text.ts";
import { type BarOptions, type Column, formatBar, formatTable } from "./terminal.ts";

const barCells = 20;
/** Maximum number of findings printed per kind, and of paths per finding; the rest is counted. */
const shownFindings = 5;
const shownPaths = 3;

const partHeadings: Readonly<Record<PartName, string>> = {
  whole: "Images",
  train: "Train",
  validation: "Validation",
  test: "Test",
};

/** Formats counts by class and split, image statistics, findings by kind, and the conclusion for training. */
export function formatCheck(check: FolderCheck, options: BarOptions): string {
  const classNames = classesOf(check.parts);
  const total = `${count(check.pictures, "image")} in ${count(classNames.length, "class", "classes")}`;
  return [
    wrap(`${check.root}: ${total}, ${formatBytes(check.bytes)}`),
    ...(classNames.length > 0 ? [formatClasses(check.parts, classNames, options)] : []),
    ...(check.sizes ? [formatImages(check)] : []),
    ...formatFindings(check.findings),
    formatVerdict(check),
  ].join("\n\n");
}

function count(number: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(number)} ${number === 1 ? singular : plural}`;
}

/** Classes of all splits, those of the first split first. */
function classesOf(parts: readonly CheckedPart[]): readonly string[] {
  return [...new Set(parts.flatMap(({ classes }) => classes.map(({ name }) => name)))];
}

/** One line per class: number of images in each split, and a bar for the first split. */
function formatClasses(parts: readonly CheckedPart[], classNames: readonly string[], options: BarOptions): string {
  const counts = parts.map(({ classes }) => new Map(classes.map(({ name, pictures }) => [name, pictures])));
  const largest = Math.max(1, ...(counts[0]?.values() ?? []));
  const columns: readonly Column[] = [
    { heading: "Class", align: "left", shrinks: true },
    ...parts.map(({ name }): Column => ({ heading: partHeadings[name], align: "right" })),
    { heading: "", align: "left" },
  ];
  const rows = classNames.map((name) => [
    name,
    ...counts.map((part) => formatCount(part.get(name) ?? 0)),
    formatBar((counts[0]?.get(name) ?? 0) / largest, barCells, options),
  ]);
  const totals = counts.map((part) => formatCount([...part.values()].reduce((sum, images) => sum + images, 0)));
  const unlabelled = parts.map((part) => formatCount(part.unlabelled ?? 0));
  const isSets = parts.some((part) => part.unlabelled !== undefined);
  const footer = isSets
    ? [
        ["all labels", ...totals],
        ["images without labels", ...unlabelled],
      ]
    : [["total", ...totals]];
  return formatTable(columns, rows, { footer });
}

function formatImages({ formats, channels, sizes }: FolderCheck): string {
  const columns: readonly Column[] = [
    { heading: "", align: "left" },
    { heading: "", align: "left", shrinks: true },
  ];
  const byFormat = Object.entries(formats).map(([format, images]) => `${formatCount(images)} ${format}`);
  const rows = [
    ["formats", byFormat.join(", ")],
    ["colours", `${formatCount(channels.colour)} in colour, ${formatCount(channels.grey)} grey`],
  ];
  if (sizes) {
    const { smallest, median, largest, shapes } = sizes;
    const range = `smallest ${formatSize(smallest)}, median ${formatSize(median)}, largest ${formatSize(largest)}`;
    rows.push(["sizes", shapes === 1 ? `all ${formatSize(median)}` : `${range}; ${formatCount(shapes)} different`]);
  }
  return formatTable(columns, rows);
}

function formatSize([width, height]: ImageSize): string {
  return `${width}×${height}`;
}

/** One paragraph per kind of finding, in the order of `findingKinds`. */
function formatFindings(findings: readonly Finding[]): readonly string[] {
  const names = Object.keys(findingKinds) as readonly FindingName[];
  return names.flatMap((name) => {
    const ofKind = findings.filter(({ kind }) => kind === name);
    return ofKind.length === 0 ? [] : [formatKind(name, ofKind)];
  });
}

function formatKind(name: FindingName, findings: readonly Finding[]): string {
  const { title, remedy, affectsTraining } = findingKinds[name];
  const others = findings.length - shownFindings;
  return [
    wrap(`${title}: ${formatCount(findings.length)}`, affectsTraining ? "! " : "- "),
    ...findings.slice(0, shownFindings).map((found) => wrap(formatFinding(found), "    ")),
    ...(others > 0 ? [`    and ${count(others, "other")}`] : []),
    ...(remedy === "" ? [] : [wrap(remedy, "  ")]),
  ].join("\n");
}

function formatFinding({ paths, message }: Finding): string {
  if (paths.length === 0) return message;
  const others = paths.length - shownPaths;
  const more = others > 0 ? ` and ${count(others, "other")}` : "";
  return `${paths.slice(0, shownPaths).join(", ")}${more}: ${message}`;
}

function formatVerdict({ findings, affectsTraining }: FolderCheck): string {
  if (!affectsTraining) return "Nothing found that affects training.";
  const harmful = findings.filter((found) => found.affectsTraining).length;
  return `${count(harmful, "finding")} that affect${harmful === 1 ? "s" : ""} training, marked with "!".`;
}
