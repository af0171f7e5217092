/** Order of classes: as text, by numbers, and as a file lists them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { picture, withFolder } from "../../../test/pictureFolders.ts";
import { orderedClasses } from "./classOrder.ts";
import { listImageFolder } from "./imageFolder.ts";

test("text order is that of code points; natural order compares numbers of any length by value", async () => {
  const found = [
    "b",
    "a10",
    "a2",
    "a02",
    "10",
    "9",
    "a",
    "a2b10",
    "a2b9",
    "99999999999999999999",
    "100000000000000000000",
  ];
  assert.deepEqual((await orderedClasses(found, "/", {})).names, found.toSorted());
  const natural = await orderedClasses(found, "/", { classOrder: "natural" });
  assert.deepEqual(natural.names, [
    ...["9", "10", "99999999999999999999", "100000000000000000000"],
    ...["a", "a02", "a2", "a2b9", "a2b10", "a10", "b"],
  ]);
});

test("classes that are numbers in text order are pointed out", async () => {
  const { notes } = await orderedClasses(["1", "10", "2"], "/", {});
  assert.deepEqual(notes, [
    "classes are numbers, sorted as text (1, 10, 2, …); --class-order natural sorts them as numbers",
  ]);
  assert.deepEqual((await orderedClasses(["1", "10", "2"], "/", { classOrder: "natural" })).notes, []);
  assert.deepEqual((await orderedClasses(["1", "2"], "/", {})).notes, []);
});

test("spaces around the names of a file count only where a class has them", async () => {
  await withFolder(
    {
      "c /1.png": await picture(1),
      "c /2.png": await picture(3),
      "d/1.png": await picture(2),
      "names.txt": "d \nc \n",
    },
    async (root) => {
      assert.deepEqual((await listImageFolder(root, { classes: "names.txt" })).classNames, ["d", "c "]);
    },
  );
});

test("a file fixes the order, of folders and of tables, and may name classes without images", async () => {
  const [one, two] = await Promise.all([picture(1), picture(2)]);
  const files = {
    "b/1.png": one,
    "b/2.png": two,
    "a/1.png": one,
    "a/2.png": two,
    "labels.csv": "image,label\nb/1.png,x\nb/2.png,x\na/1.png,y\na/2.png,y\n",
    "classes.txt": "\ufeffz\r\nb\r\na\r\n\r\n",
    "names.txt": "y\nx\n",
    "twice.txt": "y\nx\ny\n",
  };
  await withFolder(files, async (root) => {
    const folders = await listImageFolder(root, { classes: "classes.txt" });
    assert.deepEqual(folders.classNames, ["z", "b", "a"]);
    assert.ok(
      folders.notes.some((note) => note.endsWith("classes.txt: classes without images: 1 (z)")),
      folders.notes.join("\n"),
    );
    const labels = [...folders.train, ...folders.test].map(({ path, label }) => [path.slice(0, 1), label]);
    assert.deepEqual(
      new Map(labels as [string, number][]),
      new Map([
        ["a", 2],
        ["b", 1],
      ]),
    );
    const table = await listImageFolder(root, { labels: "labels.csv", classes: "names.txt" });
    assert.deepEqual(table.classNames, ["y", "x"]);
    const says = [
      ["names.txt", /names\.txt: expected all classes of the images, got none called "a", "b"; add them/],
      ["twice.txt", /twice\.txt: line 3: expected each class once, got "y" as in line 1/],
      [
        "none.txt",
        /none\.txt: expected a file with one class name per line; found none in the working directory and in/,
      ],
    ] as const;
    for (const [classes, message] of says) await assert.rejects(listImageFolder(root, { classes }), message);
  });
});
