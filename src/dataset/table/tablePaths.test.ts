import assert from "node:assert/strict";
import { posix, win32 } from "node:path";
import { test } from "node:test";
import { basesOf, pathBelow } from "./tablePaths.ts";

test("a table beside, in and above the folder of the images, by the rules of both families of systems", () => {
  for (const [rules, root] of [
    [posix, "/data/images"],
    [win32, "C:\\data\\images"],
  ] as const) {
    const at = (...names: string[]) => rules.join(root, ...names);
    assert.deepEqual(basesOf(root, at("labels.csv"), rules), [{ below: "" }]);
    assert.deepEqual(basesOf(root, at("meta", "a", "labels.csv"), rules), [{ below: "" }, { below: "meta/a" }]);
    assert.deepEqual(basesOf(root, at("..", "labels.csv"), rules), [{ below: "" }, { above: "images" }]);
    // An archive is unpacked elsewhere.
    assert.deepEqual(basesOf(root, at("..", "other", "labels.csv"), rules), [{ below: "" }, { above: "images" }]);
    const twoUp = at("..", "..", "labels.csv");
    assert.deepEqual(basesOf(root, twoUp, rules), [{ below: "" }, { above: "data/images" }, { above: "images" }]);
    assert.equal(pathBelow(root, at("meta", "labels.csv"), rules), "meta/labels.csv");
    assert.equal(
      pathBelow(root, at("..meta", "labels.csv"), rules),
      "..meta/labels.csv",
      "a name that begins with dots",
    );
  }
});

test("Windows: a table on another drive or server is outside of the folder", () => {
  for (const table of ["D:\\tables\\labels.csv", "\\\\server\\share\\labels.csv"]) {
    assert.equal(pathBelow("C:\\images", table, win32), undefined);
    assert.deepEqual(basesOf("C:\\images", table, win32), [{ below: "" }, { above: "images" }]);
  }
});
