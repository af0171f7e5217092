/** Page that classifies an image by the server that it comes from. */
import { createHash } from "node:crypto";
import { readFormats, readMediaTypes } from "../image/files/format.ts";
import { html, trusted } from "../report/markup.ts";
import { pageHead, servedMeta } from "../report/pages/htmlStyle.ts";

/** Browsers do not show every format that is classified; the place of such an image stays empty. */
const script = `
const form = document.querySelector("form");
const file = document.querySelector("#file");
const status = document.querySelector("#status");
const rows = document.querySelector("tbody");
const shown = document.querySelector("img");
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
let latest = 0;
async function classify(image) {
  const own = ++latest;
  if (shown.src) URL.revokeObjectURL(shown.src);
  shown.src = URL.createObjectURL(image);
  shown.hidden = false;
  status.textContent = "Classifying …";
  rows.replaceChildren();
  try {
    const query = new URLSearchParams({ model: form.elements.model.value });
    const response = await fetch("predict?" + query, { method: "POST", body: image });
    const answer = await response.json();
    if (own !== latest) return;
    if (!response.ok) throw new Error(answer.error);
    for (const { className, probability } of answer.classes) {
      const row = rows.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = className;
      const value = document.createElement("td");
      value.className = "number";
      value.textContent = percent.format(probability);
      const meter = document.createElement("meter");
      meter.value = probability;
      const bar = document.createElement("td");
      bar.append(meter);
      row.append(head, value, bar);
    }
    status.textContent = answer.milliseconds.toFixed(0) + " ms";
  } catch (error) {
    if (own === latest) status.textContent = error.message;
  }
}
shown.addEventListener("error", () => { shown.hidden = true; });
const again = () => { if (file.files[0]) classify(file.files[0]); };
file.addEventListener("change", again);
form.elements.model.addEventListener("change", again);
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const [image] = event.dataTransfer.files;
  if (image) classify(image);
});
`;

const style = `
form { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; align-items: end; margin: 1.25rem 0; }
form > div { min-width: 0; max-width: 100%; }
label { display: block; color: var(--soft); font-size: .875rem; }
input, select { max-width: 100%; min-height: 2.25rem; color: var(--ink); background: var(--panel); border: 1px solid var(--soft); border-radius: .4rem; padding: .3rem .5rem; font: inherit; }
:focus-visible { outline: 3px solid var(--chart-blue); outline-offset: 2px; }
img { display: block; max-width: min(20rem, 100%); max-height: 20rem; margin-bottom: 1rem; }
img[hidden] { display: none; }
meter { width: 100%; }
td:last-child { width: 45%; padding-right: 0; }
#status { min-height: 1.5em; }
`;

/** Header fields of the page: its own script, images that it shows itself, and requests to its own server. */
export const pageHeaders = {
  "Content-Type": "text/html; charset=utf-8",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": [
    "default-src 'none'",
    "img-src blob: data:",
    "style-src 'unsafe-inline'",
    `script-src 'sha256-${createHash("sha256").update(script).digest("base64")}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
} as const;

/** Renders the page for models of these names. */
export function renderPredictPage(names: readonly string[]): string {
  return html`${pageHead("alexnet: classify an image", style, servedMeta)}
<body>
<main>
<h1>Classify an image</h1>
<p class="lead">Choose a ${readFormats} file, or drop one on this page. It is sent to this server only.</p>
<form>
<div><label for="file">Image</label><input id="file" type="file" accept="${readMediaTypes.join(",")}"></div>
<div><label for="model">Model</label><select id="model" name="model">${names.map((name) => html`<option value="${name}">${name}</option>`)}</select></div>
</form>
<img alt="The chosen image" hidden>
<p id="status" role="status"></p>
<div class="scroll" role="region" aria-label="Classes" tabindex="0"><table>
<thead><tr><th scope="col">Class</th><th scope="col" class="number">Probability</th><td></td></tr></thead>
<tbody></tbody>
</table></div>
</main>
<script>${trusted(script)}</script>
</body>
</html>
`.markup;
}
