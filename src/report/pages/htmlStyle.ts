/** Style sheet and head of all pages. */
import { html, type Markup, trusted } from "../markup.ts";
import { themeVariables } from "../theme.ts";
import { pageScript, pageScriptSource, scriptStyle } from "./pageScript.ts";

/** Colours of all pages, as CSS variables. */
export const pageColours = `
:root {
  --page: #fff; --ink: #1c2024; --soft: #565e66; --rule: #d5dade; --panel: #f4f6f8;
  --right: #00664a; --wrong: #a63c00; ${themeVariables("light")}
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #15181b; --ink: #e8eaed; --soft: #a4adb5; --rule: #363c42; --panel: #1f2428;
    --right: #4fd1a5; --wrong: #ff9a5c; ${themeVariables("dark")}
  }
}`;

/** Style sheet. Text has a contrast of at least 4.5 : 1 in both colour schemes, and the layout works at 320 px. */
export const reportStyle = `${pageColours}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: 1.25rem; line-height: 1.3; }
h3 { margin: 1rem 0 .25rem; font-size: 1rem; }
p { margin: .5rem 0; max-width: 45rem; }
.lead, dt { color: var(--soft); }
dl, dd, figure { margin: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin-top: 1.25rem; }
.figures > div { padding: .6rem .8rem; border-radius: .4rem; background: var(--panel); }
.figures dt { font-size: .875rem; }
.figures dd { font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.2; }
.curves svg { display: block; width: 100%; height: auto; }
.narrow svg { max-width: 27rem; }
.chart { overflow-x: auto; break-inside: avoid; }
.chart svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.scroll { overflow-x: auto; break-inside: avoid; }
.scroll th, .scroll td { white-space: nowrap; }
.scroll tfoot th, .scroll tfoot td { font-weight: 600; }
.chart:focus-visible, .scroll:focus-visible { outline: 3px solid var(--chart-blue); outline-offset: 2px; }
.narrow, .compact { display: none; }
table { border-collapse: collapse; width: 100%; }
th { font-weight: 400; text-align: left; }
thead th { color: var(--soft); font-size: .875rem; }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.classes .bars { width: 45%; padding-right: 0; vertical-align: middle; }
.classes th { min-width: 5.5rem; overflow-wrap: break-word; }
.bar { height: .8rem; min-width: 1px; background: var(--chart-blue); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .75rem; margin: 1rem 0 0; padding: 0; list-style: none; }
.gallery li { padding: .6rem; border: 2px solid var(--rule); border-radius: .4rem; break-inside: avoid; font-size: .875rem; line-height: 1.35; }
.gallery .wrong { border: 2px dashed var(--wrong); }
.gallery img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--panel); }
.gallery .pixels { image-rendering: pixelated; }
.verdict { margin: .5rem 0 .25rem; font-weight: 600; }
.right .verdict { color: var(--right); }
.wrong .verdict { color: var(--wrong); }
.gallery dt { font-size: .75rem; }
.configuration { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); gap: 0 2rem; }
.configuration th { width: 45%; color: var(--soft); }
pre { margin: .25rem 0; padding: .75rem; border-radius: .4rem; background: var(--panel); white-space: pre-wrap; font: .875rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
code { font: inherit; }
@media (max-width: 62rem) {
  .broad { display: none; }
  .compact { display: block; }
  .chart .compact svg { max-width: none; }
}
@media (max-width: 40rem) {
  .wide { display: none; }
  .chart svg { max-width: none; }
  .narrow { display: block; }
  .classes { font-size: .875rem; }
  .classes .bars { width: 25%; }
}
@media print {
  :root { --page: #fff; --ink: #000; --soft: #444; --rule: #bbb; --panel: #fff; }
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  .curves, tr { break-inside: avoid; }
  .chart, .scroll { overflow: visible; }
  .chart svg, .chart .compact svg { max-width: 100%; }
  .scroll { font-size: .75rem; }
  .scroll th, .scroll td { white-space: normal; }
  .figures > div { border: 1px solid var(--rule); }
}
${scriptStyle}`;

/** Content security policy: the script of pages only, and nothing loaded from outside the file. */
const contentPolicy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${pageScriptSource}`;

/** Policy of a page that is a file. A server sends the policy of its own pages. */
const filePolicy = html`<meta http-equiv="Content-Security-Policy" content="${contentPolicy}">`;

/** Elements of a page that a server sends: its icon, so that browsers request none. */
export const servedMeta: Markup = html`<link rel="icon" href="data:,">`;

/** Everything before the body of a page; `style` is added to the common style sheet, and `meta` to the head. */
export function pageHead(title: string, style: string, meta: Markup): Markup {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${meta}
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${trusted(reportStyle + style)}</style>
</head>`;
}

/** A page that is a file: its content with the common script; `style` is added to the common style sheet. */
export function filePage(title: string, main: Markup, style = ""): string {
  return html`${pageHead(title, style, filePolicy)}
<body>
<main>
${main}
</main>
${pageScript}
</body>
</html>
`.markup;
}
