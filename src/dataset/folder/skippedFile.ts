/** Entries of an image folder that are not images of a class. */

/** Why an entry is no image of a class. */
export type SkipReason =
  | "hidden"
  | "notPicture"
  | "special"
  | "unreadableEntry"
  | "repeatedFolder"
  | "outsideClass"
  | "pictureNamedFolder"
  | "partNamedClass";

/** An entry that is no image in a class. */
export interface SkippedFile {
  /** Relative to the root, with `/` between folders. */
  readonly path: string;
  readonly reason: SkipReason;
  /** Description in words. */
  readonly detail: string;
}

/** Titles of the reasons, in the plural. */
export const skipTitles: Readonly<Record<SkipReason, string>> = {
  hidden: "hidden or made by the system, passed over",
  notPicture: "files that are no pictures, passed over",
  special: "neither files nor folders, never opened",
  unreadableEntry: "entries that cannot be read",
  repeatedFolder: "links to folders already searched, not followed",
  outsideClass: "entries outside of any class, passed over",
  pictureNamedFolder: "folders with the name of a picture, searched",
  partNamedClass: "folders with the name of a part, taken as classes",
};

const namesInNote = 3;

/** One line for each reason there is: what, how many, the first names. */
export function skippedNotes(entries: readonly SkippedFile[]): readonly string[] {
  return Object.entries(skipTitles).flatMap(([reason, title]) => {
    const paths = entries.filter((entry) => entry.reason === reason).map(({ path }) => path);
    return paths.length === 0 ? [] : `${title}: ${paths.length} (${firstNames(paths)})`;
  });
}

/** The first three names, and `…` where there are more. */
export function firstNames(names: readonly string[]): string {
  return [...names.slice(0, namesInNote), ...(names.length > namesInNote ? ["…"] : [])].join(", ");
}
