/** The image with an overlay, and the most probable classes. */
import type { ClassActivation } from "../../explain/classActivation.ts";
import type { Image } from "../../image/image.ts";
import type { RawImage } from "../../image/rawImage.ts";
import { shownClasses } from "../../model/predictRows.ts";
import { field, fill, h, select } from "../dom.ts";
import { number, percent, t } from "../language.ts";
import { paintActivation, paintImage } from "../paint.ts";
import { messageOf } from "../worker/calls.ts";
import type { OpenedModel, SeenSaliency } from "../worker/viewer.ts";
import type { Networks, TryPrediction } from "./networks.ts";

/** Maps that can be shown over the image. */
const overlays = ["none", "saliency", "activation"] as const;
type Overlay = (typeof overlays)[number];

/** The part of the view's state that is shown. */
interface Shown {
  readonly image: RawImage | undefined;
  readonly prediction: TryPrediction | undefined;
  readonly opened: OpenedModel | undefined;
}

/** Image and classes. */
export interface Result {
  render(): HTMLElement | undefined;
  /** Drops maps of the last image. */
  forget(): void;
}

const TOP = 5;

/** Creates the part; `shown` returns the current state. */
export function createResult(networks: Networks, shown: () => Shown): Result {
  let overlay: Overlay = "none";
  let className: string | undefined;
  let request = 0;
  const layer = h("div", { class: "overlay", "aria-hidden": "true" });
  const note = h("p", { class: "hint", role: "status" });

  const forget = () => {
    request++;
    className = undefined;
    overlay = "none";
    fill(layer);
    note.textContent = "";
  };

  async function showOverlay(): Promise<void> {
    const own = ++request;
    fill(layer);
    note.textContent = "";
    const { prediction } = shown();
    const explained = className ?? prediction?.classes[0]?.className;
    if (overlay === "none" || explained === undefined) return;
    try {
      const made = await draw(explained, (text) => {
        if (own === request) note.textContent = text;
      });
      if (own !== request) return;
      fill(layer, made.canvas);
      note.textContent = made.text;
    } catch (error) {
      if (own === request) note.textContent = t("failed", { problem: messageOf(error) });
    }
  }

  async function draw(explained: string, say: (text: string) => void) {
    if (overlay === "activation") return activationOf(await networks.activation(explained));
    const map = await networks.saliency(explained, (fraction) =>
      say(t("saliencyProgress", { percent: percent(fraction, 0) })),
    );
    return saliencyOf(map);
  }

  function choices(classes: TryPrediction["classes"]): HTMLElement {
    const names = { none: "overlayNone", saliency: "overlaySaliency", activation: "overlayActivation" } as const;
    const first = classes[0]?.className ?? "";
    return h(
      "div",
      { class: "row" },
      field(
        t("overlay"),
        select(
          overlays.map((each) => [each, t(names[each])]),
          overlay,
          (chosen) => {
            overlay = chosen;
            void showOverlay();
          },
        ),
      ),
      field(
        t("explainedClass"),
        select(
          classes.map((each) => [each.className, each.className]),
          className ?? first,
          (chosen) => {
            className = chosen;
            void showOverlay();
          },
        ),
      ),
    );
  }

  return {
    forget,
    render() {
      const { image, prediction } = shown();
      if (!image && !prediction) return undefined;
      const frame =
        image && frameOf(prediction?.input ?? { ...image, channels: 3, data: image.data as Uint8Array }, layer);
      const inside = prediction?.layers && choices(prediction.classes);
      return h(
        "div",
        { class: "result" },
        h("div", {}, frame, inside, note),
        prediction && renderClasses(shownClasses(prediction.classes, TOP)),
      );
    },
  };
}

function frameOf(image: Image, layer: HTMLElement): HTMLElement {
  const drawn = paintImage(image);
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", t("yourImage"));
  return h("div", { class: "frame" }, drawn, layer);
}

function activationOf({ layer, width, height, values }: ClassActivation) {
  return { canvas: paintActivation(values, width, height), text: t("activationNote", { layer }) };
}

function saliencyOf({ map, most }: SeenSaliency) {
  return { canvas: paintImage(map), text: t("saliencyNote", { most: number(100 * Math.max(0, most.drop), 1) }) };
}

function renderClasses(classes: TryPrediction["classes"]): HTMLElement {
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, t("className")),
    h("th", { scope: "col", class: "number" }, t("probability")),
    h("td"),
  );
  // A network without thresholds decides nothing.
  const decides = classes.some(({ isPresent }) => isPresent !== undefined);
  const isNone = classes.every(({ isPresent }) => !isPresent);
  const rows = classes.map(({ className, probability, isPresent }) => {
    const bar = h("div", { class: "bar" });
    bar.style.width = `${100 * probability}%`;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, isPresent ? `${className} ✓` : className),
      h("td", { class: "number" }, percent(probability)),
      h("td", { class: "bars" }, bar),
    );
  });
  return h(
    "div",
    { class: "classes" },
    h("table", {}, h("caption", {}, t("classes")), h("thead", {}, head), h("tbody", {}, ...rows)),
    decides && h("p", {}, isNone ? h("strong", {}, t("noneOfThese")) : t("presentNote")),
  );
}
