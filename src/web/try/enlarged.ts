/** One feature map in a larger size, with a cursor on its neurons and their receptive fields on the image. */
import type { Image } from "../../image/image.ts";
import type { Network } from "../../network/network.ts";
import { fill, h } from "../dom.ts";
import { t } from "../language.ts";
import { type PaintedMap, paintImage, paintMap } from "../paint.ts";
import { type Field, fieldOf } from "../receptive.ts";
import type { LayerOutput } from "../worker/viewer.ts";

/** The map's layer, and the image that it was computed from. */
export interface MapOrigin {
  readonly layer: LayerOutput;
  readonly index: number;
  readonly network: Network;
  readonly input: Image | undefined;
}

const arrows: Readonly<Record<string, readonly [dy: number, dx: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Shows a map in an element, beside the image. */
export function enlarge(place: HTMLElement, map: PaintedMap, { layer, index, network, input }: MapOrigin): void {
  const says = h("p", { class: "hint", role: "status" });
  const [cursor, mark] = [h("div", { class: "mark", hidden: true }), h("div", { class: "mark", hidden: true })];
  const name = t("mapName", { layer: layer.name, number: index + 1 });
  let at: readonly [number, number] = [map.height >> 1, map.width >> 1];
  const show = (y: number, x: number) => {
    at = [Math.max(0, Math.min(map.height - 1, y)), Math.max(0, Math.min(map.width - 1, x))];
    const seen = fieldOf(network, layer.name, at);
    markPart(cursor, { top: at[0], left: at[1], bottom: at[0] + 1, right: at[1] + 1 }, map);
    if (input) markPart(mark, seen, input);
    const value = (map.values[at[0] * map.width + at[1]] as number).toPrecision(3);
    const { top, left, bottom, right } = seen;
    says.textContent = t("neuron", { y: at[0] + 1, x: at[1] + 1, value, top: top + 1, bottom, left: left + 1, right });
  };
  const frame = pointable(name, map, show, () => at);
  frame.append(cursor);
  const image = input && h("div", { class: "frame" }, paintImage(input), mark);
  const opener = document.activeElement as HTMLElement | null;
  const hide = () => {
    fill(place);
    opener?.focus();
  };
  const close = h("button", { type: "button", onclick: hide }, t("close"));
  fill(place, h("h4", {}, name), h("div", { class: "enlarged" }, frame, image), says, close);
  frame.focus();
}

/** A map whose neurons are chosen by pointer and arrow keys. */
function pointable(
  name: string,
  map: PaintedMap,
  show: (y: number, x: number) => void,
  at: () => readonly [number, number],
): HTMLElement {
  const canvas = paintMap(map);
  const point = ({ clientX, clientY }: PointerEvent) => {
    const { top, left, height, width } = canvas.getBoundingClientRect();
    show(Math.floor(((clientY - top) / height) * map.height), Math.floor(((clientX - left) / width) * map.width));
  };
  const press = (event: KeyboardEvent) => {
    const step = arrows[event.key];
    if (!step) return;
    event.preventDefault();
    show(at()[0] + step[0], at()[1] + step[1]);
  };
  const listeners = { onpointermove: point, onpointerdown: point, onkeydown: press, onfocus: () => show(...at()) };
  return h("div", { class: "large", tabindex: 0, role: "group", "aria-label": name, ...listeners }, canvas);
}

/** Places a mark over a part of an image, by percentages. */
function markPart(mark: HTMLElement, part: Field, { width, height }: Pick<Image, "width" | "height">): void {
  mark.hidden = false;
  mark.style.left = `${(100 * part.left) / width}%`;
  mark.style.top = `${(100 * part.top) / height}%`;
  mark.style.width = `${(100 * (part.right - part.left)) / width}%`;
  mark.style.height = `${(100 * (part.bottom - part.top)) / height}%`;
}
