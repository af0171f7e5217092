/** List of the experiments. */
import { UsageError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { ablations, ablationsFashion } from "./ablations.ts";
import { dataSize } from "./dataSize.ts";
import type { Experiment } from "./experiment.ts";
import { fit } from "./fit.ts";
import { flowers } from "./flowers.ts";
import { input224 } from "./input224.ts";
import { largeBatch } from "./largeBatch.ts";
import { lrnCifar10 } from "./lrnCifar10.ts";
import { modernFashion, modernSmall } from "./modernRecipes.ts";
import { reluTanh } from "./reluTanh.ts";
import { rgbSamples } from "./rgbSamples.ts";
import { viewsEnsembles } from "./viewsEnsembles.ts";

/** All experiments, in the order of the list. */
export const experiments: readonly Experiment[] = [
  reluTanh,
  lrnCifar10,
  ablations,
  ablationsFashion,
  input224,
  viewsEnsembles,
  rgbSamples,
  dataSize,
  fit,
  flowers,
  modernSmall,
  modernFashion,
  largeBatch,
];

/** Finds an experiment by name. Throws UsageError listing the names if it is unknown. */
export function findExperiment(name: string): Experiment {
  const found = experiments.find((experiment) => experiment.name === name);
  if (found) return found;
  const names = experiments.map((experiment) => experiment.name);
  throw new UsageError(`experiment "${name}": unknown${didYouMean(name, names)}; expected one of ${names.join(", ")}`);
}
