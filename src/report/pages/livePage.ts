/** Live page of a training run. Its script polls the server for changed parts. */
import { html, type Markup, trusted } from "../markup.ts";
import { formatCount, formatDuration, formatEpoch, formatLoss, formatMagnitude } from "../numbers.ts";
import { inPage } from "../theme.ts";
import { type CurvesFigure, percent } from "./htmlParts.ts";
import { pageHead, servedMeta } from "./htmlStyle.ts";
import { pageScript, pageScriptSource, scriptSource } from "./pageScript.ts";

/** Script that polls while the page is visible. `version` identifies the state shown. */
const liveScript = `
const button = document.getElementById("pause"), lost = document.getElementById("lost");
const shown = {};
let version = document.body.dataset.version, paused = false;
async function update() {
  if (paused || document.hidden) return;
  try {
    const answer = await fetch("pieces?version=" + encodeURIComponent(version), { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    lost.hidden = true;
    if (answer.status === 204) return;
    const news = await answer.json();
    version = news.version;
    for (const [id, piece] of Object.entries(news.pieces)) {
      if (shown[id] === piece) continue;
      shown[id] = piece;
      document.getElementById(id).innerHTML = piece;
    }
  } catch {
    lost.hidden = false;
  }
}
button.hidden = false;
button.addEventListener("click", () => {
  paused = !paused;
  button.textContent = paused ? "Resume updates" : "Pause updates";
  update();
});
document.addEventListener("visibilitychange", update);
(async () => { for (;;) { await new Promise((go) => setTimeout(go, 2000)); await update(); } })();
`;

/** Content security policy: the page's own scripts, and requests to its own server. */
export const livePolicy = [
  "default-src 'none'",
  "img-src data:",
  "style-src 'unsafe-inline'",
  `script-src ${pageScriptSource} ${scriptSource(liveScript)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Data of the page. Accuracies are fractions. */
export interface LiveData {
  readonly title: string;
  readonly directory: string;
  /** Status as a sentence; screen readers announce its changes. */
  readonly status: string;
  readonly figures: LiveFigures;
  readonly curves: CurvesFigure;
  /** Chart of images/s and learning rate; absent before the first log line. */
  readonly pace?: string;
  readonly filters?: { readonly png: Uint8Array; readonly count: number; readonly size: string };
  readonly command: string;
}

/** Latest figures; absent if not known yet. */
export interface LiveFigures {
  readonly epoch: number;
  readonly epochs: number;
  readonly iteration: number;
  readonly trainLoss?: number;
  /** Name of the accuracies. */
  readonly accuracy: string;
  readonly trainAccuracy?: number;
  readonly testAccuracy?: number;
  readonly bestAccuracy?: number;
  readonly examplesPerSecond?: number;
  /** Training time. */
  readonly seconds: number;
  /** Estimated time to the last epoch, without evaluations; present only while training. */
  readonly secondsLeft?: number;
  /** Time of the latest checkpoint. */
  readonly saved?: Date;
  /** Name of the validation set. */
  readonly watched: string;
}

/** HTML of the page's parts by element id. */
export type LivePieces = Readonly<Record<(typeof pieceNames)[number], string>>;

const pieceNames = ["status", "figures", "description", "wide", "narrow", "pace", "filters"] as const;

/** Renders each part. All text is escaped. */
export function livePieces(data: LiveData): LivePieces {
  const { status, figures, curves, pace, filters } = data;
  return {
    status: html`${status}`.markup,
    figures: figureItems(figures).markup,
    description: html`${curves.description}`.markup,
    wide: inPage(curves.wide),
    narrow: inPage(curves.narrow),
    pace: pace ? inPage(pace) : html`<p class="yet">No data yet.</p>`.markup,
    filters: filterFigure(filters).markup,
  };
}

function figureItems(figures: LiveFigures): Markup {
  const { epoch, epochs, iteration, trainLoss, accuracy, trainAccuracy, testAccuracy, bestAccuracy } = figures;
  const { watched, examplesPerSecond, seconds, secondsLeft, saved } = figures;
  const shown: readonly (readonly [name: string, value: string | undefined])[] = [
    ["epoch", `${formatEpoch(epoch)} of ${epochs}`],
    ["iteration", formatCount(iteration)],
    ["train loss", trainLoss === undefined ? undefined : formatLoss(trainLoss)],
    [`train ${accuracy}`, maybePercent(trainAccuracy)],
    [`${watched} ${accuracy}`, maybePercent(testAccuracy)],
    [`best ${watched} ${accuracy}`, maybePercent(bestAccuracy)],
    ["images/s", examplesPerSecond === undefined ? undefined : formatMagnitude(examplesPerSecond)],
    ["trained for", formatDuration(seconds)],
    ["time left", secondsLeft === undefined ? undefined : formatDuration(secondsLeft)],
    ["last checkpoint", saved?.toLocaleTimeString("en-GB")],
  ];
  return html`${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value ?? "–"}</dd></div>`)}`;
}

function maybePercent(fraction: number | undefined): string | undefined {
  return fraction === undefined ? undefined : percent(fraction);
}

function filterFigure(filters: LiveData["filters"]): Markup {
  if (!filters)
    return html`<p class="yet">None yet. They appear with the first checkpoint, if the first layer is a convolution.</p>`;
  const { png, count, size } = filters;
  const source = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  return html`<img src="${source}" alt="The ${count} filters of the first layer, ${size} weights each">`;
}

const style = `
.bar-top { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: space-between; }
#pause { padding: .4rem .9rem; border: 1px solid var(--soft); border-radius: .4rem; background: var(--panel); color: var(--ink); font: inherit; cursor: pointer; }
:focus-visible { outline: 3px solid var(--chart-blue); outline-offset: 2px; }
#lost { padding: .5rem .8rem; border: 2px dashed var(--wrong); border-radius: .4rem; color: var(--wrong); }
.figures { grid-template-columns: repeat(auto-fit, minmax(min(10rem, 45%), 1fr)); }
.filters { overflow-x: auto; }
.filters img { display: block; width: 100%; max-width: 44rem; image-rendering: pixelated; }
.yet { color: var(--soft); }
`;

/** Renders the page with one version of its parts; the script polls for newer ones. Without scripts, the browser reloads the page. */
export function renderLivePage(
  { title, directory, command }: Pick<LiveData, "title" | "directory" | "command">,
  pieces: LivePieces,
  version: string,
): string {
  const { status, figures, description, wide, narrow, pace, filters } = pieces;
  return html`${pageHead(`${title}: training`, style, html`<noscript><meta http-equiv="refresh" content="10"></noscript>${servedMeta}`)}
<body data-version="${version}">
<main>
<div class="bar-top"><h1>${title}</h1><button id="pause" type="button" hidden>Pause updates</button></div>
<p class="lead" id="status" role="status">${trusted(status)}</p>
<p id="lost" role="alert" hidden>The server has ended, or does not answer. What is shown is what it said last.</p>
<dl class="figures" id="figures">${trusted(figures)}</dl>
<section>
<h2>Curves</h2>
<p id="description">${trusted(description)}</p>
<figure class="curves" role="img" aria-labelledby="description" tabindex="0"><div class="wide" id="wide">${trusted(wide)}</div><div class="narrow" id="narrow">${trusted(narrow)}</div></figure>
</section>
<section>
<h2>Pace</h2>
<figure class="chart" id="pace" role="img" aria-label="Images per second and learning rate against epoch" tabindex="0">${trusted(pace)}</figure>
</section>
<section>
<h2>Filters of the first layer</h2>
<p>Of the newest checkpoint. Each has its own contrast; mid-grey is 0.</p>
<figure class="filters" id="filters">${trusted(filters)}</figure>
</section>
<section>
<h2>Run</h2>
<p>Directory: ${directory}</p>
<pre><code>${command}</code></pre>
</section>
</main>
${pageScript}
<script>${trusted(liveScript)}</script>
</body>
</html>
`.markup;
}
