/** Ingredients of the modern recipes, each added or removed in turn: on CIFAR-10, and on Fashion-MNIST with a narrow network. */
import { alexnetFast, fastLayers, smallLayersWithBatchNorm } from "../network/alexnetOwt.ts";
import type { Network } from "../network/network.ts";
import { findRecipe, type Recipe } from "../training/recipe.ts";
import type { Arm, Experiment, Finding } from "./experiment.ts";
import { dotsFigure, rowsOf } from "./figures.ts";

/** Settings of an arm. */
interface Ingredients {
  readonly recipe: Recipe;
  readonly network: Network;
  /** Factor of the network's channels and hidden units. */
  readonly width: number;
}

/** A change of the recipe by one ingredient. */
interface Change {
  /** `without …` removes an ingredient of the recipe, `with …` adds one; another name replaces one. */
  readonly arm: string;
  readonly published: string;
  readonly change: (given: Ingredients) => Pick<Ingredients, "recipe"> | Pick<Ingredients, "network">;
}

function recipeChange(arm: string, published: string, change: (recipe: Recipe) => Partial<Recipe>): Change {
  return { arm, published, change: ({ recipe }) => ({ recipe: { ...recipe, ...change(recipe) } }) };
}

function augmentationChange(
  arm: string,
  published: string,
  change: (given: Recipe["augmentation"]) => Recipe["augmentation"],
): Change {
  return recipeChange(arm, published, ({ augmentation }) => ({ augmentation: change(augmentation) }));
}

function layersChange(
  arm: string,
  published: string,
  change: (layers: Network["layers"], width: number) => Network["layers"],
): Change {
  return {
    arm,
    published,
    change: ({ network, width }) => ({ network: { ...network, layers: change(network.layers, width) } }),
  };
}

const changes: readonly Change[] = [
  recipeChange(
    "without whitening",
    "less than half the speed (Jordan 2024, §3.2)",
    ({ initializer: { layers, ...rest } }) => ({ initializer: rest }),
  ),
  layersChange("layers of alexnet-small-bn", "–", (_, width) => smallLayersWithBatchNorm(width, false)),
  layersChange("without batch normalization", "faster, and more accurate (Ioffe and Szegedy 2015)", (layers) =>
    layers.filter(({ name }) => !name.startsWith("norm")),
  ),
  layersChange("with dropout", "needed less with batch normalization (Ioffe and Szegedy 2015, §3.4)", (_, width) =>
    fastLayers(width, true),
  ),
  augmentationChange(
    "without reflections",
    "less overfitting (Krizhevsky et al. 2012, §4.1)",
    ({ flip, ...rest }) => rest,
  ),
  augmentationChange("without crops", "less overfitting (He et al. 2015, §4.2)", ({ reflectCrop, ...rest }) => rest),
  augmentationChange(
    "crops filled with the mean colour",
    "as He et al. 2015, §4.2",
    ({ reflectCrop = 0, ...rest }) => ({
      ...rest,
      shift: reflectCrop,
    }),
  ),
  augmentationChange("with erasing", "−0.2 to −0.8 points (Zhong et al. 2017)", (given) => ({ ...given, erase: 0.25 })),
  recipeChange("cosine", "better than steps (Loshchilov and Hutter 2017)", () => ({
    schedule: { kind: "cosine", floor: 0 },
    warmup: 1,
  })),
  recipeChange("linear", "open question", () => ({ schedule: { kind: "linear", floor: 0 }, warmup: 1 })),
  recipeChange("without Nesterov", "faster convergence (Sutskever et al. 2013)", ({ optimizer }) => ({
    optimizer: { ...optimizer, form: "pytorch" } as Recipe["optimizer"],
  })),
  recipeChange("with averaged weights", "lower variance (Polyak and Juditsky 1992)", () => ({ average: 0.999 })),
  recipeChange("without label smoothing", "+0.2 points on ImageNet (Szegedy et al. 2016, §7)", () => ({
    labelSmoothing: 0,
  })),
  recipeChange("with mixup", "−1 point on CIFAR-10 (Zhang et al. 2018)", () => ({ mixup: 0.2 })),
  recipeChange("with CutMix", "−1 to −2 points on CIFAR (Yun et al. 2019)", () => ({ cutmix: 1 })),
  recipeChange("half the learning rate", "open question", ({ learningRate }) => ({ learningRate: learningRate / 2 })),
  recipeChange("twice the learning rate", "open question", ({ learningRate }) => ({ learningRate: 2 * learningRate })),
];

const whole = "the recipe";
const reflections = "reflections";

const findings: readonly Finding[] = [
  ...changes.map(
    ({ arm, published }): Finding => ({
      name: `test error ${arm} − that of the recipe`,
      compare: "difference",
      of: { arm, measure: "testError" },
      to: { arm: whole, measure: "testError" },
      published,
      above: 0,
    }),
  ),
  {
    name: "test error of one view − with reflections at evaluation",
    compare: "difference",
    of: { arm: whole, measure: "testError" },
    to: { arm: whole, measure: reflections },
    published: "less than ten crops (Krizhevsky et al. 2012, §4.1)",
    above: 0,
  },
];

/** Members that follow from the recipe and its network. */
function partsOf(
  given: Ingredients,
  name: string,
): Pick<Experiment, "arms" | "figures" | "findings" | "evaluations" | "measures"> {
  const { recipe, network } = given;
  const arms: readonly Arm[] = [
    { name: whole, values: { recipe, network } },
    ...changes.map(({ arm, change }) => ({ name: arm, values: { recipe, network, ...change(given) } })),
  ];
  return {
    arms,
    findings,
    evaluations: [{ name: reflections, title: "test error with reflections", networks: 1, flip: true }],
    measures: ["testError", reflections, "runningError", "time"],
    figures: [
      dotsFigure({
        name,
        title: "Test error, one ingredient changed at a time",
        description: "One dot for each seed, a bar at the mean.",
        rows: rowsOf(arms, "testError"),
        measure: "testError",
      }),
    ],
  };
}

const claim = "Every ingredient of the recipe lowers the test error, and the ingredients left out of it do not.";
const source = "the sources of the ingredients, docs/training.md";
const notes = [
  "Errors are those of the last epoch. Averaged weights are evaluated in their place; the evaluation with reflections uses the weights themselves.",
  "A difference smaller than its deviation over the seeds decides nothing.",
  "The layers of alexnet-small-bn have no dropout here, as those of the recipe.",
];

/** The table of ingredients on CIFAR-10. */
export const modernSmall: Experiment = {
  name: "modern-small",
  title: "Ingredients of the recipe modern-small on CIFAR-10",
  source,
  claim,
  minutes: 350,
  needs: ["cifar10"],
  base: { dataset: "cifar10", epochs: 6 },
  ...partsOf({ recipe: findRecipe("modern-small"), network: alexnetFast, width: 1 }, "modern-small"),
  notes: [...notes, "Shortened: 6 epochs, where the recipe has 11. Regularization gains more in longer runs."],
  quick: { settings: { trainLimit: 500, testLimit: 200, epochs: 1 } },
};

/** The table of ingredients on Fashion-MNIST. */
export const modernFashion: Experiment = {
  name: "modern-fashion",
  title: "Ingredients of the recipe modern-fashion on Fashion-MNIST",
  source,
  claim,
  minutes: 60,
  needs: ["fashion-mnist"],
  base: { dataset: "fashion-mnist", trainLimit: 10_000, epochs: 6 },
  ...partsOf(
    {
      recipe: findRecipe("modern-fashion"),
      network: {
        ...alexnetFast,
        name: "alexnet-fast-narrow",
        input: [1, 28, 28],
        layers: fastLayers(1 / 4),
      },
      width: 1 / 4,
    },
    "modern-fashion",
  ),
  notes: [
    ...notes,
    "Shortened: a quarter of the channels and hidden units, 10,000 training images, 6 epochs. Regularization gains more in longer runs of the whole network.",
  ],
  quick: { settings: { trainLimit: 500, testLimit: 200, epochs: 1 } },
};
