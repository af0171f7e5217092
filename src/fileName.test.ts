import assert from "node:assert/strict";
import { win32 } from "node:path";
import { test } from "node:test";
import { createNameCheck, fileNameOf, staysInside, unstoredName } from "./fileName.ts";

test("names become one component of a path", () => {
  const names = [
    "alexnet-owt",
    "../../../x",
    "..",
    ".",
    "",
    "/etc/passwd",
    "a\\b:c",
    "a\u0000b\u001b[2J",
    "猫.v2",
    "-rf",
    "~",
  ];
  assert.deepEqual(
    names.map((name) => fileNameOf(name, "network")),
    ["alexnet-owt", "x", "network", "network", "network", "etc-passwd", "a-b-c", "a-b-2J", "猫.v2", "rf", "network"],
  );
  assert.ok(Buffer.byteLength(fileNameOf("😀a".repeat(1000), "x")) <= 240);
  assert.ok(Buffer.byteLength(fileNameOf("𠀀".repeat(1000), "x")) <= 240);
});

test("names are files on Windows too: no device, no dot at the end", () => {
  const names = ["CON", "nul", "Aux.json", "COM1", "lpt¹.txt", "com10", "console", "nul-1", "x.", "x. .", "a:b"];
  assert.deepEqual(
    names.map((name) => fileNameOf(name, "network")),
    ["_CON", "_nul", "_Aux.json", "_COM1", "_lpt¹.txt", "com10", "console", "nul-1", "x", "x", "a-b"],
  );
  const cut = fileNameOf(`${"a".repeat(59)}.b`, "network");
  assert.equal(cut, "a".repeat(59), "a cut leaves no dot at the end either");
});

test("names in archives stay inside a folder, by the rules of Windows and of other systems", () => {
  for (const name of ["a.bin", "d/a.bin", "d\\a.bin", "..a/b..", "d/./a"]) assert.ok(staysInside(name), name);
  for (const name of [
    "",
    "/a",
    "../a",
    "d/../../a",
    "\\a",
    "..\\a",
    "d\\..\\..\\a",
    "C:\\a",
    "C:a",
    "\\\\host\\x\\a",
  ]) {
    assert.equal(staysInside(name), false, name);
  }
  // The oracle: joined to a folder, a refused name leads out of it on one of the systems.
  assert.equal(win32.join("C:\\cache", "d\\..\\..\\a"), "C:\\a");
});

test("Windows: a path that would become a device, a hidden stream or another name is refused, on other systems not", () => {
  const refused: readonly (readonly [path: string, says: RegExp])[] = [
    ["con/1.jpg", /"con" is a device/],
    ["a/aux.jpg", /"aux.jpg" is a device/],
    ["cats/tom:face.jpg", /"tom:face.jpg" has a character/],
    ["what?/1.jpg", /"what\?" has a character/],
    ["a/b\\c.jpg", /has a character/],
    ["a/b\u0007.jpg", /has a character/],
    ["cats./1.jpg", /"cats." ends in a dot or space/],
    ["cats /1.jpg", /"cats " ends in a dot or space/],
  ];
  for (const [path, says] of refused) {
    assert.match(createNameCheck("win32")(path) ?? "", says, path);
    assert.equal(createNameCheck("linux")(path), undefined, path);
    assert.equal(createNameCheck("darwin")(path), undefined, path);
  }
  for (const path of ["cats/1.jpg", "猫/é.png", ".a b/c", "console/lpt10.jpg"]) {
    assert.equal(createNameCheck("win32")(path), undefined, path);
  }
});

test("Windows and macOS: two folders whose names differ by case only are refused, on Linux not", () => {
  for (const platform of ["win32", "darwin", "linux"] as const) {
    const check = createNameCheck(platform);
    assert.equal(check("train/Cat/1.jpg"), undefined);
    assert.equal(check("train/Cat/2.jpg"), undefined);
    const problem = check("train/cat/3.jpg");
    if (platform === "linux") assert.equal(problem, undefined);
    else assert.equal(problem, '"train/cat" and "train/Cat" are one name on this system');
  }
  const check = createNameCheck("darwin");
  check("\u00e9/1.jpg");
  assert.match(check("e\u0301/2.jpg") ?? "", /are one name/);
});

test("Windows: a run directory that would be a device or get another name", () => {
  for (const path of ["runs/con", "C:\\runs\\nul.1", "runs\\exp1.", "D:/runs/a b ", "runs/a:b", "runs/what?/"]) {
    assert.match(unstoredName(path, "win32") ?? "", /Windows/, path);
    assert.equal(unstoredName(path, "linux"), undefined, path);
  }
  for (const path of [
    "runs/a",
    "C:\\runs\\a.b",
    "C:\\",
    ".",
    "..",
    "runs/..",
    "\\\\?\\C:\\runs\\a",
    "\\\\host\\share\\a",
  ]) {
    assert.equal(unstoredName(path, "win32"), undefined, path);
  }
});
