import assert from "node:assert/strict";
import { test } from "node:test";
import { reportStyle } from "./htmlStyle.ts";

/** Contrast of two colours, 1 to 21. Source: WCAG 2.2, "contrast ratio" and "relative luminance". */
function contrast(a: string, b: string): number {
  const luminance = (color: string) => {
    const digits = color.length === 4 ? [...color.slice(1)].map((digit) => digit + digit).join("") : color.slice(1);
    const [red = 0, green = 0, blue = 0] = (digits.match(/../g) ?? []).map((byte) => {
      const value = Number.parseInt(byte, 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

test("text has a contrast of 4.5 and bars of 3 in light, in dark and on paper", () => {
  const schemes = [...reportStyle.matchAll(/:root \{([^}]*)\}/g)].map(([, body]) =>
    Object.fromEntries([...(body ?? "").matchAll(/--(\w+): (#\w+)/g)].map(([, name, color]) => [name, color])),
  );
  assert.equal(schemes.length, 3);
  for (const { page = "", panel = "", ink = "", soft = "", right = "", wrong = "", bar = "" } of schemes) {
    for (const text of [ink, soft]) assert.ok(contrast(text, panel) >= 4.5, `${text} on ${panel}`);
    for (const text of [ink, soft, right, wrong]) assert.ok(contrast(text, page) >= 4.5, `${text} on ${page}`);
    // The other two lines of the figure have one colour in both schemes.
    for (const shape of [bar, "#d55e00", "#009e73"]) assert.ok(contrast(shape, page) >= 3, `${shape} on ${page}`);
  }
  assert.ok(Math.abs(contrast("#fff", "#000000") - 21) < 1e-9);
});
