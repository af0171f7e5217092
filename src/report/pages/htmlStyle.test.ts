import assert from "node:assert/strict";
import { test } from "node:test";
import { contrast as contrastOf, parseColour } from "../../../test/colourVision.ts";
import { reportStyle } from "./htmlStyle.ts";

test("text has a contrast of 4.5 in light, in dark and on paper", () => {
  const schemes = [...reportStyle.matchAll(/:root \{([^}]*)\}/g)].map(([, body]) =>
    Object.fromEntries([...(body ?? "").matchAll(/--(\w+): (#\w+)/g)].map(([, name, color]) => [name, color])),
  );
  assert.equal(schemes.length, 3);
  const contrast = (a: string, b: string) => contrastOf(parseColour(a), parseColour(b));
  // On paper what is not said is as in light.
  const [light] = schemes;
  for (const scheme of schemes) {
    const { page = "", panel = "", ink = "", soft = "", right = "", wrong = "" } = { ...light, ...scheme };
    for (const text of [ink, soft]) assert.ok(contrast(text, panel) >= 4.5, `${text} on ${panel}`);
    for (const text of [ink, soft, right, wrong]) assert.ok(contrast(text, page) >= 4.5, `${text} on ${page}`);
  }
  assert.ok(Math.abs(contrast("#fff", "#000000") - 21) < 1e-9);
});
