/** Ten views and ensembles: averages of predictions at test time. */
import type { EvaluationSpec, Experiment, Finding } from "./experiment.ts";
import { dotsFigure } from "./figures.ts";
import { smallSchedule } from "./smallSchedule.ts";

const arm = "alexnet-small";
const sizes = [1, 3, 5] as const;

function specOf(networks: (typeof sizes)[number], views: "one view" | "ten views"): EvaluationSpec {
  const title = `${networks} network${networks === 1 ? "" : "s"}, ${views}`;
  return { name: title, title, networks, ...(views === "ten views" ? { tenCrop: true } : {}) };
}

const evaluations = (["one view", "ten views"] as const).flatMap((views) => sizes.map((n) => specOf(n, views)));

function gain(name: string, better: string, worse: string, published: string): Finding {
  return {
    name,
    compare: "difference",
    of: { arm, measure: worse },
    to: { arm, measure: better },
    published,
    above: 0,
  };
}

/** The paper's two averages at test time. */
export const viewsEnsembles: Experiment = {
  name: "views-ensembles",
  title: "Ten views and ensembles",
  source: "Krizhevsky, Sutskever, Hinton 2012, §4.1, §6 and its footnote on single views, table 2",
  claim:
    "The average over ten views of an image, and that over several networks, lower the error; both together lower it most.",
  minutes: 250,
  needs: ["cifar10"],
  base: {
    dataset: "cifar10",
    network: "alexnet-small",
    recipe: "small",
    schedule: smallSchedule,
    fit: "crop",
    inputSize: 28,
    augment: ["flip"],
  },
  arms: [{ name: arm, values: {} }],
  networks: 5,
  evaluations,
  measures: evaluations.map(({ name }) => name),
  figures: [
    dotsFigure({
      name: "views-ensembles",
      title: "Test error of averaged predictions",
      description: "One dot for each seed, each with five networks of its own; a bar at the mean.",
      rows: evaluations.map(({ name }) => ({ label: name, arm, measure: name })),
      measure: "testError",
    }),
  ],
  findings: [
    gain("error of one view − ten views", "1 network, ten views", "1 network, one view", "1.5 points (top-1)"),
    gain("error of one network − three", "3 networks, ten views", "1 network, ten views", "–"),
    gain("error of one network − five", "5 networks, ten views", "1 network, ten views", "2.6 points (top-1)"),
    gain("error of one view, one network − ten views, five", "5 networks, ten views", "1 network, one view", "–"),
  ],
  notes: [
    "The paper's gains are those of ImageNet: 39.0 to 37.5 % with ten views (ILSVRC-2010), 40.7 to 38.1 % with five networks (ILSVRC-2012).",
    "Images of 32 pixels are cropped to 28, so that the five positions of the ten views differ by at most 4 pixels.",
    "Errors are those of the last weights.",
  ],
  quick: { settings: { trainLimit: 1000, testLimit: 200, epochs: 1 } },
};
