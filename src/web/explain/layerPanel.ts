/** One layer explained: its formulas filled in, and its options to change. */
import { formatBytes } from "../../bytes.ts";
import { hasWeights } from "../../learned.ts";
import type { PlacedLayer } from "../../network/network.ts";
import type { LayerSummary } from "../../network/summary.ts";
import { field, h } from "../dom.ts";
import { kernelText, labelText, number, t } from "../language.ts";
import { describeLayer } from "../receptive.ts";
import { numberOptions } from "./editedNetwork.ts";
import { exchangedValues } from "./exchange.ts";

/** A layer to explain. */
export interface ExplainedLayer {
  readonly summary: LayerSummary;
  readonly placed: PlacedLayer;
  readonly isFirst: boolean;
  /** Called when the reader changes an option. */
  onChange(option: string, value: number): void;
}

/** Renders the formulas and the options of a layer. */
export function renderLayerPanel({ summary, placed, isFirst, onChange }: ExplainedLayer): HTMLElement {
  return h(
    "section",
    { class: "panel", "aria-label": summary.name },
    h("h2", {}, titleOf(summary)),
    renderOptions(placed, onChange),
    h(
      "dl",
      { class: "formulas" },
      ...sizeFormulas(summary, placed),
      ...neurons(summary),
      ...parameters(summary),
      h("dt", {}, t("fieldOf", fieldSize(summary))),
      ...exchange(placed, isFirst),
    ),
  );
}

function titleOf({ name, label, kernel }: LayerSummary): string {
  const values = { name, label: labelText(label), kernel: kernelText(kernel) };
  return t(kernel ? "layerTitleKernel" : "layerTitle", values);
}

function renderOptions({ layer }: PlacedLayer, onChange: ExplainedLayer["onChange"]): HTMLElement | undefined {
  const options = numberOptions(layer);
  if (options.length === 0) return undefined;
  const controls = options.map(({ name, value }) => {
    const input = h("input", {
      type: "number",
      step: "any",
      min: 0,
      value,
      onchange: () => onChange(name, Number(input.value)),
    });
    return field(name, input);
  });
  return h(
    "fieldset",
    {},
    h("legend", {}, t("options", { layer: layer.name })),
    h("div", { class: "row" }, ...controls),
  );
}

function formula(text: string, ...filled: readonly string[]): readonly HTMLElement[] {
  return [h("dt", {}, text), ...filled.map((each) => h("dd", {}, each))];
}

function sizeFormulas({ sizeFormulas: filled, kernel }: LayerSummary, placed: PlacedLayer): readonly HTMLElement[] {
  if (filled.length === 0) return kernel ? [] : [h("dt", {}, t("sizeUnchanged"))];
  const rest = unreadRows(placed);
  return [
    ...formula(t("sizeFormula"), ...filled),
    ...(rest > 0 ? [h("dd", { class: "problem" }, t("notWhole", { rest }))] : []),
  ];
}

/** Rows of the padded input after the last window. */
function unreadRows({ layer, inputShape, outputShape }: PlacedLayer): number {
  const { stride, padding } = describeLayer(layer, inputShape);
  const size = numberOptions(layer).find(({ name }) => name === "kernelSize")?.value;
  const [, height] = inputShape;
  const [, outputs] = outputShape;
  if (stride === undefined || padding === undefined || size === undefined) return 0;
  if (height === undefined || outputs === undefined) return 0;
  return Math.max(0, height + 2 * padding - ((outputs - 1) * stride + size));
}

function neurons({ neurons: count, outputShape }: LayerSummary): readonly HTMLElement[] {
  if (count === 0) return [];
  const [maps = 0, ...extents] = outputShape;
  if (extents.length === 0) return formula(t("linearNeurons"), number(count));
  return formula(
    t("neuronFormula"),
    `${[...extents, maps].map((each) => number(each)).join(" × ")} = ${number(count)}`,
  );
}

function parameters({ parameters: count, parameterFormula, macs, outputShape }: LayerSummary): readonly HTMLElement[] {
  if (count === 0) return [h("dt", {}, t("noParameters"))];
  const isConvolution = outputShape.length > 1;
  const places = outputShape.slice(1).reduce((product, extent) => product * extent, 1);
  const weights = macs / places;
  return [
    ...formula(
      t(isConvolution ? "parameterFormula" : "linearParameters"),
      `${spaced(parameterFormula)} = ${number(count)}`,
    ),
    ...formula(t("macFormula"), `${number(weights)} × ${number(places)} = ${number(macs)}`),
  ];
}

function spaced(text: string): string {
  return text.replaceAll("×", " × ");
}

function fieldSize({ receptiveField: { size } }: LayerSummary) {
  return { height: size[0], width: size[1] };
}

function exchange(placed: PlacedLayer, isFirst: boolean): readonly HTMLElement[] {
  if (!hasWeights(placed)) return [];
  const values = exchangedValues(placed, isFirst);
  if (values === 0) return [h("dt", {}, t("noExchange"))];
  return [h("dt", {}, t("exchange", { values, bytes: formatBytes(4 * values) }))];
}
