/** The page of the browser app: one HTML file with its script, its style and its data. */
import { createHash } from "node:crypto";
import { pageColours } from "../report/pages/htmlStyle.ts";
import type { WebApp } from "./webApp.ts";
import type { PageData } from "./webPageData.ts";

/** Requests that the page may make: to its own origin, or none. */
export type Connections = "'self'" | "'none'";

/** A page with its content policy. */
export interface WebPage {
  readonly html: string;
  readonly policy: string;
}

/** Renders the page. The policy is in the page too, so that it holds on any host and from the disk. */
export function renderWebPage(app: WebApp, data: PageData, connections: Connections): WebPage {
  const script = insideScript(app.script);
  const style = pageColours + app.style;
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)} 'wasm-unsafe-eval'`,
    // Workers are copies of the page's script; the service worker is a file of the host.
    `worker-src blob:${data.offline === undefined ? "" : " 'self'"}`,
    `style-src ${hashOf(style)}`,
    "img-src blob: data:",
    `connect-src ${connections}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const html = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>AlexNet</title>
<style>${style}</style>
<script type="application/json" id="data">${insideJson(data)}</script>
<script type="module" id="app">${script}</script>
</head>
<body><noscript>This page needs JavaScript.</noscript></body>
</html>
`;
  return { html, policy };
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/** A script that does not end its element: `<!--` and `</script` occur in strings and regular expressions only, where `\\` before them changes nothing. */
function insideScript(text: string): string {
  return text.replace(/<(?=!--|\/script|script)/gi, "\\x3c");
}

/** JSON that does not end its element, whatever the names of networks and classes. */
function insideJson(data: PageData): string {
  return JSON.stringify(data).replaceAll("<", "\\u003c");
}
