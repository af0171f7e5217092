import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../errors.ts";
import { nonNegative, positiveInteger, positiveNumber, seed } from "./options.ts";

test("numeric options: values within bounds are accepted, others refused with the expected bounds", () => {
  const cases = [
    [positiveInteger, ["1", "128", "1e3"], ["0", "-1", "1.5", "", " ", "x", "1x", "Infinity", "NaN"]],
    [positiveNumber, ["0.25", "1e-9", "3"], ["0", "-0.5", "many", "", "Infinity", "1,5"]],
    [nonNegative, ["0", "0.0005"], ["-1e-9", "", "none", "Infinity"]],
    [seed, ["0", "4294967295"], ["-1", "4294967296", "0.5", ""]],
  ] as const;
  for (const [parse, taken, refused] of cases) {
    for (const text of taken) assert.equal(parse(text), Number(text));
    for (const text of refused) {
      assert.throws(
        () => parse(text),
        (error) => error instanceof ConfigError && error.message.endsWith(`got "${text}"`),
        text,
      );
    }
  }
});
