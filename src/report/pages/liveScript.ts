/** Script of the live page, and its content security policy. */
import { createHash } from "node:crypto";

/** Asks for what is new while the page is looked at. `version` is what the server calls the state that is shown. */
export const liveScript = `
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
  button.textContent = paused ? "Go on updating" : "Pause updates";
  update();
});
document.addEventListener("visibilitychange", update);
(async () => { for (;;) { await new Promise((go) => setTimeout(go, 2000)); await update(); } })();
`;

const hashOf = (text: string) => createHash("sha256").update(text).digest("base64");

/** What the page may do: run its own script, and ask its own server. */
export const livePolicy = [
  "default-src 'none'",
  "img-src data:",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${hashOf(liveScript)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
