import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSections, markdownSections, type Section } from "./sections.ts";
import { displayWidth } from "./text.ts";

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
