import { ConfigError } from "../errors.ts";
import { cifar10 } from "./cifar10.ts";
import type { NamedDataset } from "./dataset.ts";
import { fashionMnist } from "./fashionMnist.ts";

/** Every data set that is known by its name. */
export const datasets: readonly NamedDataset[] = [fashionMnist, cifar10];

/** Throws ConfigError listing the names if there is no such data set. */
export function findDataset(name: string): NamedDataset {
  const found = datasets.find((dataset) => dataset.name === name);
  if (found) return found;
  const names = datasets.map((dataset) => dataset.name).join(", ");
  throw new ConfigError(`${name}: no data set of this name; the data sets are ${names}`);
}
