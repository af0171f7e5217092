/** Lists of class names as editors save them. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError } from "../errors.ts";
import { distinctNames, readClassList } from "./classList.ts";
import { imagenetClasses } from "./imagenetClasses.ts";

async function read(bytes: Uint8Array | string) {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-classes-"));
  try {
    await writeFile(join(folder, "names.txt"), bytes);
    return await readClassList(join(folder, "names.txt"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const bigEndian = (text: string) => Buffer.from(text, "utf16le").swap16();

test("readClassList: every encoding, line ending and Unicode form gives the same names", async () => {
  const expected = ["blue", "café", "猫"];
  const text = "blue\ncafé\n猫";
  const files: readonly (Uint8Array | string)[] = [
    text,
    `${text}\n`,
    `\ufeff${text.replaceAll("\n", "\r\n")}\r\n`,
    text.replaceAll("\n", "\r"),
    text.replaceAll("\n", "\u2028"),
    `${text}\n\n\n`,
    "  blue\t\ncafé \u00a0\n\u3000猫  \n",
    text.normalize("NFD"),
    `blue\n\ufeffcafé\n猫\n`,
    Buffer.from(`\ufeff${text}`, "utf16le"),
    Buffer.from(text, "utf16le"),
    bigEndian(`\ufeff${text}\r\n`),
    bigEndian(text),
  ];
  for (const file of files) assert.deepEqual(await read(file), { names: expected, notes: [] }, JSON.stringify(file));
});

test("readClassList: empty lines between names are left out, with a note", async () => {
  const { names, notes } = await read("a\n\n \nb\n\n");
  assert.deepEqual(names, ["a", "b"]);
  assert.match(notes.join(), /skipped empty lines: 2$/);
});

test("readClassList: other encodings are refused with a remedy", async () => {
  await assert.rejects(read(Buffer.from("caf\xe9\n", "latin1")), (error: Error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /not UTF-8; save the file as UTF-8$/);
    return true;
  });
  await assert.rejects(readClassList("/nowhere/names.txt"), ConfigError);
});

test("distinctNames: names that repeat are followed by their outputs", () => {
  assert.deepEqual(distinctNames(["a", "__proto__", "b"]), { names: ["a", "__proto__", "b"], notes: [] });
  const { names, notes } = distinctNames(["crane", "crane (2)", "crane", "hen"]);
  assert.deepEqual(names, ["crane (0)", "crane (2)", "crane (2)′", "hen"]);
  assert.deepEqual(notes, ["class names: crane occurs 2 times (outputs 0, 2); renamed to crane (0), crane (2)′"]);
});

test("distinctNames: ImageNet's own repeats get the WNIDs that its data set has", () => {
  const bare = imagenetClasses.map((name) => name.replace(/ \(n\d{8}\)$/, ""));
  assert.equal(new Set(bare).size, 998);
  const { names, notes } = distinctNames(bare);
  assert.deepEqual(names, imagenetClasses);
  assert.equal(notes.length, 2);
});
