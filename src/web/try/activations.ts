/** Activations of an image, layer by layer: maps to enlarge, and neurons with their receptive fields. */
import { fill, h } from "../dom.ts";
import { t } from "../language.ts";
import { paintMap, type Range, rangeOf } from "../paint.ts";
import { type Field, fieldOf } from "../receptive.ts";
import type { LayerOutput, OpenedModel } from "../worker/viewer.ts";
import type { TryPrediction } from "./networks.ts";

interface Shown {
  readonly prediction: TryPrediction | undefined;
  readonly opened: OpenedModel | undefined;
}

/** Maps shown at first; the rest on request. */
const FEW_MAPS = 32;
/** Units in a row of a layer without maps. */
const UNITS_ACROSS = 64;

/** Creates the part; `showField` marks a receptive field on the image. */
export function createActivations(shown: () => Shown, showField: (field: Field | undefined) => void) {
  return {
    render(): HTMLElement | undefined {
      const { prediction, opened } = shown();
      if (!prediction?.layers || !opened) return undefined;
      return h(
        "section",
        {},
        h("h2", {}, t("layers")),
        h("p", { class: "hint" }, t("layersLead")),
        ...prediction.layers.map((layer) => renderLayer(layer, opened, showField)),
      );
    },
  };
}

function renderLayer(
  layer: LayerOutput,
  opened: OpenedModel,
  showField: (field: Field | undefined) => void,
): HTMLElement {
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
        onclick: () => enlarge(large, mapOf(layer, index, range), { layer, index, opened, showField }),
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
        more.remove();
        strip.append(...all.slice(FEW_MAPS).map(tile));
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

interface Enlarged {
  readonly layer: LayerOutput;
  readonly index: number;
  readonly opened: OpenedModel;
  readonly showField: (field: Field | undefined) => void;
}

const arrows: Readonly<Record<string, readonly [dy: number, dx: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Shows one map in a larger size, with a cursor on its neurons. */
function enlarge(
  place: HTMLElement,
  map: ReturnType<typeof mapOf>,
  { layer, index, opened, showField }: Enlarged,
): void {
  const canvas = paintMap(map);
  const says = h("p", { class: "hint", role: "status" });
  const cursor = h("div", { class: "cursor", hidden: true });
  const name = t("mapName", { layer: layer.name, number: index + 1 });
  let at: readonly [number, number] = [map.height >> 1, map.width >> 1];
  const show = (y: number, x: number) => {
    at = [Math.max(0, Math.min(map.height - 1, y)), Math.max(0, Math.min(map.width - 1, x))];
    const seen = fieldOf(opened.network, layer.name, at);
    cursor.hidden = false;
    cursor.style.left = `${(100 * at[1]) / map.width}%`;
    cursor.style.top = `${(100 * at[0]) / map.height}%`;
    cursor.style.width = `${100 / map.width}%`;
    cursor.style.height = `${100 / map.height}%`;
    const value = (map.values[at[0] * map.width + at[1]] as number).toPrecision(3);
    const { top, left, bottom, right } = seen;
    says.textContent = t("neuron", { y: at[0] + 1, x: at[1] + 1, value, top: top + 1, bottom, left: left + 1, right });
    showField(seen);
  };
  const point = ({ clientX, clientY }: PointerEvent) => {
    const box = canvas.getBoundingClientRect();
    const part = [(clientY - box.top) / box.height, (clientX - box.left) / box.width] as const;
    show(Math.floor(part[0] * map.height), Math.floor(part[1] * map.width));
  };
  const press = (event: KeyboardEvent) => {
    const step = arrows[event.key];
    if (!step) return;
    event.preventDefault();
    show(at[0] + step[0], at[1] + step[1]);
  };
  const frame = h(
    "div",
    {
      class: "large",
      tabindex: 0,
      role: "group",
      "aria-label": name,
      onpointermove: point,
      onpointerdown: point,
      onkeydown: press,
      onfocus: () => show(...at),
    },
    canvas,
    cursor,
  );
  const close = () => {
    fill(place);
    showField(undefined);
  };
  fill(place, h("h4", {}, name), frame, says, h("button", { type: "button", onclick: close }, t("close")));
  frame.focus();
}
