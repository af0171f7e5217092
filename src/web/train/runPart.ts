/** A run: its controls, figures and curves. */
import type { Image } from "../../image/image.ts";
import { drawLines } from "../chart.ts";
import { engineText } from "../computation.ts";
import { fill, h } from "../dom.ts";
import { number, percent, t } from "../language.ts";
import { renderTiles } from "../try/filters.ts";
import type { IterationPoint, RunFacts, TestResult } from "../worker/trainerApi.ts";

/** Reactions to the controls. */
export interface RunActions {
  start(): void;
  step(): void;
  pause(): void;
}

/** Figures of an evaluation. */
type Figures = Pick<TestResult, "iteration" | "accuracy" | "loss">;

/** State of a run as the page shows it. */
export interface ShownRun {
  readonly facts: RunFacts;
  readonly points: IterationPoint[];
  readonly tests: Figures[];
  /** The newest evaluation, with its images. */
  test: TestResult | undefined;
  isRunning: boolean;
  isDone: boolean;
  state: () => string;
}

/** The part of the view. */
export interface RunPart {
  readonly element: HTMLElement;
  /** Renders a run; nothing without one. */
  render(run: ShownRun | undefined): void;
  /** Updates figures and curves. */
  update(run: ShownRun): void;
  /** Updates the buttons and the text of the state. */
  showState(run: ShownRun): void;
  /** Updates the text of the state alone. */
  showText(run: ShownRun): void;
  showFilters(filters: readonly Image[]): void;
}

/** The state of a run that was created or opened. */
export function showRun(facts: RunFacts): ShownRun {
  const { progress, recipe, test } = facts;
  const isDone = progress.epoch >= recipe.epochs;
  const state = () => t(progress.iteration > 0 ? "statePaused" : "stateIdle");
  return { facts, points: pointsOf(facts), tests: testsOf(facts), test, isRunning: false, isDone, state };
}

/** Creates the part. */
export function createRunPart(actions: RunActions): RunPart {
  const element = h("section");
  const state = h("span", { role: "status" });
  const buttons = h("div", { class: "row" });
  const figures = h("dl", { class: "figures" });
  const curves = h("div", { class: "columns curves" });
  const filters = h("div");

  function showText(run: ShownRun): void {
    state.textContent = run.state();
  }

  function showState(run: ShownRun): void {
    showText(run);
    fill(
      buttons,
      run.isRunning
        ? h("button", { type: "button", class: "primary", onclick: actions.pause }, t("pause"))
        : h("button", { type: "button", class: "primary", disabled: run.isDone, onclick: actions.start }, t("start")),
      h("button", { type: "button", disabled: run.isRunning || run.isDone, onclick: actions.step }, t("step")),
      state,
    );
  }

  function update(run: ShownRun): void {
    fill(figures, ...figuresOf(run).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    fill(curves, ...chartsOf(run));
  }

  return {
    element,
    showState,
    showText,
    update,
    showFilters(images) {
      fill(filters, renderTiles(images));
    },
    render(run) {
      if (!run) return fill(element);
      const { facts } = run;
      const { network, parameters, trainImages: train, testImages: test, engine } = facts;
      fill(
        element,
        h("h2", {}, network),
        h("p", { class: "hint" }, t("runFacts", { network, parameters, train, test, engine: engineText(engine) })),
        buttons,
        figures,
        curves,
        h("h2", {}, t("filters")),
        filters,
      );
      showState(run);
      update(run);
    },
  };
}

function figuresOf({ points, tests, facts }: ShownRun): readonly (readonly [name: string, value: string])[] {
  const last = points.at(-1);
  const { iteration, epoch } = last ?? facts.progress;
  const recent = points.slice(-20);
  const mean = (key: "loss" | "accuracy") => recent.reduce((sum, point) => sum + point[key], 0) / recent.length;
  const test = tests.at(-1);
  return [
    [t("figureIteration"), number(iteration)],
    [t("figureEpoch"), `${number(epoch, 2)} / ${number(facts.recipe.epochs)}`],
    [t("figureLoss"), last ? number(mean("loss"), 3) : "–"],
    [t("figureAccuracy"), last ? percent(mean("accuracy")) : "–"],
    [t("figureTest"), test ? percent(test.accuracy) : "–"],
    [t("figureSpeed"), last ? number(last.examplesPerSecond, 1) : "–"],
  ];
}

/** Loss and accuracy over the iterations. Training's points are means of batches. */
function chartsOf({ points, tests }: ShownRun): readonly HTMLElement[] {
  const chart = (title: string, key: "loss" | "accuracy") => {
    const lines = [
      { name: t("curveTrain"), style: "train", points: points.map((point) => [point.iteration, point[key]] as const) },
      {
        name: t("curveTest"),
        style: "test",
        marked: true,
        points: tests.map((test) => [test.iteration, test[key]] as const),
      },
    ] as const;
    const isPercent = key === "accuracy";
    const legend = lines.map(({ name, style }) => h("span", { class: `key ${style}` }, name));
    const drawn = drawLines({ title, lines, ...(isPercent ? { top: 1, isPercent } : {}) });
    return h("figure", {}, h("figcaption", {}, title, " ", ...legend), drawn);
  };
  return [chart(t("lossCurve"), "loss"), chart(t("accuracyCurve"), "accuracy")];
}

/** Points of a log: the means of its lines. */
function pointsOf({ log }: RunFacts): ShownRun["points"] {
  return log.map(({ iteration, epoch, seconds, trainLoss, trainAccuracy, examplesPerSecond }) => {
    return { iteration, epoch, seconds, loss: trainLoss, accuracy: trainAccuracy, examplesPerSecond };
  });
}

/** Evaluations of a log. */
function testsOf({ log }: RunFacts): ShownRun["tests"] {
  return log.flatMap(({ iteration, testAccuracy, testLoss }) =>
    testAccuracy === undefined ? [] : [{ iteration, accuracy: testAccuracy, loss: testLoss ?? Number.NaN }],
  );
}
