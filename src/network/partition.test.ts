/** Parts of networks that processes compute. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../errors.ts";
import { sizeOf } from "../shape.ts";
import { findNetwork } from "./alexnet.ts";
import { operations, withClasses } from "./network.ts";
import { partition } from "./partition.ts";
import type { Scheme } from "./schemes.ts";

const opsOf = (name: string) => operations(findNetwork(name));
const parts = (name: string, scheme: Scheme, size: number, rank = 1) => partition(opsOf(name), scheme, { rank, size });
const textOf = ({ gathers }: ReturnType<typeof partition>) =>
  gathers.map(({ before = "end", axis, gradient }) => `${before} ${axis} ${gradient}`);

test("one process computes the chain as it is", () => {
  const ops = opsOf("alexnet");
  for (const scheme of ["data", "towers", "hybrid"] as const) {
    assert.deepEqual(partition(ops, scheme, { rank: 0, size: 1 }), { ops, gathers: [] });
  }
});

test("data leaves the operations, and gathers the scores", () => {
  const { ops, gathers } = parts("alexnet", "data", 4);
  assert.deepEqual(ops, opsOf("alexnet"));
  assert.deepEqual(gathers, [{ before: undefined, axis: "batch", gradient: "own" }]);
});

test("towers of the paper's network: half of the kernels, exchanges where figure 2 has them", () => {
  const towers = parts("alexnet", "towers", 2);
  assert.deepEqual(textOf(towers), [
    "conv3 features sum",
    "fc6 features sum",
    "fc7 features sum",
    "fc8 features sum",
    "end features own",
  ]);
  // Figure 2: 48, 128, 192, 192 and 128 kernels on each of two devices; conv3 reads all 256 maps.
  const weights = towers.ops.flatMap(({ parameters: [weight] }) => (weight ? [weight.shape.join("×")] : []));
  assert.deepEqual(weights, [
    ...["48×3×11×11", "128×48×5×5", "192×256×3×3", "192×192×3×3", "128×192×3×3"],
    ...["2048×9216", "2048×4096", "500×4096"],
  ]);
  assert.ok(towers.ops.every(({ part }) => part?.index === 1 && part.count === 2));
  const [whole, own] = [opsOf("alexnet"), towers.ops].map((ops) =>
    ops.reduce((sum, { parameters }) => sum + parameters.reduce((of, { shape }) => of + sizeOf(shape), 0), 0),
  );
  assert.equal(own, (whole ?? 0) / 2);
});

test("hybrid divides linear layers, and gathers the batch before them", () => {
  const hybrid = parts("alexnet-owt", "hybrid", 4);
  assert.deepEqual(textOf(hybrid), ["fc6 batch sum", "fc7 features sum", "fc8 features sum", "end features own"]);
  const flat = hybrid.ops.findIndex(({ kind }) => kind === "linear");
  assert.ok(hybrid.ops.every(({ part }, i) => (part !== undefined) === i >= flat));
});

test("a layer that the processes do not divide, and those after it, are computed by all of them", () => {
  const ops = operations(withClasses(findNetwork("alexnet"), 10));
  const { gathers, ops: own } = partition(ops, "hybrid", { rank: 2, size: 4 });
  assert.deepEqual(textOf({ ops: own, gathers }), ["fc6 batch sum", "fc7 features sum", "fc8 features own"]);
  assert.equal(own.at(-1)?.part, undefined);
  assert.deepEqual(own.at(-1), ops.at(-1));
});

test("refusals name the layer and a remedy", () => {
  const refused = (name: string, scheme: Scheme, size: number, message: RegExp) =>
    assert.throws(
      () => parts(name, scheme, size),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  refused(
    "bvlc-alexnet",
    "towers",
    2,
    /^--parallel towers: norm1: expected channels in groups that 2 processes divide/,
  );
  refused("alexnet", "towers", 4, /norm1: .*use a network with such groups, or --parallel hybrid/);
  refused("alexnet", "towers", 5, /expected a first layer with outputs that 5 processes divide/);
  const convolutions = opsOf("alexnet").slice(0, 4);
  assert.throws(() => partition(convolutions, "hybrid", { rank: 0, size: 2 }), /hybrid: expected a linear layer/);
});
