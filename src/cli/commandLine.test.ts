/** The recorded command line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandLine } from "./commandLine.ts";

test("arguments are quoted for a shell where it would split or expand them", () => {
  assert.equal(commandLine({ argv: ["train", "cifar10", "--run=a/b_1"] }), "alexnet train cifar10 --run=a/b_1");
  assert.equal(
    commandLine({ argv: ["reproduce", "relu-tanh", "--output", "my runs", "it's", "*", ""] }),
    "alexnet reproduce relu-tanh --output 'my runs' 'it'\\''s' '*' ''",
  );
});
