import assert from "node:assert/strict";
import { test } from "node:test";
import { noteOtherAlgorithms } from "./runSetup.ts";

function messages(
  then: Readonly<Record<string, string>> | undefined,
  now: Readonly<Record<string, string>> | undefined,
) {
  const said: string[] = [];
  const config = then ? { algorithms: { ...then } } : {};
  noteOtherAlgorithms(config, now, { onMessage: (message) => said.push(message) });
  return said;
}

test("resume: convolutions by the same algorithms are not mentioned, others are named", () => {
  const now = { conv1: "direct", conv2: "dft", conv3: "dft", conv4: "winograd" };
  assert.deepEqual(messages(now, now), []);
  assert.deepEqual(messages({ ...now, conv2: "direct", conv4: "dft" }, now), [
    "convolutions: conv2 by dft; conv4 by winograd now, by another algorithm when the run began; rounding differs from here on",
  ]);
});

test("resume: a run of a version without the record had no Fourier transforms", () => {
  assert.deepEqual(messages(undefined, { conv1: "direct", conv2: "winograd" }), []);
  assert.deepEqual(messages(undefined, { conv1: "direct", conv2: "dft" }), [
    "convolutions: conv2 by dft now, by another algorithm when the run began; rounding differs from here on",
  ]);
});

test("resume: an engine with one algorithm has nothing to say", () => {
  assert.deepEqual(messages(undefined, undefined), []);
});
