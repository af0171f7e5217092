/** On files of PyTorch's own, and on files that attack their reader: scripts/golden/interop.py makes both. */
// Runs alone: it holds limits of time.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { inflateSync } from "node:zlib";
import { readGolden } from "../../../test/golden.ts";
import { type Dtype, dtypes } from "../../checkpoint/dtypes.ts";
import { DataError, ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { bytesInMemory } from "../containers/byteSource.ts";
import { findStateDict } from "./findStateDict.ts";
import type { PickleValue } from "./pickleFormat.ts";
import { readPytorch } from "./readPytorch.ts";

interface Golden {
  readonly files: readonly {
    readonly name: string;
    readonly file: string;
    readonly tensors: Readonly<Record<string, { dtype: string; shape: number[]; hex: string }>>;
  }[];
  readonly attacks: readonly { readonly name: string; readonly file: string }[];
}

const golden = await readGolden<Golden>("interop");
const unpack = (file: string) => inflateSync(Buffer.from(file, "base64"));
const open = (name: string, bytes: Uint8Array) => readPytorch(bytesInMemory(name, bytes));
const hexOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  Buffer.from(buffer, byteOffset, byteLength).toString("hex");

describe("files of torch.save, to the bit:", () => {
  for (const { name, file, tensors } of golden.files) {
    test(name, async () => {
      const opened = await open(name, unpack(file));
      assert.deepEqual(
        opened.tensors,
        Object.entries(tensors).map(([tensor, { shape }]) => ({ name: tensor, shape })),
      );
      for (const [tensor, { dtype, shape, hex }] of Object.entries(tensors)) {
        assert.equal(hexOf(await opened.readStored(tensor)), hex, `${tensor}, ${dtype}`);
        const values = await opened.read(tensor, new Float32Array(sizeOf(shape)));
        if (dtype === "F32") assert.equal(hexOf(values), hex, tensor);
        // Every f16 and bf16 value is an f32 value.
        if (dtype === "F64") assert.deepEqual([...values], floatsOf(hex), tensor);
        await assert.rejects(opened.read(tensor, new Float32Array(sizeOf(shape) + 1)), ShapeError);
      }
      await assert.rejects(opened.read("none"), /tensor "none" is missing/);
    });
  }
});

function floatsOf(hex: string): number[] {
  return [...new Float64Array(Uint8Array.from(Buffer.from(hex, "hex")).buffer)].map(Math.fround);
}

const LIMIT_MS = 5000;

/** Required text of refusals; all other files are damaged in some way. */
const says: Readonly<Record<string, RegExp>> = {
  "os.system, protocol 2":
    /refused "posix\.system".*none of its code was run.*torch\.save\(model\.state_dict\(\), FILE\)/,
  "builtins.eval, protocol 4": /refused "builtins\.eval"/,
  "nested pickle, protocol 2": /refused "pickle\.loads"/,
  "class, protocol 2": /refused "torch\.nn\.modules\.linear\.Linear"/,
  "in a tensor's place, protocol 4": /refused "posix\.system"/,
  "getattr by hand": /refused "builtins\.getattr"/,
  "dotted name": /refused "torch\.os\.path\.system"/,
  INST: /STRING is not an instruction for tensors/,
  OBJ: /refused "os\.system"/,
  NEWOBJ_EX: /NEWOBJ_EX is not an instruction/,
  EXT1: /EXT1 is not an instruction/,
  "calls a storage": /torch\.FloatStorage cannot be called/,
  "memo bomb": /more than 250000 instructions/,
  deep: /more than 1000 levels/,
  "long number": /a whole number of 255 bytes/,
  itself: /expected a state dict/,
  laughs: /expected a state dict/,
  "beyond its storage": /size \[2\], stride \[1\] from 0 exceeds the 1 values of its storage 0/,
  "negative stride": /stride: expected up to 64 whole numbers of 0 or more/,
  "2^63 values": /size: expected/,
  "2^52 of one value": /4503599627370496 values in a file of \d+ bytes/,
  "a larger storage": /storage 0: expected 2 values of F32, got 4 bytes/,
  "bad checksum": /the checksum of archive\/data\/0 differs/,
  encrypted: /is encrypted/,
  compressed: /is compressed/,
  bomb: /archive\/data\.pkl is compressed/,
  POP: /POP is not an instruction/,
  wide: /expected a state dict/,
  overlapping: /archive\/data\/0 overlaps the file before it/,
  "two files of one name": /contains archive\/data\.pkl twice/,
  "named ../data.pkl": /refused the name "\.\.\/data\.pkl"/,
  "named archive\\..\\x": /refused the name/,
  "older, other length": /expected 4 values, got 4611686018427387904/,
  "not of torch": /expected a file written by torch\.save/,
  "another pickle": /expected a file written by torch\.save/,
};

describe("refused, and nothing run:", () => {
  for (const { name, file } of golden.attacks) {
    test(name, async () => {
      const began = performance.now();
      await assert.rejects(readAll(name, unpack(file)), (error: Error) => {
        assert.ok(error instanceof DataError, error.stack);
        assert.ok(error.message.startsWith(`${name}: `), error.message);
        assert.match(error.message, says[name] ?? /./);
        return true;
      });
      assert.ok(!existsSync("alexnet-was-here"));
      // Milliseconds on an idle machine; what grows without end takes minutes.
      assert.ok(performance.now() - began < LIMIT_MS);
    });
  }

  test("every refusal that is described is tried", () => {
    const tried = new Set(golden.attacks.map(({ name }) => name));
    assert.deepEqual(
      Object.keys(says).filter((name) => !tried.has(name)),
      [],
    );
  });
});

async function readAll(name: string, bytes: Uint8Array): Promise<void> {
  const opened = await open(name, bytes);
  for (const tensor of opened.tensors) await opened.readStored(tensor.name);
}

test("a list of one state dict is that state dict", () => {
  const dtype = dtypes.get("F32") as Dtype;
  const storage = { type: "storage", key: "0", dtype, length: 1 } as const;
  const tensor = { type: "tensor", storage, offset: 0, shape: [1], strides: [1] } as const;
  const dict: PickleValue = { type: "dict", items: new Map([["0.weight", tensor]]) };
  const checkpoint = (items: PickleValue[]): PickleValue => ({
    type: "dict",
    items: new Map([["state_dict", { type: "list", items } as const]]),
  });
  assert.deepEqual([...findStateDict(checkpoint([dict])).tensors.keys()], ["0.weight"]);
  assert.throws(() => findStateDict(checkpoint([dict, dict])), /expected a state dict/);
});
