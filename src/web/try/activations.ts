/** Activations of an image, layer by layer: maps to enlarge, and neurons with their receptive fields. */
import type { Image } from "../../image/image.ts";
import { fill, h } from "../dom.ts";
import { t } from "../language.ts";
import { paintMap, type Range, rangeOf } from "../paint.ts";
import type { LayerOutput, OpenedModel } from "../worker/viewer.ts";
import { enlarge } from "./enlarged.ts";
import type { TryPrediction } from "./networks.ts";

interface Shown {
  readonly prediction: TryPrediction | undefined;
  readonly opened: OpenedModel | undefined;
}

/** Maps shown at first; the rest on request. */
const FEW_MAPS = 32;
/** Units in a row of a layer without maps. */
const UNITS_ACROSS = 64;

/** Creates the part. */
export function createActivations(shown: () => Shown) {
  return {
    render(): HTMLElement | undefined {
      const { prediction, opened } = shown();
      if (!prediction?.layers || !opened) return undefined;
      return h(
        "section",
        {},
        h("h2", {}, t("layers")),
        h("p", { class: "hint" }, t("layersLead")),
        ...prediction.layers.map((layer) => renderLayer(layer, opened, prediction.input)),
      );
    },
  };
}

function renderLayer(layer: LayerOutput, opened: OpenedModel, input: Image | undefined): HTMLElement {
  const { name, shape, values } = layer;
  const range = rangeOf(values);
  const [count = 0, height, width] = shape;
  if (height === undefined || width === undefined) return renderUnits(name, values, range);
  const large = h("div");
  const strip = h("div", { class: "tiles maps" });
  const tile = (index: number) =>
    h(
      "button",
      {
        type: "button",
        "aria-label": t("mapName", { layer: name, number: index + 1 }),
        onclick: () => enlarge(large, mapOf(layer, index, range), { layer, index, network: opened.network, input }),
      },
      paintMap(mapOf(layer, index, range)),
    );
  const all = Array.from({ length: count }, (_, i) => i);
  fill(strip, ...all.slice(0, FEW_MAPS).map(tile));
  const more = h(
    "button",
    {
      type: "button",
      class: "more",
      onclick: () => {
        const rest = all.slice(FEW_MAPS).map(tile);
        more.remove();
        strip.append(...rest);
        rest[0]?.focus();
      },
    },
    t("moreMaps", { count }),
  );
  return h(
    "div",
    { class: "layer" },
    h("h3", {}, t("mapsOf", { layer: name, count, height, width })),
    strip,
    count > FEW_MAPS && more,
    large,
  );
}

function renderUnits(name: string, values: Float32Array, range: Range): HTMLElement {
  const width = Math.min(UNITS_ACROSS, values.length);
  const height = Math.ceil(values.length / width);
  const padded = new Float32Array(width * height);
  padded.set(values);
  const canvas = paintMap({ values: padded, width, height, range });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", t("unitsOf", { layer: name, count: values.length }));
  canvas.style.aspectRatio = `${width} / ${height}`;
  return h("div", { class: "layer units" }, h("h3", {}, t("unitsOf", { layer: name, count: values.length })), canvas);
}

function mapOf({ shape, values }: LayerOutput, index: number, range: Range) {
  const [, height = 1, width = 1] = shape;
  return { values: values.subarray(index * height * width, (index + 1) * height * width), width, height, range };
}
