import assert from "node:assert/strict";
import { test } from "node:test";
import { displayWidth } from "../text.ts";
import { drawSections, formatSections, markdownSections, type Section } from "./sections.ts";

const sections: readonly Section[] = [
  {
    title: "A *title*",
    columns: [
      { heading: "Name", align: "left", shrinks: true },
      { heading: "Count", align: "right" },
    ],
    rows: [
      ["a|b <i>_c_</i>", "1"],
      ["two\nlines", "22"],
    ],
    footer: [["total", "23"]],
    notes: ["A note.", `- ${"long ".repeat(30)}`],
  },
  { title: "No table", columns: [], rows: [], notes: ["- one", "- two"] },
];

test("sections as text keep to 80 columns, each with its table, then its notes", () => {
  const text = formatSections(sections);
  for (const line of text.split("\n")) assert.ok(displayWidth(line) <= 80, line);
  assert.match(
    text,
    /^A \*title\*\n\nName +Count\n-+ +-+\na\|b <i>_c_<\/i> +1\ntwo�lines +22\n-+ +-+\ntotal +23\n\nA note\.\n {2}- long /,
  );
  assert.match(text, /\n\nNo table\n\n {2}- one\n {2}- two$/);
});

test("sections as Markdown: nothing that a cell holds ends it or acts as markup", () => {
  assert.equal(
    markdownSections(sections).replace(/(long ?)+/, "long"),
    `## A \\*title\\*

| Name | Count |
| --- | ---: |
| a\\|b \\<i\\>\\_c\\_\\</i\\> | 1 |
| two�lines | 22 |
| total | 23 |

A note.

- long

## No table

- one
- two`,
  );
});

test("sections as SVG are the lines of the text, as wide as they are, with titles in bold", () => {
  const svg = drawSections(sections);
  const texts = [...svg.matchAll(/<text [^>]*?( font-weight="bold")?>([^<]*)</g)];
  const plain = (text: string) => text.replaceAll("\u00a0", " ").replaceAll("&lt;", "<").replaceAll("&gt;", ">");
  const lines = formatSections(sections).split("\n");
  assert.deepEqual(
    texts.map(([, , text = ""]) => plain(text)),
    lines.filter((line) => line !== ""),
  );
  assert.deepEqual(
    texts.flatMap(([, bold, text = ""]) => (bold ? [plain(text)] : [])),
    ["A *title*", "No table"],
  );
  const width = Number(/ width="(\d+)"/.exec(svg)?.[1]);
  const letter = (width - 40) / Math.max(...lines.map(displayWidth));
  // DejaVu Sans Mono's, 1233 of 2048 units, at 13 pixels.
  assert.ok(letter >= (13 * 1233) / 2048 && letter < 8);
});
