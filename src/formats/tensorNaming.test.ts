import assert from "node:assert/strict";
import { test } from "node:test";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { CheckpointError } from "../errors.ts";
import { findNetwork } from "../network/alexnet.ts";
import type { Network } from "../network/network.ts";
import { checkedWeights, matchNames, renamed, tensorNamings } from "./tensorNaming.ts";

const owt = findNetwork("alexnet-owt");
/** Source: torchvision 0.14, `list(torchvision.models.alexnet().state_dict())`. */
const torchvision = [0, 3, 6, 8, 10]
  .map((i) => `features.${i}`)
  .concat([1, 4, 6].map((i) => `classifier.${i}`))
  .flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]);

/** Tensors without values, and what was asked for. */
function named(network: Network, rename: (name: string, i: number) => string) {
  const asked: string[] = [];
  const own = checkedShapes(network);
  const source: TensorSource = {
    tensors: own.map(({ name, shape }, i) => ({ name: rename(name, i), shape })),
    async read(name, into) {
      asked.push(name);
      return into;
    },
  };
  return { source, asked };
}

function checkedShapes(network: Network) {
  const anything: TensorSource = { tensors: [], read: async (_name, into) => into };
  try {
    return checkedWeights("x", anything, network).tensors;
  } catch (error) {
    assert.ok(error instanceof CheckpointError);
    return [...error.message.matchAll(/^ {2}(\S+): missing, expected \[([\d, ]+)\]$/gm)].map(
      ([, name = "", shape = ""]) => ({
        name,
        shape: shape.split(", ").map(Number),
      }),
    );
  }
}

test("alexnet-owt has torchvision's names", () => {
  assert.deepEqual(
    checkedShapes(owt).map(({ name }) => name),
    torchvision,
  );
});

test("D2L's nn.Sequential: the learning layers of alexnet-fashion stand where the book has them", () => {
  const [, , sequential] = tensorNamings;
  const names = [...(sequential?.of(findNetwork("alexnet-fashion")).values() ?? [])].filter((name) =>
    name.endsWith("weight"),
  );
  // Source: Zhang et al., “Dive into Deep Learning”, §8.1, d2l.AlexNet(); then what is added to it here.
  assert.deepEqual(
    names.slice(0, 8).map((name) => Number.parseInt(name, 10)),
    [0, 3, 6, 8, 10, 14, 17, 20],
  );
});

for (const [what, rename] of [
  ["as they are", (name: string) => name],
  ["in a module", (name: string) => `model.${name}`],
  ["in two", (name: string) => `net.backbone.${name}`],
  ["of DataParallel", (name: string) => `module.${name}`],
  ["of DataParallel around the features", (name: string) => name.replace("features.", "features.module.")],
  ["compiled", (name: string) => `_orig_mod.module.${name}`],
] as const) {
  test(`names ${what} are found`, async () => {
    const { source, asked } = named(owt, rename);
    const weights = checkedWeights("file", source, owt);
    assert.deepEqual(
      weights.tensors.map(({ name }) => name),
      torchvision,
    );
    for (const { name } of weights.tensors) await weights.read(name, new Float32Array(0));
    assert.deepEqual(asked, torchvision.map(rename));
  });
}

for (const naming of tensorNamings) {
  test(`${naming.name}: renamed and found again, every network of its own tensors`, async () => {
    for (const network of ["alexnet", "alexnet-owt", "alexnet-rgb", "alexnet-small"].map(findNetwork)) {
      const { source, asked } = named(network, (name) => name);
      const exported = renamed(source, network, naming);
      assert.equal(matchNames(network, exported.tensors).naming, naming);
      const prefixed = {
        ...exported,
        tensors: exported.tensors.map((each) => ({ ...each, name: `net.${each.name}` })),
      };
      assert.equal(matchNames(network, prefixed.tensors).naming, naming);
      const back = checkedWeights("file", exported, network);
      assert.deepEqual(back.tensors, source.tensors);
      for (const { name } of back.tensors) await back.read(name, new Float32Array(0));
      assert.deepEqual(
        asked,
        source.tensors.map(({ name }) => name),
      );
    }
  });
}

test("what does not fit is listed by the file's names: missing, extra, of another shape", () => {
  const { source } = named(owt, (name) => `module.${name}`);
  const [first, second, ...rest] = source.tensors;
  assert.ok(first && second);
  const tensors = [
    { name: first.name, shape: [64, 3, 7, 7] },
    ...rest,
    { name: "module.features.1.running_mean", shape: [64] },
  ];
  assert.throws(
    () => checkedWeights("file", { ...source, tensors }, owt),
    /^CheckpointError: file: 3 tensors do not match:\n {2}module\.features\.0\.weight: expected \[64, 3, 11, 11\], got \[64, 3, 7, 7\]\n {2}features\.0\.bias: missing, expected \[64\]\n {2}module\.features\.1\.running_mean: not expected, got \[64\]$/,
  );
});

test("two names that would become one are left as they are", () => {
  const { source } = named(owt, (name) => name);
  const double = source.tensors.map(({ name, shape }) => ({ name: `module.${name}`, shape }));
  const { names } = matchNames(owt, [...source.tensors, ...double]);
  assert.equal(names.get("features.0.weight"), "features.0.weight");
});
