import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean } from "./suggest.ts";

test("the most similar name is suggested, or none", () => {
  const names = ["alexnet", "alexnet-owt", "cifar10", "flowers", "fashion-mnist"];
  for (const [given, meant] of [
    ["alexnet-otw", "alexnet-owt"],
    ["AlexNet", "alexnet"],
    ["cifar", "cifar10"],
    ["cifar-10", "cifar10"],
    ["flower", "flowers"],
    ["fashionmnist", "fashion-mnist"],
    ["fashion", "fashion-mnist"],
  ] as const) {
    assert.equal(didYouMean(given, names), ` (did you mean ${meant}?)`);
  }
  for (const given of ["resnet50", "x", "", "imagenet", "a".repeat(1e6)]) assert.equal(didYouMean(given, names), "");
});
