/** A data set object as the source of a run. */
import { ConfigError } from "../errors.ts";
import { type Dataset, type DatasetSource, limitSplit } from "./dataset.ts";
import { checkedDataset } from "./ownDataset.ts";
import { refuseLayout } from "./refuseLayout.ts";

/** Start of the name that a run stores for a data set object, which no folder and no named data set has. */
const prefix = "memory:";

/** The source that hands out a data set object, within the limits; its labels and images are checked when they are read. */
export function memorySource(dataset: Dataset): DatasetSource {
  const name = `${prefix}${dataset.name}`;
  return {
    name,
    description: "a data set of the calling program",
    channels: dataset.channels,
    async load({ trainLimit, testLimit, ...others }) {
      refuseLayout(dataset.name, others);
      const { train, validation, test, ...checked } = checkedDataset(dataset);
      const fewerTest = limitSplit(test, testLimit, "test");
      // One set that serves as both stays one object, by which it is known.
      const fewerValidation =
        validation === test ? fewerTest : validation && limitSplit(validation, testLimit, "validation");
      return {
        ...checked,
        name,
        source: name,
        train: limitSplit(train, trainLimit),
        validation: fewerValidation,
        test: fewerTest,
      };
    },
    locate: async () => undefined,
  };
}

/** True for the name that a run stores for a data set object. */
export function isMemoryName(name: string): boolean {
  return name.startsWith(prefix);
}

/** Throws ConfigError for the stored name of a data set object: only the program that has the object can hand it over. */
export function refuseMemory(name: string): void {
  if (!isMemoryName(name)) return;
  throw new ConfigError(
    `${name}: a data set in the memory of the program that started the run; pass the Dataset object as dataset, or name another data set`,
  );
}
