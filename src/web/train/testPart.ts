/** Results on the test set: confusion matrix, images of a cell, wrong predictions. */
import { fill, h } from "../dom.ts";
import { number, percent, t } from "../language.ts";
import { paintImage } from "../paint.ts";
import type { Connection } from "../worker/calls.ts";
import type { TestedImage, TestResult, TrainerApi } from "../worker/trainerApi.ts";

/** Images shown at a time. */
const SHOWN = 24;

/** A result, with what belongs to it. */
export interface ShownTest {
  readonly test: TestResult;
  readonly classNames: readonly string[];
}

/** The part of the view. */
export interface TestPart {
  readonly element: HTMLElement;
  show(shown: ShownTest | undefined): void;
}

/** If the worker has ended, the view says so. */
const ignored = () => {};

/** Creates the part. */
export function createTestPart(worker: Connection<TrainerApi>): TestPart {
  const element = h("div", { class: "columns" });
  const matrix = h("section");
  const wrong = h("section");
  const cell = h("div");
  let chosen: readonly [label: number, predicted: number] | undefined;
  /** The newest result: images of earlier ones arrive late. */
  let latest: ShownTest | undefined;

  async function showCell(shown: ShownTest): Promise<void> {
    if (!chosen) return;
    const { test, classNames } = shown;
    const [label, predicted] = chosen;
    const own = test.images.filter((image) => image.label === label && image.predicted === predicted);
    const [labelName = "", predictedName = ""] = [classNames[label], classNames[predicted]];
    const heading = h("h3", {}, t("cellImages", { label: labelName, predicted: predictedName }));
    const images = await gallery(own.slice(0, SHOWN), classNames);
    if (shown === latest) fill(cell, heading, images);
  }

  async function gallery(images: readonly TestedImage[], classNames: readonly string[]): Promise<HTMLElement> {
    if (images.length === 0) return h("p", {}, t("noImages"));
    const pixels = await worker.call(
      "testImages",
      images.map(({ index }) => index),
    );
    const items = images.map(({ label, predicted, probability }, i) => {
      const caption = t("wrongCaption", {
        label: classNames[label] ?? "",
        predicted: classNames[predicted] ?? "",
        percent: percent(probability, 0),
      });
      const image = pixels[i];
      return h("figure", {}, image && paintImage(image), h("figcaption", {}, caption));
    });
    return h("div", { class: "gallery" }, ...items);
  }

  function show(shown: ShownTest | undefined): void {
    latest = shown;
    if (!shown) {
      chosen = undefined;
      fill(element);
      fill(cell);
      return;
    }
    const { test, classNames } = shown;
    const choose = (label: number, predicted: number) => {
      chosen = [label, predicted];
      void showCell(shown).catch(ignored);
    };
    fill(
      matrix,
      h("h2", {}, t("confusion")),
      h("p", { class: "hint" }, t("confusionLead")),
      renderMatrix(test.confusion, classNames, choose),
      cell,
    );
    void showCell(shown).catch(ignored);
    void showWrong(shown).catch(ignored);
    if (matrix.parentElement !== element) fill(element, matrix, wrong);
  }

  async function showWrong(shown: ShownTest): Promise<void> {
    const { test, classNames } = shown;
    const worst = test.images
      .filter(({ label, predicted }) => label !== predicted)
      .toSorted((a, b) => b.probability - a.probability)
      .slice(0, SHOWN);
    const shownImages = await gallery(worst, classNames);
    if (shown === latest) fill(wrong, h("h2", {}, t("wrong")), shownImages);
  }

  return { element, show };
}

function renderMatrix(
  confusion: TestResult["confusion"],
  classNames: readonly string[],
  choose: (label: number, predicted: number) => void,
): HTMLElement {
  const heads = classNames.map((name) => h("th", { scope: "col" }, h("span", {}, name)));
  const rows = confusion.map((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0) || 1;
    const cells = row.map((count, predicted) =>
      renderCell(count, count / total, [label, predicted], classNames, choose),
    );
    return h("tr", {}, h("th", { scope: "row" }, classNames[label] ?? ""), ...cells);
  });
  const table = h(
    "table",
    { class: "matrix" },
    h("thead", {}, h("tr", {}, h("td"), ...heads)),
    h("tbody", {}, ...rows),
  );
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("confusion") }, table);
}

function renderCell(
  count: number,
  fraction: number,
  [label, predicted]: readonly [number, number],
  classNames: readonly string[],
  choose: (label: number, predicted: number) => void,
): HTMLElement {
  const name = t("confusionCell", { label: classNames[label] ?? "", predicted: classNames[predicted] ?? "", count });
  const button = h(
    "button",
    { type: "button", "aria-label": name, title: name, onclick: () => choose(label, predicted) },
    number(count),
  );
  button.style.setProperty("--amount", String(fraction));
  if (fraction > 0.55) button.classList.add("strong");
  return h("td", {}, button);
}
