/** Longer than other tests: the ways to misuse a file stand side by side. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { AlexNetError, CheckpointError } from "../src/errors.ts";
import { concatenated, type Encoded, int, ints, message, text } from "../src/formats/containers/protobuf.ts";
import {
  dataLocations,
  dataTypes,
  dimensionTable,
  entryTable,
  graphTable,
  modelTable,
  nodeTable,
  opsetTable,
  shapeTable,
  tensorTable,
  tensorTypeTable,
  typeTable,
  valueInfoTable,
} from "../src/formats/onnx/messages.ts";
import { readOnnx, readOnnxFile } from "../src/formats/onnx/readOnnx.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { place } from "../src/network/network.ts";
import { sizeOf } from "../src/shape.ts";
import { readGolden } from "./golden.ts";
import { messageBytes } from "./messageBytes.ts";
import { mutations } from "./mutations.ts";
import { everyKind, weighted } from "./onnxNetworks.ts";
import { bytesOf } from "./onnxRuntime.ts";

const MUTATIONS = Number(process.env["ALEXNET_MUTATIONS"] ?? 4000);

/** y = x · W, W of [2, 3] in another file. */
function external(entries: Readonly<Record<string, string>>, dims: readonly number[] = [2, 3]): Encoded {
  const valueInfo = (name: string, extent: number) => {
    const dim = (value: number) => message(shapeTable.dim.number, int(dimensionTable.value.number, value));
    const tensor = concatenated(
      int(tensorTypeTable.elemType.number, dataTypes.FLOAT),
      message(tensorTypeTable.shape.number, dim(1), dim(extent)),
    );
    const type = message(valueInfoTable.type.number, message(typeTable.tensorType.number, tensor));
    return concatenated(text(valueInfoTable.name.number, name), type);
  };
  const pairs = Object.entries(entries).map(([key, value]) =>
    message(tensorTable.externalData.number, text(entryTable.key.number, key), text(entryTable.value.number, value)),
  );
  const weight = concatenated(
    ints(tensorTable.dims.number, dims),
    int(tensorTable.dataType.number, dataTypes.FLOAT),
    text(tensorTable.name.number, "W"),
    ...pairs,
    int(tensorTable.dataLocation.number, dataLocations.EXTERNAL),
  );
  const node = concatenated(
    text(nodeTable.input.number, "x"),
    text(nodeTable.input.number, "W"),
    text(nodeTable.output.number, "y"),
    text(nodeTable.opType.number, "MatMul"),
  );
  const graph = concatenated(
    message(graphTable.node.number, node),
    message(graphTable.initializer.number, weight),
    message(graphTable.input.number, valueInfo("x", 2)),
    message(graphTable.output.number, valueInfo("y", 3)),
  );
  return concatenated(
    message(modelTable.graph.number, graph),
    message(modelTable.opsetImport.number, int(opsetTable.version.number, 13)),
  );
}

describe("external data", () => {
  let root = "";
  let folder = "";
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "onnx-"));
    folder = join(root, "model");
    await mkdir(join(folder, "weights"), { recursive: true });
    for (const path of ["outside.bin", "model/inside.bin", "model/weights/w.bin"]) {
      await writeFile(join(root, path), Buffer.concat([Buffer.alloc(8), Buffer.from(values.buffer)]));
    }
    await symlink("../outside.bin", join(folder, "link.bin"));
    await symlink("..", join(folder, "up"));
    await symlink("inside.bin", join(folder, "near.bin"));
    await symlink("/dev/zero", join(folder, "zero"));
    await writeFile(join(folder, "sparse.bin"), "");
    await truncate(join(folder, "sparse.bin"), 2 ** 33);
  });
  after(() => rm(root, { recursive: true }));

  async function read(entries: Readonly<Record<string, string>>, dims?: readonly number[]) {
    const path = join(folder, "model.onnx");
    await writeFile(path, await messageBytes(external(entries, dims)));
    return readOnnxFile(path);
  }

  it("is read from the model's own folder, folders in it, and links within it", async () => {
    for (const location of ["inside.bin", "weights/w.bin", "near.bin", "./inside.bin"]) {
      const { tensors } = await read({ location, offset: "8", length: "24" });
      assert.deepEqual([...tensors.values()][0], Float32Array.of(1, 4, 2, 5, 3, 6), location);
    }
  });

  it("is read from nowhere else", async () => {
    const outside = join(root, "outside.bin");
    const places = [
      "../outside.bin",
      "weights/../../outside.bin",
      outside,
      "link.bin",
      "up/outside.bin",
      "zero",
      "up",
      "",
    ];
    places.push("..\\outside.bin", "C:\\outside.bin", "/dev/zero", "inside.bin\0", "missing.bin", ".", "weights");
    for (const location of places) {
      await assert.rejects(read({ location, offset: "8" }), CheckpointError, location);
    }
  });

  it("is refused where the file does not have it", async () => {
    const odd: readonly Readonly<Record<string, string>>[] = [
      { offset: "9" },
      { offset: "-8" },
      { offset: "1e1" },
      { length: "23" },
      { offset: "99999999999999999999" },
      { offset: "8", length: "" },
    ];
    for (const entries of odd) {
      await assert.rejects(read({ location: "inside.bin", ...entries }), CheckpointError, JSON.stringify(entries));
    }
  });

  it("is refused if the tensor is larger than its file, before memory is taken for it", async () => {
    await assert.rejects(read({ location: "inside.bin" }, [2, 2 ** 40]), CheckpointError);
    await assert.rejects(read({ location: "inside.bin" }, [2 ** 31, 2 ** 31]), CheckpointError);
    await assert.rejects(read({ location: "inside.bin" }, [-2, -3]), CheckpointError);
  });

  it("is refused of a model in memory, which has no folder", async () => {
    const bytes = await messageBytes(external({ location: "inside.bin", offset: "8" }));
    assert.throws(() => readOnnx(bytes, "model.onnx"), CheckpointError);
  });
});

describe("a file that is no ONNX model", () => {
  it("is refused, whatever it is", async () => {
    const odd = [
      new Uint8Array(),
      Buffer.from("PK\x03\x04"),
      Buffer.alloc(1000),
      Buffer.alloc(1000, 0xff),
      Buffer.from('{"json": true}'),
      // A message in a message in a message …
      Buffer.from("3a043a023a00", "hex"),
    ];
    for (const bytes of odd) assert.throws(() => readOnnx(bytes, "odd"), AlexNetError, bytes.toString("hex", 0, 8));
  });

  it("cannot make more objects than networks need", () => {
    // 10 MB of empty nodes.
    const nodes = Buffer.alloc(10_000_000);
    for (let i = 0; i < nodes.length; i += 2) nodes[i] = 0x0a;
    const head = Buffer.from([0x3a, 0x80, 0xad, 0xe2, 0x04]);
    assert.throws(() => readOnnx(Buffer.concat([head, nodes]), "bomb"), /more than 200000 messages/);
  });

  it("is refused if it cannot be read", async () => {
    await assert.rejects(readOnnxFile("/nonexistent/model.onnx"), /^CheckpointError: .*cannot be read: .*no such file/);
    await assert.rejects(readOnnxFile(tmpdir()), CheckpointError);
  });
});

describe("damaged models", async () => {
  const { network, values } = weighted({ ...everyKind, input: [3, 9, 8] });
  const { cases } = await readGolden<{ cases: readonly { readonly opset: number; readonly model: string }[] }>(
    "onnx-torch",
  );
  const own = await bytesOf(writeOnnx(network, (name) => values.get(name) as Float32Array, { lrn: "decomposed" }));
  const files = [
    ["own", own] as const,
    ...cases.map(({ opset, model }) => [`opset ${opset}`, Buffer.from(model, "base64")] as const),
  ];
  for (const [name, bytes] of files) {
    it(`are refused or read whole: ${name}`, () => {
      let read = 0;
      for (const damaged of mutations(bytes, Math.ceil(MUTATIONS / files.length), name)) {
        try {
          const model = readOnnx(damaged, name);
          const size = place(model.network).flatMap(({ parameters }) => parameters.map(({ shape }) => sizeOf(shape)));
          const total = size.reduce((a, b) => a + b, 0);
          assert.ok(total <= 20 * bytes.length, `${total} values from ${bytes.length} bytes`);
          read++;
        } catch (error) {
          if (!(error instanceof AlexNetError)) throw error;
        }
      }
      assert.ok(read > 0, "some changes do no harm to the structure");
    });
  }
});
