/** The filters of a network's first layer. */
import type { Image } from "../../image/image.ts";
import { h } from "../dom.ts";
import { t } from "../language.ts";
import { paintImage } from "../paint.ts";

/** Renders filters with a heading; nothing if there are none. */
export function renderFilters(filters: readonly Image[]): HTMLElement | undefined {
  if (filters.length === 0) return undefined;
  return h("section", {}, h("h2", {}, t("filters")), h("p", { class: "hint" }, t("filtersLead")), renderTiles(filters));
}

/** Renders images as small tiles. */
export function renderTiles(images: readonly Image[]): HTMLElement {
  const tiles = images.map((image) => paintImage(image));
  return h("div", { class: "tiles", role: "img", "aria-label": t("filters") }, ...tiles);
}
