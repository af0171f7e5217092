/** Labels in tables: layouts of columns and paths, and every kind of row that cannot be used, named with row and column. */
import assert from "node:assert/strict";
import { readdir, readlink } from "node:fs/promises";
import { describe, test } from "node:test";
import { type Files, pathsOf, withFolder } from "../../../test/pictureFolders.ts";
import { flat, images, problemsOf, scan } from "../../../test/tableScans.ts";
import { DataError } from "../../errors.ts";
import type { SkipReason } from "../folder/skippedFile.ts";
import { indexImages } from "./imageIndex.ts";
import { columnsOf } from "./tableColumns.ts";
import { scanTables, type TableOptions } from "./tableScan.ts";

async function classesOf(files: Files, options: Partial<TableOptions> = {}) {
  const found = await scan(files, options);
  assert.deepEqual(
    found.skipped.filter(({ reason }) => reason !== "imageWithoutRow"),
    [],
  );
  return pathsOf(found);
}

const expected = { "whole:cat": ["1.jpg", "3.png"], "whole:dog": ["2.jpg"] };

describe("layouts", () => {
  test("columns are found by their cells and names; paths have an extension or none", async () => {
    const tables: readonly string[] = [
      "file_name,label\n1.jpg,cat\n2.jpg,dog\n3.png,cat\n",
      "id,breed\n1,cat\n2,dog\n3,cat\n",
      "breed,id\ncat,1\ndog,2\ncat,3\n",
      ",Unnamed,label\n0,1.jpg,cat\n1,2.jpg,dog\n2,3.png,cat\n",
      "\ufeffimage;class\r\n1.jpg;cat\r\n2.jpg;dog\r\n3.png;cat\r\n",
      "image\tclass\n./1.jpg\tcat\n2.jpg\tdog\n3.png\tcat\n\n\n",
      'image|class\r"1.jpg"|"cat"\r2.jpg|dog\r3.png|cat',
      "confidence,image_id,label\n1,1,cat\n2,2,dog\n1,3,cat\n",
    ];
    for (const table of tables) assert.deepEqual(await classesOf({ ...flat, "labels.csv": table }), expected, table);
  });

  const noProc = process.platform === "linux" ? false : "reads /proc";
  test("a table whose columns are not plain is closed", { skip: noProc }, async () => {
    const table = `image,a,b\n${"1.jpg,x,y\n".repeat(200_000)}`;
    await withFolder({ ...flat, "labels.csv": table }, async (root) => {
      await assert.rejects(scanTables(root, { tables: ["labels.csv"] }), /expected one column of labels/);
      const open = await Promise.all(
        (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
      );
      assert.ok(!open.includes(`${root}/labels.csv`));
    });
  });

  test("a file name that 200,000 folders contain", () => {
    const index = indexImages(Array.from({ length: 200_000 }, (_, folder) => ({ path: `${folder}/1.jpg` })));
    const rows = async function* () {};
    const sample = [{ row: 2, cells: ["1.jpg", "cat"] }];
    const table = { path: "labels.csv", columns: ["image", "label"], sample, rows };
    const { image, base } = columnsOf(table, index, [{ below: "" }], {});
    assert.deepEqual([image, base], [0, { below: "" }], "no folder is the only one that fits");
  });

  test("UTF-16 with a byte order mark, and names in another Unicode form", async () => {
    const table = Buffer.from("\ufeffimage,label\n1.jpg,chat\u0301\n2.jpg,chien\n", "utf16le");
    const found = await classesOf({ ...flat, "labels.csv": table });
    assert.deepEqual(Object.keys(found), ["whole:chat\u0301".normalize("NFC"), "whole:chien"]);
    const big = Buffer.from(table).swap16();
    assert.deepEqual(await classesOf({ ...flat, "labels.csv": big }), found);
    const decomposed = { ...images("u\u0308.jpg", "2.jpg"), "labels.csv": "image,label\n\u00fc.jpg,a\n2.jpg,b\n" };
    assert.deepEqual(Object.keys(await classesOf(decomposed)), ["whole:a", "whole:b"]);
  });

  test("JSON lines, with numbers and absent members", async () => {
    const lines =
      '{"file_name":"1.jpg","label":3}\n{"file_name":"2.jpg","text":"x","label":4}\r\n\n{"file_name":"3.png","label":3}';
    const found = await classesOf({ ...flat, "m.jsonl": lines }, { tables: ["m.jsonl"], labelColumn: "label" });
    assert.deepEqual(found, { "whole:3": ["1.jpg", "3.png"], "whole:4": ["2.jpg"] });
    const names = Array.from({ length: 102 }, (_, i) => `${i}.jpg`);
    const long = (last: object) =>
      names
        .map((file_name, i) => JSON.stringify({ file_name, label: `${i % 2}`, ...(i === 101 ? last : {}) }))
        .join("\n");
    const scanned = (last: object) => scan({ ...images(...names), "m.jsonl": long(last) }, { tables: ["m.jsonl"] });
    await assert.rejects(scanned({ split: "test" }), {
      message: /m\.jsonl: row 102: expected "split" in the first 100 rows too, got none; add it to every row/,
    });
    for (const last of [{ split: null }, { note: "x" }]) assert.equal((await scanned(last)).rows, 102);
  });

  test("paths relative to the folder, to the table, or to the only folder that fits", async () => {
    const below = images("train/1.jpg", "train/2.jpg", "test/9.jpg");
    const whole = { "train:cat": ["train/1.jpg"], "train:dog": ["train/2.jpg"] };
    assert.deepEqual(
      await classesOf({ ...below, "labels.csv": "image,label\ntrain/1.jpg,cat\ntrain\\2.jpg,dog\n" }),
      whole,
    );
    const own = { ...below, "train/labels.csv": "image,label\n1.jpg,cat\n2.jpg,dog\n" };
    assert.deepEqual(await classesOf(own, { tables: ["train/labels.csv"] }), whole);
    assert.deepEqual(await classesOf({ ...below, "labels.csv": "id,label\n1,cat\n2,dog\n" }), whole);
    const oneMissing = { ...below, "labels.csv": "id,label\n1,cat\n7,cat\n2,dog\n" };
    assert.deepEqual(pathsOf(await scan(oneMissing)), whole);
    const above = {
      ...images("photos/1.jpg", "photos/2.jpg"),
      "l.csv": "image,label\nphotos/1.jpg,cat\nphotos/2.jpg,dog\n",
    };
    const found = await withFolder(above, (root) => scanTables(`${root}/photos`, { tables: ["../l.csv"] }));
    assert.deepEqual(pathsOf(found), { "whole:cat": ["1.jpg"], "whole:dog": ["2.jpg"] });
  });

  test("splits from a column, by any name of a part; from folders if every image is in one", async () => {
    const table = "image,split,label\n1.jpg,train,cat\n2.jpg,VALID,cat\n3.png,testing,dog\n";
    const split = { "train:cat": ["1.jpg"], "validation:cat": ["2.jpg"], "test:dog": ["3.png"] };
    assert.deepEqual(await classesOf({ ...flat, "labels.csv": table }), split);
    const folders = {
      ...images("train/1.jpg", "val/2.jpg"),
      "train/m.csv": "file_name,label\n1.jpg,a\n",
      "val/m.csv": "file_name,label\n2.jpg,a\n",
    };
    const byFolder = await classesOf(folders, { tables: ["train/m.csv", "val/m.csv"] });
    assert.deepEqual(byFolder, { "train:a": ["train/1.jpg"], "validation:a": ["val/2.jpg"] });
    // One image more must not mix the parts. A folder called train without another part is a folder like others.
    const more = { ...images("train/1.jpg", "test/2.jpg", "sample.jpg") };
    const rows = "image,label\ntrain/1.jpg,a\ntest/2.jpg,a\nsample.jpg,b\n";
    const mixed = await scan({ ...more, "labels.csv": rows });
    assert.deepEqual(pathsOf(mixed), { "train:a": ["train/1.jpg"], "test:a": ["test/2.jpg"] });
    assert.deepEqual(
      mixed.skipped.map(({ reason, path }) => [reason, path]),
      [["rowOutsideParts", "labels.csv, row 4"]],
    );
    const vehicles = {
      ...images("train/1.jpg", "car/2.jpg"),
      "labels.csv": "image,label\ntrain/1.jpg,a\ncar/2.jpg,b\n",
    };
    assert.deepEqual(await classesOf(vehicles), { "whole:a": ["train/1.jpg"], "whole:b": ["car/2.jpg"] });
  });

  test("named columns, also with spaces around; embedded separators, quotes and newlines", async () => {
    const table = 'image , other,label\n1.jpg,x,"a, ""b""\nc"\n2.jpg,y,dog\n';
    const found = await classesOf({ ...flat, "labels.csv": table }, { imageColumn: "image", labelColumn: "label" });
    assert.deepEqual(found, { 'whole:a, "b"\nc': ["1.jpg"], "whole:dog": ["2.jpg"] });
  });
});

describe("rows", () => {
  test("every problem is named with row and column", async () => {
    const cases: readonly (readonly [table: string, reason: SkipReason, path: string, detail: RegExp])[] = [
      ["image,label\n1.jpg,a\n9.jpg,b\n", "rowWithoutImage", 'labels.csv, row 3, column "image"', /no image "9\.jpg"/],
      ["image,label\n1.jpg,a\n2.jpg,\n", "badCell", 'labels.csv, row 3, column "label"', /blank/],
      ["image,label\n1.jpg,a\n2.jpg,  \n", "badCell", 'labels.csv, row 3, column "label"', /blank/],
      ["image,label\n1.jpg,a\n2.jpg,=A1&B1\n", "badCell", 'labels.csv, row 3, column "label"', /formula "=A1&B1"/],
      ["image,label\n1.jpg,a\n2.jpg,#REF!\n", "badCell", 'labels.csv, row 3, column "label"', /#REF!/],
      ["image,label\n1.jpg,a\n1.jpg,a\n", "repeatedRow", "labels.csv, row 3", /1\.jpg, as labels\.csv, row 2/],
      ["image,label\n1.jpg,a\n1,b\n", "contradictingRow", "labels.csv, row 3", /row 2, but with label "b", there "a"/],
      [
        "image,label,split\n1.jpg,a,train\n1.jpg,a,test\n",
        "contradictingRow",
        "labels.csv, row 3",
        /split test, there train/,
      ],
      [
        "image,label,split\n1.jpg,a,train\n2.jpg,a,holdout\n",
        "unknownSplit",
        'labels.csv, row 3, column "split"',
        /"holdout"/,
      ],
      ["image,label\n1.jpg,3-Mar\n2.jpg,a\n", "changedLabel", 'labels.csv, row 2, column "label"', /date/],
      ["image,label\n1.jpg,1E+05\n2.jpg,a\n", "changedLabel", 'labels.csv, row 2, column "label"', /number/],
      ["image,label\n1.jpg,NaN\n2.jpg,a\n", "changedLabel", 'labels.csv, row 2, column "label"', /missing/],
      ["image,label\n1.jpg,1\n2.jpg,01\n", "sameNumber", 'labels.csv, row 3, column "label"', /"1", "01"/],
    ];
    for (const [table, reason, path, detail] of cases) {
      const problems = (await problemsOf(table)).filter(([each]) => each !== "imageWithoutRow");
      assert.equal(problems.length, 1, table);
      assert.deepEqual(problems[0]?.slice(0, 2), [reason, path], table);
      assert.match(problems[0]?.[2] as string, detail, table);
    }
  });

  test("images without a row, images with one stem, and bytes that are not UTF-8", async () => {
    const unlisted = await problemsOf("image,label\n1.jpg,a\n");
    assert.deepEqual(unlisted, [
      ["imageWithoutRow", "2.jpg", "no row"],
      ["imageWithoutRow", "3.png", "no row"],
    ]);
    const [two] = await problemsOf("image,label\n1.jpg,b\n2,a\n", images("1.jpg", "2.jpg", "2.png"));
    assert.match(two?.[2] as string, /several images are called "2"; add the extension/);
    const latin = await problemsOf(Buffer.from("image,label\n1.jpg,caf\u00e9\n2.jpg,b\n", "latin1"));
    assert.deepEqual(latin[0]?.slice(0, 2), ["badCell", 'labels.csv, row 2, column "label"']);
    assert.match(latin[0]?.[2] as string, /not UTF-8.*iconv/);
  });
});

test("tables that cannot be read or whose columns are not plain are errors with a remedy", async () => {
  const cases: readonly (readonly [table: string | Uint8Array, says: RegExp, options?: Partial<TableOptions>])[] = [
    ["", /expected a table with a header, got an empty one/],
    [
      "image,label\n1.jpg,a,b\n",
      /row 2: expected 2 cells, as in the header, got 3; put cells that contain the separator in quotes/,
    ],
    ["image,label\n1.jpg\n", /row 2: expected 2 cells, as in the header, got 1; complete the row/],
    ['image,label\n1.jpg,"a\n2.jpg,b\n', /row 2: expected a closing quotation mark/],
    ['image,label\n1.jpg,a\n2.jpg,b"c\n', /row 3: expected quotation marks around whole cells only/],
    [
      `image,label\n1.jpg,"${"x".repeat(2 << 20)}`,
      /row 2: expected at most 1 MiB per row, got more; close its quotation mark/,
    ],
    [`a${",a".repeat(10_000_000)}\n`, /row 1: expected at most 1 MiB per row/],
    [`a${",a".repeat(20_000)}\n`, /expected at most 16384 columns, got 20001/],
    ["PK\x03\x04 and so on", /got an Excel or OpenDocument workbook.*export it as CSV in UTF-8/],
    [Buffer.from("image,label\n", "utf16le"), /zero bytes, as in UTF-16 without a byte order mark/],
    ["1.jpg,cat\n2.jpg,dog\n", /row 1: expected the names of columns, got the image "1\.jpg"; add a header/],
    ["a,b\nx,y\n", /expected a column of image files, got "a", "b"; name it with --image-column/],
    ["name,kind,size\nx,y,z\n", /expected one column of labels, got "kind", "size"; name it with --label-column/],
    [
      "image,label,class\n1.jpg,a,b\n",
      /expected one column of labels, got "label", "class"; name it with --label-column/,
    ],
    [
      "image,label\n1.jpg,a\n",
      /expected a column "lable" \(--label-column\), got "image", "label" \(did you mean label\?\)/,
      { labelColumn: "lable" },
    ],
  ];
  for (const [table, says, options] of cases) {
    await assert.rejects(problemsOf(table, flat, options), (error) => {
      assert.ok(error instanceof DataError, String(error));
      assert.match(error.message, says);
      return true;
    });
  }
  const lines: readonly (readonly [table: string, says: RegExp])[] = [
    [
      '{"image":"1.jpg","label":12345678901234567890}\n',
      /row 1, column "label": expected a number that JSON readers keep exactly/,
    ],
    ['{"image":"1.jpg","label":1}\n[1]\n', /row 2: expected a JSON object on one line, got \[1\]/],
    ['{"image":"1.jpg",\n', /row 1: expected a JSON object on one line/],
  ];
  for (const [table, says] of lines) {
    await assert.rejects(scan({ ...flat, "m.jsonl": table }, { tables: ["m.jsonl"] }), says);
  }
  await assert.rejects(
    scan(flat),
    /labels\.csv: expected a table of labels; found none in the working directory and in/,
  );
});
