/**
 * Script of all pages: values of charts under the pointer and by keyboard, and tables that sort. Pages are complete without it: browsers show
 * the titles in charts by themselves, and tables have their rows in order.
 */
import { createHash } from "node:crypto";
import { html, type Markup, trusted } from "../markup.ts";

/**
 * Charts: marks with a title show it at once, next to the pointer or after an arrow key in a chart that has the focus. `saysOf` moves the
 * title into an attribute, so that the browser does not show it too.
 */
const chartScript = `
const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.body.append(tip);
let marked;
function saysOf(mark) {
  const title = mark.querySelector("title");
  if (title) {
    mark.dataset.says = title.textContent;
    title.remove();
  }
  return mark.dataset.says;
}
function show(mark, x, y) {
  if (marked !== mark) marked?.classList.remove("marked");
  marked = mark;
  mark.classList.add("marked");
  tip.textContent = saysOf(mark);
  tip.hidden = false;
  const { offsetWidth, offsetHeight } = tip, { clientWidth } = document.documentElement;
  const left = x + 14 + offsetWidth > clientWidth ? x - 14 - offsetWidth : x + 14;
  tip.style.left = Math.max(4, left) + "px";
  tip.style.top = Math.max(4, y - 14 - offsetHeight) + "px";
}
function hide() {
  marked?.classList.remove("marked");
  marked = undefined;
  tip.hidden = true;
}
const markOf = (target) => {
  const mark = target.closest?.("figure svg path");
  return mark && (mark.dataset.says || mark.querySelector("title")) ? mark : undefined;
};
function follow({ target, clientX, clientY }) {
  const mark = markOf(target);
  if (mark) show(mark, clientX, clientY);
  else hide();
}
addEventListener("pointermove", follow);
addEventListener("pointerdown", follow);
document.documentElement.addEventListener("pointerleave", hide);
addEventListener("focusout", hide);
addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (key === "Escape") return hide();
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (!step || !target.matches?.("figure")) return;
  const marks = [...target.querySelectorAll("svg path")].filter((mark) => markOf(mark) && mark.getClientRects().length > 0);
  if (marks.length === 0) return;
  event.preventDefault();
  const at = marks.indexOf(marked);
  const next = marks[at < 0 ? (step > 0 ? 0 : marks.length - 1) : Math.min(marks.length - 1, Math.max(0, at + step))];
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
  const { left, top, width } = next.getBoundingClientRect();
  show(next, left + width / 2, Math.max(top, 60) + 30);
});
`;

/**
 * Tables of class `sorts`: each heading becomes a button that sorts by it, numbers from the highest, then the other way. Headings of columns
 * sort rows; where the table has the class `by-row`, headings of rows sort columns. Numbers are read with their units, so that `3 min 12 s`
 * is less than `1 h 2 min`; cells without a value come last.
 */
const tableScript = `
const units = { d: 86400, h: 3600, min: 60, s: 1, k: 1e3, million: 1e6 };
function valueOf(text) {
  const parts = [...text.replace(/[,≠]/g, "").matchAll(/([-+−]?[\\d.]+(?:e[-+]?\\d+)?)\\s*(d|h|min|s|k|million)?(?![\\w/])/g)];
  if (!/^[-+−\\d.≠\\s]/.test(text) || parts.length === 0) return undefined;
  const [first] = parts;
  const used = first[2] ? parts.filter(([, , unit]) => unit) : [first];
  return used.reduce((sum, [, digits, unit]) => sum + Number(digits.replace("−", "-")) * (units[unit] ?? 1), 0);
}
function orderOf(texts, descending) {
  const values = texts.map(valueOf);
  const isKnown = (i) => texts[i].trim() !== "" && texts[i].trim() !== "–";
  const numeric = texts.every((_, i) => !isKnown(i) || values[i] !== undefined);
  const compare = (a, b) => numeric ? values[a] - values[b] : texts[a].localeCompare(texts[b], "en", { numeric: true });
  return texts.map((_, i) => i).sort((a, b) =>
    isKnown(a) && isKnown(b) ? (descending ? -1 : 1) * compare(a, b) : Number(isKnown(b)) - Number(isKnown(a)));
}
function sortBy(table, heading) {
  const column = heading.cellIndex, byRow = table.classList.contains("by-row");
  const rows = [...table.tBodies[0].rows];
  const cells = byRow ? [...heading.parentElement.cells].slice(1) : rows.map((row) => row.cells[column]);
  const texts = cells.map((cell) => cell.textContent);
  const before = heading.getAttribute("aria-sort");
  const descending = before ? before === "ascending" : texts.some((text) => valueOf(text) !== undefined);
  const order = orderOf(texts, descending);
  if (byRow) {
    for (const row of [...table.tHead.rows, ...rows]) {
      const own = [...row.cells].slice(1);
      row.append(...order.map((i) => own[i]));
    }
  } else table.tBodies[0].append(...order.map((i) => rows[i]));
  for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
}
for (const table of document.querySelectorAll("table.sorts")) {
  const headings = table.classList.contains("by-row") ? "tbody th[scope=row]" : "thead th[scope=col]";
  for (const heading of table.querySelectorAll(headings)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
  }
}
`;

/** In a function, because the live page has a script of its own with other names. */
const script = `(() => {${chartScript}${tableScript}})();`;

/** Source of a script in a content security policy. */
export function scriptSource(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** Source of the script of pages in a content security policy. */
export const pageScriptSource = scriptSource(script);

/** Script element of pages, at the end of the body. */
export const pageScript: Markup = html`<script>${trusted(script)}</script>`;

/** Style of what the script adds. */
export const scriptStyle = `
.tip { position: fixed; z-index: 1; max-width: min(20rem, calc(100vw - 8px)); padding: .3rem .6rem; border-radius: .3rem; background: var(--ink); color: var(--page); font-size: .875rem; white-space: pre-line; pointer-events: none; font-variant-numeric: tabular-nums; }
.hover path:hover, .hover .marked { fill-opacity: .15; }
figure :not(.hover) > .marked { stroke: var(--chart-ink); stroke-width: 2; }
th button { padding: 0; border: 0; background: none; color: inherit; font: inherit; text-align: inherit; cursor: pointer; overflow-wrap: inherit; }
th button::after { content: "\\a0↕"; color: var(--soft); }
[aria-sort="ascending"] button::after { content: "\\a0↑"; color: inherit; }
[aria-sort="descending"] button::after { content: "\\a0↓"; color: inherit; }
th button:focus-visible, .curves:focus-visible { outline: 3px solid var(--chart-blue); outline-offset: 2px; }
@media print { th button::after { content: ""; } .tip { display: none; } }
`;
