/** Several labels an image: layouts of their cells, and every kind of cell that cannot be used, named with row and column. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathsOf } from "../../../test/pictureFolders.ts";
import { flat, problemsOf, scan } from "../../../test/tableScans.ts";
import type { TableOptions } from "./tableScan.ts";

const separated = { labelColumn: "tags", labelSeparator: ";" };
const labelled = { "whole:a": ["1.jpg"], "whole:b": ["1.jpg", "2.jpg"] };

test("separators, columns of 0 and 1, and lists give the same classes; an image may have no label", async () => {
  const cases: readonly (readonly [name: string, table: string, options: Partial<TableOptions>])[] = [
    ["labels.csv", "id,tags\n1,a; b\n2,b\n3,\n", separated],
    ["labels.csv", "id,a,b\n1,1,1.0\n2,0,true\n3,0,False\n", {}],
    ["labels.csv", "id,a,site,b\n1,1,x,1\n2,0,x,1\n3,0,y,0\n", { labelColumns: ["a", "b"] }],
    ["l.jsonl", '{"id":3}\n{"id":1,"tags":["a","b"]}\n{"id":2,"tags":["b"]}\n', { labelColumn: "tags" }],
    ["l.jsonl", '{"id":1,"tags":["b","a"]}\n{"id":2,"tags":["b"]}\n{"id":3,"tags":[]}\n', { labelColumn: "tags" }],
  ];
  for (const [name, table, options] of cases) {
    const found = await scan({ ...flat, [name]: table }, { tables: [name], ...options });
    assert.deepEqual(found.skipped, [], table);
    assert.deepEqual(pathsOf(found), labelled, table);
    assert.deepEqual(
      found.parts[0]?.unlabelled?.map(({ path }) => path),
      ["3.png"],
    );
  }
});

test("groups, and a note if each image has exactly one label", async () => {
  const table = "id,tags,patient\n1,a,p\n2,b,q\n3,b, p \n";
  const found = await scan({ ...flat, "labels.csv": table }, { ...separated, groupColumn: "patient" });
  assert.deepEqual([...(found.groups ?? [])].sort(), [
    ["1.jpg", "p"],
    ["2.jpg", "q"],
    ["3.png", "p"],
  ]);
  assert.match(found.notes?.[0] ?? "", /labels from column "tags", separated by ";", groups from "patient"/);
  assert.match(found.notes?.[1] ?? "", /each image has exactly one label/);
});

test("problems are named with row and column", async () => {
  const all = { labelColumns: ["a", "b"] };
  const cases: readonly (readonly [table: string, column: string, detail: RegExp, options: Partial<TableOptions>])[] = [
    ["id,tags\n1,a\n2,a;;b\n", "tags", /an empty label in "a;;b"/, separated],
    ["id,tags\n1,a\n2,a;a\n", "tags", /the label "a" twice/, separated],
    ["id,tags\n1,a\n2,=A1\n", "tags", /formula/, separated],
    ["id,a,b\n1,1,0\n2,1,-1\n", "b", /"-1", neither 0 nor 1/, all],
    ["id,a,b\n1,1,0\n2,,1\n", "a", /blank/, all],
  ];
  for (const [table, column, detail, options] of cases) {
    const problems = (await problemsOf(table, flat, options)).filter(([reason]) => reason !== "imageWithoutRow");
    assert.deepEqual(
      problems.map(([reason, path]) => [reason, path]),
      [["badCell", `labels.csv, row 3, column "${column}"`]],
      table,
    );
    assert.match(problems[0]?.[2] as string, detail);
  }
  const twice = await problemsOf("id,tags\n1,a;b\n1,b;a\n1,b\n2,a\n3,\n", flat, separated);
  assert.deepEqual(
    twice.map(([reason, , detail]) => [reason, detail]),
    [
      ["repeatedRow", "1.jpg, as labels.csv, row 2"],
      ["contradictingRow", '1.jpg, as labels.csv, row 2, but with label "b", there labels "a", "b"'],
    ],
  );
  const moved = await problemsOf("id,tags,patient\n1,a,p\n1,a,q\n2,a,p\n3,,p\n", flat, {
    ...separated,
    groupColumn: "patient",
  });
  assert.deepEqual(moved, [
    ["contradictingRow", "labels.csv, row 3", '1.jpg, as labels.csv, row 2, but with group "q", there "p"'],
  ]);
  const both = scan({ ...flat, "labels.csv": "id,a,b\n1,1,0\n" }, { ...all, labelSeparator: ";" });
  await assert.rejects(both, /--label-columns cannot be combined with --label-separator; remove one/);
  const one = scan({ ...flat, "labels.csv": "id,a,b\n1,1,0\n" }, { labelColumns: ["a"] });
  await assert.rejects(one, /expected at least two columns of labels, got 1/);
});
