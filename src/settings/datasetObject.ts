/** Data set objects in place of the setting `dataset`. */
import type { Dataset, DatasetSource } from "../dataset/dataset.ts";
import { memorySource } from "../dataset/memorySource.ts";

/** Settings whose data set may be an object. */
interface Given {
  readonly dataset?: string | Dataset;
}

/** Settings with the name of the data set, and its source if it was an object. */
export function nameDataset<S extends Given>(
  given: S,
): {
  readonly settings: Omit<S, "dataset"> & { readonly dataset?: string };
  readonly source: DatasetSource | undefined;
} {
  const { dataset, ...others } = given;
  if (dataset === undefined || typeof dataset === "string") {
    return { settings: dataset === undefined ? others : { ...others, dataset }, source: undefined };
  }
  const source = memorySource(dataset);
  return { settings: { ...others, dataset: source.name }, source };
}
