import assert from "node:assert/strict";
import { test } from "node:test";
import { fileNameOf } from "./fileName.ts";

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
