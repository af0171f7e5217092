/** The view "Explain": a network drawn, its sizes and counts, and its options to change. */

import { hasWeights } from "../../learned.ts";
import { findNetwork, networks } from "../../network/alexnet.ts";
import type { Network } from "../../network/network.ts";
import type { LayerSummary } from "../../network/summary.ts";
import { drawNetworkWithin } from "../../report/figures/drawing.ts";
import { inPage } from "../../report/theme.ts";
import { formatShape } from "../../shape.ts";
import { field, fill, h, select } from "../dom.ts";
import { labelText, number, t } from "../language.ts";
import type { View } from "../view.ts";
import { type Edited, edit, withOption } from "./editedNetwork.ts";
import { exchangedValues } from "./exchange.ts";
import { renderLayerPanel } from "./layerPanel.ts";

/** Width of the drawing; narrower pages scroll it. */
const ROOM = 1100;

/** Creates the view. */
export function createExplainView(): View {
  let edited: Edited = edit(findNetwork("alexnet"));
  let chosen: string | undefined = "conv1";
  const element = h("div");
  const parts = {
    drawing: h("div", { class: "drawing" }),
    totals: h("p"),
    problem: h("p", { class: "problem", role: "status" }),
    table: h("div"),
    panel: h("div"),
  };
  const size = h("input", { type: "number", min: 1, max: 4096, onchange: () => resize(Number(size.value)) });

  function change(network: Network): void {
    edited = edit(network);
    update();
  }

  function resize(side: number): void {
    const { network } = edited;
    change({ ...network, input: [network.input[0], side, side] });
  }

  function choose(name: string): void {
    chosen = name;
    update();
  }

  function update(): void {
    const { network, summary, placed, problem } = edited;
    size.value = String(network.input[1]);
    parts.problem.textContent = problem === undefined ? "" : t("doesNotFit", { problem });
    parts.totals.textContent = summary ? t("totals", summary.totals) : "";
    fill(parts.drawing, problem === undefined && drawingOf(network));
    fill(parts.table, summary && renderTable(edited, chosen, choose));
    const index = summary?.layers.findIndex(({ name }) => name === chosen) ?? -1;
    const [own, place] = [summary?.layers[index], placed[index]];
    const layer = own && place && { summary: own, placed: place, isFirst: isFirst(edited, index) };
    fill(
      parts.panel,
      layer
        ? renderLayerPanel({
            ...layer,
            onChange: (option, value) => change(withOption(edited.network, own.name, option, value)),
          })
        : h("p", { class: "hint" }, t("chooseLayer")),
    );
  }

  function render(): void {
    const names = networks.map(({ name }) => [name, name] as const);
    fill(
      element,
      h("h1", {}, t("explainView")),
      h(
        "div",
        { class: "row" },
        field(
          t("network"),
          select(names, edited.network.name, (name) => change(findNetwork(name))),
        ),
        field(t("inputSize"), size),
        ...[224, 227].map((side) => h("button", { type: "button", onclick: () => resize(side) }, String(side))),
        h("button", { type: "button", onclick: () => change(findNetwork(edited.network.name)) }, t("reset")),
      ),
      parts.totals,
      parts.problem,
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": t("drawing", { name: edited.network.name }) },
        parts.drawing,
      ),
      h("div", { class: "columns explained" }, parts.table, parts.panel),
    );
    update();
  }

  return { element, render, takeFiles() {} };
}

function isFirst({ placed }: Edited, index: number): boolean {
  return placed.slice(0, index).every((layer) => !hasWeights(layer));
}

function drawingOf(network: Network): Node {
  const text = inPage(drawNetworkWithin(network, "light", ROOM));
  return document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
}

function renderTable(edited: Edited, chosen: string | undefined, choose: (name: string) => void): HTMLElement {
  const { summary, placed } = edited;
  const heads = [t("layer"), t("kind"), t("output"), t("neurons"), t("parameters"), t("macs"), t("exchangeShort")];
  const row = (layer: LayerSummary, i: number) => {
    const { name, label, outputShape, neurons, parameters, macs } = layer;
    const isPressed = name === chosen;
    const button = h(
      "button",
      { type: "button", "aria-pressed": String(isPressed), onclick: () => choose(name) },
      name,
    );
    const place = placed[i];
    const exchanged = place ? exchangedValues(place, isFirst(edited, i)) : 0;
    const counts = [neurons, parameters, macs, exchanged];
    return h(
      "tr",
      { class: isPressed ? "chosen" : "" },
      h("th", { scope: "row" }, button),
      h("td", {}, labelText(label)),
      h("td", { class: "number" }, formatShape(outputShape)),
      ...counts.map((count) => h("td", { class: "number" }, count > 0 ? number(count) : "–")),
    );
  };
  const head = h("tr", {}, ...heads.map((text, i) => h("th", { scope: "col", class: i > 1 ? "number" : "" }, text)));
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": t("layer") },
    h("table", { class: "layers" }, h("thead", {}, head), h("tbody", {}, ...(summary?.layers ?? []).map(row))),
  );
}
