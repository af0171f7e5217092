/** An experiment with the settings, arms and search values of a call. */
import { isDeepStrictEqual } from "node:util";
import { UsageError } from "../errors.ts";
import type { Measured, Values } from "./armResults.ts";
import type { Experiment } from "./experiment.ts";

/** An experiment of a call. */
export interface ScaledExperiment extends Experiment {
  /** Settings of every run, which override those of the arms. */
  readonly overrides: Values;
  /** True if its runs compute something else than those of the full experiment, so that they say nothing about the claim. */
  readonly isChanged: boolean;
}

/** Changes of an experiment. */
export interface Changes {
  /** Smaller settings, for a first look: at most a minute. */
  readonly quick?: boolean;
  /**
   * Settings of every run by the keys of a sweep, which override those of the experiment: other images, fewer epochs. A value of the key that the
   * experiment searches ends its search; a seed is refused.
   */
  readonly settings?: Values;
  /** Values of the search, such as learning rates. Default: the experiment's. */
  readonly search?: readonly number[];
  /** Names of the arms to train. Default: all. */
  readonly arms?: readonly string[];
}

/** Settings that change where or how fast a run computes, not what. */
const equalResults: readonly string[] = ["dataDir", "engine", "threads", "precision", "exact"];

/** The experiment with the changes. Throws UsageError for an unknown arm, a seed, or values of a search that the experiment lacks. */
export function scaled(experiment: Experiment, { quick, settings, arms: named, search }: Changes): ScaledExperiment {
  const scale = quick ? experiment.quick : undefined;
  const names = named ?? scale?.arms ?? experiment.arms.map(({ name }) => name);
  const overrides = given({ ...scale?.settings, ...settings });
  requireKnown(experiment, names, overrides, search);
  const { search: whole, ...others } = experiment;
  const values = search ?? scale?.search ?? whole?.values;
  const isTrained = (measured: Measured | undefined) => measured === undefined || names.includes(measured.arm);
  return {
    ...others,
    arms: experiment.arms.filter(({ name }) => names.includes(name)),
    findings: experiment.findings.filter(({ of, to }) => isTrained(of) && isTrained(to)),
    // A value that overrides those of the search leaves one trial of each arm.
    ...(whole && values && overrides[whole.key] === undefined ? { search: { ...whole, values } } : {}),
    overrides,
    isChanged:
      quick === true ||
      Object.keys(overrides).some((key) => !equalResults.includes(key)) ||
      !isDeepStrictEqual(values, whole?.values),
  };
}

function requireKnown(
  { name, arms, search }: Experiment,
  names: readonly string[],
  overrides: Values,
  values: readonly number[] | undefined,
): void {
  const unknown = names.find((each) => !arms.some((arm) => arm.name === each));
  if (unknown !== undefined) {
    const known = arms.map((arm) => arm.name).join(", ");
    throw new UsageError(`reproduce ${name}: unknown arm "${unknown}"; expected one of ${known}`);
  }
  if (overrides["seed"] !== undefined) {
    throw new UsageError(
      `reproduce ${name}: the setting seed, because seeds are 0, 1, 2 …; state their number instead`,
    );
  }
  if (values && !search) throw new UsageError(`reproduce ${name}: searches no setting; omit the values of its search`);
  if (values && search && overrides[search.key] !== undefined) {
    throw new UsageError(`reproduce ${name}: values of the search and a setting ${search.key}; omit one of the two`);
  }
}

/** Settings without those that are undefined. */
function given(settings: Values): Values {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
