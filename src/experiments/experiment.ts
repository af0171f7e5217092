/** Experiments as data: the runs to train, their measures and figures, and the claim that they test. */
import type { datasetNames } from "../dataset/sources/datasetNames.ts";
import type { SweepPlan } from "../tuning/sweepPlan.ts";
import type { Measured, Values } from "./armResults.ts";
import type { Figure } from "./figures.ts";
import type { MeasureName } from "./measures.ts";

/** One configuration that is compared with others. */
export interface Arm {
  readonly name: string;
  readonly values: Values;
  /** Series and position of the arm in figures with a numeric axis. */
  readonly series?: string;
  readonly at?: number;
}

/** A setting whose best value is found for each arm, with the first seed. */
export interface Search {
  readonly key: string;
  readonly values: readonly number[];
  /** Measures to choose by, the lowest first; later ones break ties. */
  readonly by: readonly MeasureName[];
}

/** An evaluation of trained networks, whose measure is the error on its images; one called `testError` replaces that of the log. The last weights are used: none are selected on test images. */
export interface EvaluationSpec {
  readonly name: string;
  readonly title: string;
  /** Number of networks whose probabilities are averaged. */
  readonly networks: number;
  readonly tenCrop?: true;
  readonly flip?: true;
  /** Number of stochastic predictions per image that are averaged, for a network whose dropout is active at evaluation. Default 1. */
  readonly samples?: number;
  /** Default: the test images. */
  readonly split?: "train";
  /** Number of images. Default: that of the runs. Of training images at most those of a run. */
  readonly limit?: number;
}

/** A measured value, or a comparison of two within each seed. */
export interface Finding {
  /** Subject, such as `test error without dropout`. */
  readonly name: string;
  readonly compare: "value" | "difference" | "ratio";
  readonly of: Measured;
  /** Second value of a comparison. */
  readonly to?: Measured;
  /** Published value, as text. */
  readonly published: string;
  /** Bounds within which the claim holds; excluded themselves. */
  readonly above?: number;
  readonly below?: number;
}

/** Smaller settings for a first look. */
export interface Scale {
  readonly settings: Values;
  /** Values of the search. */
  readonly search?: readonly number[];
  /** Arms that are left. */
  readonly arms?: readonly string[];
}

/** An experiment. */
export interface Experiment {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly claim: string;
  /** Estimated minutes of the default seeds on two cores with bf16 instructions. */
  readonly minutes: number;
  /** Named data sets. */
  readonly needs: readonly (typeof datasetNames)[number][];
  /** Settings of all arms. */
  readonly base: SweepPlan["base"];
  readonly arms: readonly Arm[];
  readonly search?: Search;
  /** Number of networks per arm and seed, each with its own random seed. */
  readonly networks?: number;
  readonly evaluations?: readonly EvaluationSpec[];
  /** Columns of the table of arms. */
  readonly measures: readonly (MeasureName | (string & {}))[];
  readonly figures: readonly Figure[];
  readonly findings: readonly Finding[];
  /** Differences from the source, and limits. */
  readonly notes: readonly string[];
  readonly quick: Scale;
  /** Writes made images to a folder, which becomes the data set. */
  readonly makeImages?: (folder: string, scale: "full" | "quick") => Promise<void>;
}

/** Seeds of a full experiment. */
export const DEFAULT_SEEDS = 3;
