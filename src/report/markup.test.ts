import assert from "node:assert/strict";
import { test } from "node:test";
import { html } from "./markup.ts";

test("templates escape text, take markup as it is, and join lists", () => {
  const items = ["a<b", "c"].map((item) => html`<li>${item}</li>`);
  assert.equal(
    html`<ul title="${`"&'`}">${items}</ul>${3}`.markup,
    '<ul title="&quot;&amp;&#39;"><li>a&lt;b</li><li>c</li></ul>3',
  );
  assert.equal(html`<p>\u00e9 ${[]}</p>`.markup, "<p>é </p>");
});
