import assert from "node:assert/strict";
import { test } from "node:test";
import { type Finding, finding } from "../../dataset/folder/findings.ts";
import type { FolderCheck } from "../../dataset/folder/folderCheck.ts";
import { displayWidth } from "../text.ts";
import { formatCheck } from "./datasetCheck.ts";

const sound: FolderCheck = {
  root: "/data/animals",
  parts: [
    {
      name: "train",
      folder: "train",
      classes: [
        { name: "cat", pictures: 1200 },
        { name: "a class whose name is a good deal longer than a terminal of common size is wide", pictures: 300 },
      ],
    },
    { name: "validation", folder: "val", classes: [{ name: "cat", pictures: 10 }] },
    { name: "test", folder: "test", classes: [{ name: "東京", pictures: 1 }] },
  ],
  pictures: 1511,
  bytes: 12.3e6,
  formats: { JPEG: 1500, PNG: 10 },
  channels: { grey: 10, colour: 1500 },
  sizes: { smallest: [32, 40], median: [500, 375], largest: [4000, 3000], shapes: 1234 },
  findings: [],
  affectsTraining: false,
};

function withFindings(...findings: readonly Finding[]): string {
  const affectsTraining = findings.some((found) => found.affectsTraining);
  return formatCheck({ ...sound, findings, affectsTraining }, { unicode: true });
}

function assertNarrow(text: string): void {
  for (const line of text.split("\n")) assert.ok(displayWidth(line) <= 80, `${displayWidth(line)} columns: ${line}`);
}

test("counts of every class and part, with bars; formats, colours and sizes", () => {
  const text = formatCheck(sound, { unicode: true });
  assertNarrow(text);
  for (const says of [
    /^\/data\/animals: 1,511 images in 3 classes, 12\.3 MB$/m,
    /^Class +Train +Validation +Test$/m,
    /^cat +1,200 +10 +0 {2}█{20}$/m,
    /^a class whose.*… +300 +0 +0 {2}█{5}$/m,
    /^東京 +0 +0 +1$/m,
    /^total +1,500 +10 +1$/m,
    /^formats {2}1,500 JPEG, 10 PNG$/m,
    /^colours {2}1,500 in colour, 10 grey$/m,
    /^sizes {4}smallest 32×40, median 500×375, largest 4000×3000; 1,234 different$/m,
    /\n\nNothing found that affects training\.$/,
  ]) {
    assert.match(text, says);
  }
});

test("findings by kind: those that affect training first, five of each, three paths of each", () => {
  const damaged = Array.from({ length: 8 }, (_, i) => finding("damaged", [`cat/${i}.jpg`], "expected more; got less"));
  const same = finding("duplicateAcrossClasses", ["a/1", "b/1", "c/1", "d/1"], "in a, b, c, d");
  const tiny = finding("tiny", ["cat/tiny.png"], "3×3 pixels");
  const text = withFindings(tiny, same, ...damaged);
  assertNarrow(text);
  const paragraphs = text.split("\n\n").slice(-4);
  assert.deepEqual(paragraphs[0]?.split("\n"), [
    "! corrupt or truncated images: 8",
    ...[0, 1, 2, 3, 4].map((i) => `    cat/${i}.jpg: expected more; got less`),
    "    and 3 others",
    "  Restore these files, or remove them.",
  ]);
  assert.match(
    paragraphs[1] ?? "",
    /^! the same image in several classes: 1\n {4}a\/1, b\/1, c\/1 and 1 other: in a, b, c, d\n/,
  );
  assert.match(paragraphs[2] ?? "", /^- images with a side below 16 pixels: 1\n {4}cat\/tiny\.png: 3×3 pixels\n/);
  assert.equal(paragraphs[3], '9 findings that affect training, marked with "!".');
  assert.match(withFindings(same), /\n1 finding that affects training, marked with "!"\.$/);
});

test("names cannot act on the terminal, nor leave its width; an empty folder is reported too", () => {
  const long = `cat/${"long".repeat(40)}.jpg`;
  const text = withFindings(finding("damaged", [`cat/\u001b[2J\n.jpg`], "m"), finding("emptyFile", [long], "m"));
  assertNarrow(text);
  assert.ok(!text.includes("\u001b"));
  const { sizes: _, ...rest } = sound;
  const nothing = { ...rest, parts: [{ name: "whole", folder: "", classes: [] }], pictures: 0, bytes: 0 } as const;
  const findings = [finding("tooFewClasses", [], "no class with images")];
  const empty = formatCheck({ ...nothing, findings, affectsTraining: true }, { unicode: false });
  assert.match(
    empty,
    /^\/data\/animals: 0 images in 0 classes, 0 B\n\n! fewer than two classes with images: 1\n {4}no class/,
  );
});
