/** Elements of the page. Texts are always text nodes, never markup. */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** Content of an element: text, elements, or nothing. */
export type Child = Node | string | false | undefined;

/** Attributes by name, and listeners as `onclick` and the like. A value of `false` or `undefined` leaves the attribute out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: never) => void)>>;

/** Creates an element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice("on".length), value as EventListener);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...shown(children));
  return element;
}

/** Creates an SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...shown(children));
  return element;
}

/** Elements that Tab reaches. */
const reachable = 'a[href], button:not(:disabled), input:not([hidden]), select, [tabindex="0"]';

/** Replaces the content of an element. The focus stays on the control of the same name, otherwise on the one at the same position. */
export function fill(element: Element, ...children: readonly Child[]): void {
  const focused = document.activeElement as HTMLElement | null;
  const position = focused && element.contains(focused) ? controlsOf(element).indexOf(focused) : -1;
  // A removed control has no labels.
  const name = focused && position >= 0 ? nameOf(focused) : undefined;
  element.replaceChildren(...shown(children));
  if (!focused || name === undefined) return;
  const controls = controlsOf(element);
  const same = focused.isConnected ? focused : controls.find((control) => nameOf(control) === name);
  (same ?? controls[Math.min(position, controls.length - 1)])?.focus({ preventScroll: true });
}

function controlsOf(element: Element): HTMLElement[] {
  return [...element.querySelectorAll<HTMLElement>(reachable)];
}

function nameOf(control: HTMLElement): string {
  const label = (control as Partial<HTMLInputElement>).labels?.[0]?.textContent;
  return `${control.localName}: ${control.getAttribute("aria-label") ?? label ?? control.textContent}`;
}

function shown(children: readonly Child[]): readonly (Node | string)[] {
  return children.filter((child): child is Node | string => child !== undefined && child !== false);
}

let ids = 0;

/** An identifier that no other element has. */
export function newId(): string {
  ids++;
  return `e${ids}`;
}

/** A form field with its label. */
export function field(label: string, control: HTMLElement): HTMLElement {
  control.id ||= newId();
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

/** A choice among values, each with its text. */
export function select<V extends string>(
  options: readonly (readonly [value: V, text: string])[],
  chosen: V,
  onChange: (value: V) => void,
): HTMLSelectElement {
  const element = h(
    "select",
    { onchange: () => onChange(element.value as V) },
    ...options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
  );
  return element;
}

/** A button that chooses files: a label would not be reached by Tab. */
export function fileButton(
  text: string,
  { accept, multiple, folder }: { readonly accept?: string; readonly multiple?: boolean; readonly folder?: boolean },
  onFiles: (files: readonly File[]) => void,
): HTMLElement {
  const input = h("input", {
    type: "file",
    accept,
    multiple: multiple ?? false,
    webkitdirectory: folder ?? false,
    hidden: true,
    "aria-label": text,
    onchange: () => {
      onFiles([...(input.files ?? [])]);
      input.value = "";
    },
  });
  return h("span", {}, h("button", { type: "button", onclick: () => input.click() }, text), input);
}
