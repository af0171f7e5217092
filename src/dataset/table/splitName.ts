/** Names of columns, as far as both the rows and the columns of a table need them. */

const splitNames = "split subset set partition part datasplit".split(" ");

/** A name without capitals, spaces and separators: names that differ only in them are the same. */
export function plain(name: string): string {
  return name.toLowerCase().replace(/[\s._-]+/g, "");
}

/** True for the name of a column of splits. */
export function isSplitName(name: string): boolean {
  return splitNames.includes(plain(name));
}
