/** Files of a data set that are named by the user: a table of labels, a list of classes. */
import { existsSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { DataError } from "../../errors.ts";

/** Absolute path of a file in the working directory, or else in the folder of a data set. Throws DataError if there is none; `what` names it. */
export function dataFile(root: string, path: string, what: string): string {
  const found = [resolve(path), resolve(root, path)].find((each) => existsSync(each));
  if (found !== undefined) return found;
  const where = isAbsolute(path) ? "there is no such file" : `found none in the working directory and in ${root}`;
  throw new DataError(`${path}: expected ${what}; ${where}`);
}
