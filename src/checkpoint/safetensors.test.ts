/** The format by its specification, written and read. Longer than other files: every rule has its case. */
import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bitsOf, fillStoreAt, memoryStore } from "../../test/checkpoints.ts";
import { CheckpointError, ShapeError } from "../errors.ts";
import { fillWords, randomStream } from "../random.ts";
import { readWeights } from "./model.ts";
import { withReader } from "./safetensorsReader.ts";
import { chunkBytes, writeSafetensors } from "./safetensorsWriter.ts";
import { fillStore } from "./tensorStore.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-safetensors-"));
});
after(async () => {
  await rm(folder, { recursive: true });
});

const tensors = [
  { name: "features.0.weight", shape: [2, 3, 2, 2] },
  // Numbers as names come first in a JavaScript object, whatever the order of insertion.
  { name: "0", shape: [3] },
  { name: 'scalar “é” \\ "', shape: [] },
  { name: "empty", shape: [0, 4] },
];

async function writeSample(name: string): Promise<string> {
  const file = join(folder, name);
  const store = memoryStore(tensors);
  fillStoreAt(store, 1);
  await writeSafetensors(file, { note: '{"alexnetSha256":"x"}', "1": "a number as a key" }, store);
  return file;
}

/** A file by the format's specification, written without the code under test. */
async function writeRaw(header: string | object, data: Buffer, length?: bigint): Promise<string> {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(json.length));
  const file = join(folder, "raw.safetensors");
  await writeFile(file, Buffer.concat([start, json, data]));
  return file;
}

test("a file of another program, without a checksum, is read: any order, spaces, values by hand", async () => {
  const data = Buffer.from("0000803f000000c00000003f", "hex"); // 1, -2, 0.5
  const header =
    '{ "b": {"dtype":"F32", "shape":[1], "data_offsets":[8,12]}, "a": {"dtype":"F32","shape":[2,1],"data_offsets":[0,8]} }  ';
  await withReader(await writeRaw(header, data), async (reader) => {
    await reader.verify();
    assert.deepEqual([...reader.header.tensors.keys()], ["a", "b"]);
    assert.deepEqual(reader.header.tensors.get("a")?.shape, [2, 1]);
    assert.deepEqual([...(await reader.read("a"))], [1, -2]);
    assert.deepEqual([...(await reader.read("b", new Float32Array(1)))], [0.5]);
    await assert.rejects(reader.read("a", new Float32Array(3)), ShapeError);
    await assert.rejects(reader.read("c"), /raw\.safetensors: contains no tensor "c"/);
  });
});

test("a written file has the bytes that the specification requires", async () => {
  const file = join(folder, "bytes.safetensors");
  const store = memoryStore([{ name: "w", shape: [1, 2] }]);
  store.values.get("w")?.set([1, -2]);
  const checksum = await writeSafetensors(file, { k: "v" }, store);
  const bytes = await readFile(file);
  const length = Number(bytes.readBigUInt64LE());
  assert.equal(length % 8, 0);
  assert.deepEqual(JSON.parse(bytes.toString("utf8", 8, 8 + length)), {
    __metadata__: { alexnetSha256: checksum, k: "v" },
    w: { dtype: "F32", shape: [1, 2], data_offsets: [0, 8] },
  });
  assert.equal(bytes.toString("hex", 8 + length), "0000803f000000c0");
});

test("values, names, shapes and metadata are read back bit-exactly, also across chunk borders", async () => {
  const file = join(folder, "large.safetensors");
  const large = [...tensors, { name: "large", shape: [3, chunkBytes / 4 + 5] }];
  const written = memoryStore(large);
  fillStoreAt(written, 3);
  await writeSafetensors(file, { a: "1" }, written);
  await withReader(file, async (reader) => {
    assert.deepEqual(reader.header.metadata, { a: "1" });
    const read = memoryStore(large);
    await fillStore(reader, read);
    assert.equal(bitsOf(read), bitsOf(written));
    await reader.verify();
  });
});

test("a large file, whose checksum another thread computes: intact, changed anywhere, cut short", async () => {
  const file = join(folder, "aside.safetensors");
  const large = [{ name: "w", shape: [9 * 2 ** 20] }];
  const written = memoryStore(large);
  fillStoreAt(written, 3);
  await writeSafetensors(file, {}, written);
  const load = () => withReader(file, (reader) => fillStore(reader, memoryStore(large)));
  await load();
  // Read in three parts, the last of which is shorter.
  const values = written.values.get("w") as Float32Array;
  await withReader(file, async (reader) => {
    await reader.verify();
    const restored = memoryStore(large);
    await fillStore(reader, restored);
    assert.ok(Buffer.from(values.buffer).equals(Buffer.from((restored.values.get("w") as Float32Array).buffer)));
  });
  const { size } = await stat(file);
  for (const position of [size - 4, size >> 1]) {
    const handle = await open(file, "r+");
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, position);
    await handle.write(Buffer.of((byte[0] as number) ^ 1), 0, 1, position);
    await assert.rejects(load(), /its checksum differs/);
    await handle.write(byte, 0, 1, position);
    await handle.close();
  }
  await load();
  await withReader(file, async (reader) => {
    await truncate(file, size - 100);
    await assert.rejects(fillStore(reader, memoryStore(large)), /it ends at byte/);
  });
});

test("a value that is not finite is found in every part of a tensor; the tensors after it are filled", async () => {
  const file = join(folder, "parts.safetensors");
  const part = 2 ** 22;
  const shapes = [
    { name: "w", shape: [2 * part + 5] },
    { name: "x", shape: [1] },
  ];
  for (const index of [part - 1, part, 2 * part + 4]) {
    const written = memoryStore(shapes);
    written.values.get("w")?.fill(Infinity, index, index + 1);
    written.values.get("x")?.fill(3);
    await writeSafetensors(file, {}, written);
    const restored = memoryStore(shapes);
    await assert.rejects(
      withReader(file, (reader) => fillStore(reader, restored)),
      new RegExp(`: w: expected finite numbers, got Infinity at index ${index} \\(1 of ${2 * part + 5} are`),
    );
    assert.deepEqual(restored.values.get("x"), Float32Array.of(3));
  }
});

test("weights for a promised sink: its error is thrown, and so is the file's", async () => {
  const file = await writeSample("promised.safetensors");
  const store = memoryStore(tensors);
  await readWeights(file, Promise.resolve(store));
  assert.ok(store.values.get("0")?.some((value) => value !== 0));
  const failing = Promise.reject(new Error("no engine"));
  failing.catch(() => {});
  await assert.rejects(readWeights(file, failing), /no engine/);
  await assert.rejects(readWeights(join(folder, "none.safetensors"), failing), /none\.safetensors: cannot be read/);
});

test("a sink with memory of its own is read into: no write, the checks as ever", async () => {
  const file = join(folder, "memory.safetensors");
  const shapes = [
    { name: "a", shape: [3] },
    { name: "b", shape: [2] },
  ];
  const written = memoryStore(shapes);
  fillStoreAt(written, 3);
  await writeSafetensors(file, {}, written);
  const memory = new Float32Array(3);
  const writes: string[] = [];
  const sink = {
    tensors: shapes,
    memoryOf: (name: string) => (name === "a" ? memory : undefined),
    write: async (name: string) => void writes.push(name),
  };
  await withReader(file, (reader) => fillStore(reader, sink));
  assert.deepEqual([memory, writes], [written.values.get("a"), ["b"]]);
  written.values.get("a")?.fill(Number.NaN);
  await writeSafetensors(file, {}, written);
  await assert.rejects(
    withReader(file, (reader) => fillStore(reader, sink)),
    /a: expected finite numbers/,
  );
});

test("a source that returns an array of its own, or one of the wrong size", async () => {
  const file = join(folder, "own.safetensors");
  const own = { tensors: [{ name: "w", shape: [2] }], read: async () => Float32Array.of(5, 6) };
  await writeSafetensors(file, {}, own);
  await withReader(file, async (reader) => assert.deepEqual([...(await reader.read("w"))], [5, 6]));
  await assert.rejects(writeSafetensors(file, {}, { ...own, read: async () => Float32Array.of(5) }), ShapeError);
});

test("invalid headers are refused, with the reason", async () => {
  const tensor = (begin: number, end: number, shape = [(end - begin) / 4], dtype = "F32") => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  const data = Buffer.alloc(8);
  const cases: readonly [RegExp, string | object, bigint?][] = [
    [/its header claims 9000 bytes, the file has/, {}, 9000n],
    [/its header claims .* bytes/, {}, 0xffffffffffffffffn],
    [/not JSON/, "{"],
    [/not JSON/, ""],
    [/its header is wrong/, "[]"],
    [/its header is wrong/, { __metadata__: { a: 1 }, w: tensor(0, 8) }],
    [/w: .*expected/, { w: 5 }],
    [/w: expected values of type F32, F64, F16, .*, got F8_E4M3; convert/, { w: tensor(0, 8, [8], "F8_E4M3") }],
    [/w: expected values of type F32.*, got __proto__/, { w: tensor(0, 8, [8], "__proto__") }],
    [/w: F32 of shape \[3\] does not fill its 8 bytes/, { w: tensor(0, 8, [3]) }],
    [/b begins at byte \d+, expected \d+/, { a: tensor(0, 4), b: tensor(0, 4) }],
    [/w begins at byte \d+, expected \d+/, { w: tensor(4, 8) }],
    [/expected \d+ bytes by its header, got \d+/, { w: tensor(0, 4) }],
    [/expected \d+ bytes by its header, got \d+/, { w: tensor(0, 12) }],
    [/w: shape: expected up to 64 whole numbers/, { w: tensor(8, 0, [-2]) }],
    [/w: shape: expected up to 64 whole numbers/, { w: tensor(0, 8, [0.5, 4]) }],
    [/w: shape: expected up to 64 whole numbers/, { w: tensor(0, 8, new Array(65).fill(1)) }],
    [/w: shape: .* 2\^53/, '{"w":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}}'],
    [/w: its shape has more than 2\^53 bytes/, { w: tensor(0, 8, [2 ** 32, 2 ** 32]) }],
    [/w: data_offsets: expected/, '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8.0]}}'],
    [/w: data_offsets: expected/, '{"w":{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}}'],
    [/w: expected two data_offsets/, { w: tensor(8, 0, [0]) }],
    [/w: expected two data_offsets/, '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}'],
    [/b begins at byte \d+, expected \d+/, { a: tensor(0, 3, [3], "U8"), b: tensor(4, 8) }],
    [/"w" for the second time/, `{"w":${JSON.stringify(tensor(0, 8))},"w":${JSON.stringify(tensor(0, 8))}}`],
    [/"\\u0077" for the second time|"w" for the second time/, `{"w":${JSON.stringify(tensor(0, 8))},"\\u0077":1}`],
    [/"dtype" for the second time/, '{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}'],
    [/its header is wrong/, ` ${JSON.stringify({ w: tensor(0, 8) })}`],
    [/not JSON: more than 8 levels/, `{"w":${"[".repeat(100_000)}`],
    [/not JSON: more than one value/, `${JSON.stringify({ w: tensor(0, 8) })}{}`],
    [/not JSON: a string without an end/, '{"w'],
    [/not JSON: a string that is not JSON/, '{"\n":1}'],
    [/not JSON: expected a value, got tru/, '{"w":tru}'],
    [/not JSON: expected a value/, `{"w":${"9".repeat(1000)}}`],
    [/not JSON/, '{"w":01}'],
    [/not JSON/, "{'w':1}"],
    [/not JSON/, '{"w":1,}'],
  ];
  for (const [message, header, length] of cases) {
    const file = await writeRaw(header, data, length);
    await assert.rejects(
      withReader(file, async () => {}),
      (error: Error) => {
        assert.ok(error instanceof CheckpointError, String(error));
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(file), error.message);
        return true;
      },
    );
  }
});

test("__proto__ is an ordinary name", async () => {
  const entry = '{"dtype":"U8","shape":[8],"data_offsets":[0,8]}';
  const file = await writeRaw(`{"__metadata__":{"__proto__":"x"},"__proto__":${entry}}`, Buffer.alloc(8, 7));
  await withReader(file, async (reader) => {
    assert.deepEqual([...reader.header.tensors.keys()], ["__proto__"]);
    assert.deepEqual(Object.entries(reader.header.metadata), [["__proto__", "x"]]);
    assert.deepEqual([...(await reader.read("__proto__"))], new Array(8).fill(7));
  });
  assert.equal(({} as { dtype?: string }).dtype, undefined);
});

test("every type of values: as stored, and as f32", async () => {
  // Written down by hand: bytes, then the f32 values that they are.
  const cases: readonly (readonly [dtype: string, hex: string, values: readonly number[]])[] = [
    ["F64", "000000000000f03f9a9999999999b9bf", [1, Math.fround(-0.1)]],
    ["F16", "003c00c00100ff03ff7b007c00800004", [1, -2, 2 ** -24, 1023 * 2 ** -24, 65504, Infinity, -0, 2 ** -14]],
    ["BF16", "803f20c1807f0100", [1, -10, Infinity, 2 ** -133]],
    ["I64", "feffffffffffffff0000000001000000", [-2, 2 ** 32]],
    ["U64", "ffffffffffffffff", [2 ** 64]],
    ["I32", "ffffffff", [-1]],
    ["U32", "ffffffff", [2 ** 32]],
    ["I16", "0080", [-32768]],
    ["U16", "0080", [32768]],
    ["I8", "80", [-128]],
    ["U8", "80", [128]],
    ["BOOL", "0100", [1, 0]],
  ];
  for (const [dtype, hex, values] of cases) {
    const bytes = Buffer.from(hex, "hex");
    const header = {
      // All data after it is unaligned.
      odd: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
      w: { dtype, shape: [values.length], data_offsets: [1, 1 + bytes.length] },
    };
    const file = await writeRaw(header, Buffer.concat([Buffer.alloc(1), bytes]));
    await withReader(file, async (reader) => {
      assert.deepEqual([...(await reader.read("w"))], values, dtype);
      const stored = await reader.readStored("w");
      assert.equal(Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength).toString("hex"), hex, dtype);
      const streamed: number[][] = [];
      await reader.stream(async (_name, each) => void streamed.push([...each]));
      assert.deepEqual(streamed, [[0], values], dtype);
    });
  }
});

test("all bits of f32, and 16-bit NaNs, are preserved", async () => {
  const bits = Buffer.from("0100807f" + "0000c0ff", "hex");
  const halves = Buffer.from("017e00fe", "hex");
  const header = {
    w: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    h: { dtype: "F16", shape: [2], data_offsets: [8, 12] },
  };
  await withReader(await writeRaw(header, Buffer.concat([bits, halves])), async (reader) => {
    assert.deepEqual(Buffer.from((await reader.read("w")).buffer), bits);
    assert.equal(Buffer.from((await reader.read("h")).buffer).toString("hex"), "0020c07f0000c0ff");
  });
});

test("no file, a folder, an empty file", async () => {
  const empty = join(folder, "empty");
  await writeFile(empty, "");
  for (const path of [join(folder, "none"), folder, empty]) {
    await assert.rejects(
      withReader(path, async () => {}),
      CheckpointError,
    );
  }
});

test("a bit flipped in any byte is detected, or changes only the checksum's own name", async () => {
  const sample = await writeSample("sample.safetensors");
  const bytes = await readFile(sample);
  const expected = await content(sample);
  const file = join(folder, "flipped.safetensors");
  const bits = new Uint32Array(bytes.length);
  fillWords(randomStream(1, "flips"), 0, bits);
  const checksumName = bytes.indexOf("alexnetSha256");
  for (let i = 0; i < bytes.length; i++) {
    const nameLost = i >= checksumName && i < checksumName + "alexnetSha256".length;
    const bit = (bits[i] as number) & 7;
    const flipped = Buffer.from(bytes);
    flipped[i] = (flipped[i] as number) ^ (1 << bit);
    await writeFile(file, flipped);
    const outcome = await content(file).catch((error: unknown) => error);
    if (nameLost && typeof outcome === "string") assert.equal(outcome, expected);
    else assert.ok(outcome instanceof CheckpointError, `byte ${i}, bit ${bit}: ${outcome}`);
  }
});

test("a file truncated anywhere is refused, and one with trailing data", async () => {
  const sample = await writeSample("cut.safetensors");
  const { length } = await readFile(sample);
  await writeFile(sample, "x", { flag: "a" });
  for (let kept = length + 1; kept >= 0; kept--) {
    await truncate(sample, kept);
    if (kept === length) await content(sample);
    else await assert.rejects(content(sample), CheckpointError);
  }
});

/** Everything in a file, read as a program would. */
async function content(file: string): Promise<string> {
  return withReader(file, async (reader) => {
    const store = memoryStore([...reader.header.tensors].map(([name, { shape }]) => ({ name, shape })));
    await fillStore(reader, store);
    return bitsOf(store);
  });
}
