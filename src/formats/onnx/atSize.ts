/** Reading at a given input size, where an error for a size that is too small names the smallest. */
import { AlexNetError, UnsupportedError } from "../../errors.ts";
import { smallestThat } from "../../smallest.ts";
import { FileWindowError } from "../fileConvolution.ts";
import type { ImportedModel } from "../importedModel.ts";

/** Largest input size that is tried in the search for the smallest. */
const MAX_SIZE = 2048;

/** Reads with an input size. An error for a size that is too small names the smallest. */
export function atSize(
  inputSize: number | undefined,
  read: (size: number | undefined) => ImportedModel,
): ImportedModel {
  try {
    return read(inputSize);
  } catch (error) {
    if (!(error instanceof FileWindowError) || inputSize === undefined) throw error;
    const side = smallestThat((size) => fitsWindows(() => read(size)), inputSize, MAX_SIZE);
    throw side === undefined
      ? error
      : new UnsupportedError(`${error.message}; use an input size of at least ${side}×${side}`);
  }
}

/** False if a window exceeds its input. Other errors do not depend on it. */
function fitsWindows(read: () => ImportedModel): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof AlexNetError) return !(error instanceof FileWindowError);
    throw error;
  }
}
