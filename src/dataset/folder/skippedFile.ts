/** Entries of an image folder that are not images of a class, and rows of a table that label none. */

/** Reason for skipping an entry. */
export type SkipReason =
  | "hidden"
  | "notPicture"
  | "special"
  | "unreadableEntry"
  | "repeatedFolder"
  | "outsideClass"
  | "pictureNamedFolder"
  | "partNamedClass"
  | "badCell"
  | "unknownSplit"
  | "contradictingRow"
  | "rowWithoutImage"
  | "rowOutsideParts"
  | "repeatedRow"
  | "imageWithoutRow"
  | "changedLabel"
  | "sameNumber";

/** A skipped entry of a folder, or a row of a table with a problem. */
export interface SkippedFile {
  /** Relative to the root, with `/` between folders; of a row, the table with row and column. */
  readonly path: string;
  readonly reason: SkipReason;
  /** Description for people. */
  readonly detail: string;
}

/** Titles of the reasons, in the plural. */
export const skipTitles: Readonly<Record<SkipReason, string>> = {
  hidden: "hidden or system entries, ignored",
  notPicture: "files that are not images, ignored",
  special: "pipes, sockets and devices, never opened",
  unreadableEntry: "unreadable entries",
  repeatedFolder: "links to folders already searched, not followed",
  outsideClass: "entries outside the class folders, ignored",
  pictureNamedFolder: "folders named like an image, searched",
  partNamedClass: "folders named like a part, used as classes",
  badCell: "cells without a usable value",
  unknownSplit: "unknown splits",
  contradictingRow: "rows that contradict an earlier row of the same image",
  rowWithoutImage: "rows without an image, left out",
  rowOutsideParts: "rows of images outside the folders for training and testing, left out",
  repeatedRow: "rows that repeat an earlier row, left out",
  imageWithoutRow: "images without a row, left out",
  changedLabel: "labels that other programs may change",
  sameNumber: "different labels that are equal as numbers",
};

const namesInNote = 3;

/** One line per reason: title, count, first names. */
export function skippedNotes(entries: readonly SkippedFile[]): readonly string[] {
  return Object.entries(skipTitles).flatMap(([reason, title]) => {
    const paths = entries.filter((entry) => entry.reason === reason).map(({ path }) => path);
    return paths.length === 0 ? [] : `${title}: ${paths.length} (${firstNames(paths)})`;
  });
}

/** The first three names, then `…` if there are more. */
export function firstNames(names: readonly string[]): string {
  return [...names.slice(0, namesInNote), ...(names.length > namesInNote ? ["…"] : [])].join(", ");
}
