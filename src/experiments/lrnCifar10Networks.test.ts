import assert from "node:assert/strict";
import { test } from "node:test";
import { place } from "../network/network.ts";
import { convLocal, threeConvolutions } from "./lrnCifar10Networks.ts";

test("maps have the sizes of the authors' program, which rounds the number of windows of a pool up", () => {
  const sizesOf = (network: ReturnType<typeof convLocal>) =>
    place(network).flatMap(({ layer, outputShape }) => (layer.name.startsWith("pool") ? [outputShape] : []));
  assert.deepEqual(sizesOf(convLocal("local response")), [
    [64, 12, 12],
    [64, 6, 6],
  ]);
  assert.deepEqual(sizesOf(threeConvolutions("local response")), [
    [32, 12, 12],
    [32, 6, 6],
    [64, 3, 3],
  ]);
});
