/** Caffe's files give PyTorch's outputs; refusals, damage. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { AlexNetError, CheckpointError, UnsupportedError } from "../src/errors.ts";
import { blobTable, layerTable, netTable, poolingTable, reluTable, shapeTable } from "../src/formats/caffe/messages.ts";
import { readCaffe, readCaffeFile, readCaffeMean } from "../src/formats/caffe/readCaffe.ts";
import {
  bytes,
  concatenated,
  type Encoded,
  float,
  int,
  ints,
  message,
  text,
} from "../src/formats/containers/protobuf.ts";
import { createPreprocessor } from "../src/image/prepare/preprocess.ts";
import { assertClose } from "./assertClose.ts";
import { encodeHead } from "./caffeSnapshots.ts";
import { floats, readGolden } from "./golden.ts";
import { messageBytes } from "./messageBytes.ts";
import { mutations } from "./mutations.ts";
import { computeImported } from "./onnxCases.ts";

const MUTATIONS = Number(process.env["ALEXNET_MUTATIONS"] ?? 4000);

interface CaffeCase {
  readonly name: string;
  readonly model: string;
  readonly images: string;
  readonly output: string;
}

/** Sums of at most 75 products, then a softmax: f32 on both sides. */
const TOLERANCE = { relative: 1e-5, absolute: 1e-7 };

const { cases } = await readGolden<{ cases: readonly CaffeCase[] }>("caffe");
const modelOf = (name: string) => Buffer.from(cases.find((each) => each.name === name)?.model ?? "", "base64");

describe("a .caffemodel", () => {
  for (const { name, model, images, output } of cases) {
    it(`gives PyTorch's output: ${name}`, async () => {
      const read = readCaffe(Buffer.from(model, "base64"), name);
      assert.equal(read.metadata.endsInSoftmax, true);
      for (const engine of [createReferenceEngine(), createOneDnnEngine()]) {
        assertClose(await computeImported(engine, read, floats(images), 2), floats(output), TOLERANCE, engine.name);
      }
    });
  }

  it("has the head sigmoid if it ends in a SigmoidCrossEntropyLoss or a Sigmoid", async () => {
    const softmax = readCaffe(modelOf("published"), "published");
    const model = modelOf("deployed");
    const at = model.lastIndexOf("Softmax");
    assert.ok(at > 0 && softmax.metadata.head === "softmax");
    // The same length, so that the messages around it stay whole: the name of a type has one byte of length before it.
    const renamed = Buffer.from(model);
    renamed.write("Sigmoid", at);
    const read = readCaffe(renamed, "sigmoid");
    assert.deepEqual([read.metadata.head, read.metadata.endsInSoftmax], ["sigmoid", false]);
    assert.deepEqual(read.network.layers, readCaffe(model, "deployed").network.layers);
    assert.deepEqual(read.tensors, readCaffe(model, "deployed").tensors);
  });

  it("has its layers' names and order, and k = 1", () => {
    const named = (name: string) =>
      readCaffe(modelOf(name), name)
        .network.layers.map((layer) => layer.name)
        .join(" ");
    const rest = "conv2 relu2 pool2 flatten fc3 relu3 drop3 fc4";
    assert.equal(named("published"), `conv1 relu1 norm1 pool1 ${rest}`);
    assert.equal(named("deployed"), `conv1 relu1 pool1 norm1 ${rest}`);
    const norm = readCaffe(modelOf("published"), "published").network.layers[2];
    assert.deepEqual(norm, {
      name: "norm1",
      kind: "localResponseNorm",
      size: 5,
      alpha: Math.fround(0.02),
      beta: 0.75,
      k: 1,
    });
  });

  it("refuses a mean that is not on the scale of 0 to 1, or not one number a channel", () => {
    for (const mean of [[122.68, 116.67, 104.01], [0.5, 0.5], [-0.1], [Number.NaN], []]) {
      assert.throws(
        () => readCaffe(modelOf("published"), "net", { mean }),
        /^ConfigError: net: mean: expected 1 .*scale of 0 to 1, got/,
      );
    }
  });

  it("prepares images as Caffe does: levels minus the mean of the file, red first", () => {
    const { preprocessing } = readCaffe(modelOf("published"), "published").metadata;
    assert.ok(preprocessing);
    const target = new Float32Array(3 * 35 * 35);
    const data = new Uint8Array(3 * 35 * 35).map((_, i) => [200, 100, 50][i % 3] as number);
    createPreprocessor(preprocessing)({ width: 35, height: 35, channels: 3, data }, target, 0);
    const plane = 35 * 35;
    assertClose(
      [0, plane, 2 * plane].map((i) => target[i] as number),
      [77, -17, -54],
      { absolute: 1e-4 },
      "levels",
    );
  });

  it("keeps the order of its channels with colours rgb", () => {
    const turned = readCaffe(modelOf("deployed"), "deployed").tensors.get("conv1.weight") as Float32Array;
    const asStored = readCaffe(modelOf("deployed"), "deployed", { colours: "rgb" }).tensors.get("conv1.weight");
    assert.deepEqual(asStored?.subarray(0, 25), turned.subarray(50, 75));
    assert.deepEqual(asStored?.subarray(25, 50), turned.subarray(25, 50));
  });
});

async function net(...layers: readonly Encoded[]): Promise<Uint8Array> {
  const encoded = concatenated(
    text(netTable.input.number, "data"),
    message(netTable.inputShape.number, ints(shapeTable.dim.number, [1, 1, 8, 8])),
    ...layers.map((layer) => message(netTable.layers.number, layer)),
  );
  return messageBytes(encoded);
}

function layer(type: string, ...parts: readonly Encoded[]): Encoded {
  return concatenated(encodeHead({ name: "it", type }, ["data"], ["data"]), ...parts);
}

describe("a .caffemodel that networks here cannot be", () => {
  const pooling = (...parts: readonly Encoded[]) => layer("Pooling", message(layerTable.pooling.number, ...parts));
  const { kernelSize, stride, pool } = poolingTable;
  const refusals: readonly (readonly [what: string, layer: Encoded, message: RegExp])[] = [
    ["another type", layer("Deconvolution"), /^net: Deconvolution "it": unsupported layer type Deconvolution/],
    [
      "a leaky ReLU",
      layer("ReLU", message(layerTable.relu.number, float(reluTable.negativeSlope.number, 0.1))),
      /negative_slope/,
    ],
    ["a window in the padding", pooling(int(kernelSize.number, 1), int(stride.number, 8)), /ceil_mode 1/],
    ["stochastic pooling", pooling(int(kernelSize.number, 2), int(stride.number, 2), int(pool.number, 2)), /pool 2/],
    ["a field of another Caffe", pooling(int(kernelSize.number, 2), int(stride.number, 2), int(77, 1)), /field 77/],
  ];
  for (const [what, encoded, message] of refusals) {
    it(`is refused by layer and parameter: ${what}`, async () => {
      const model = await net(encoded);
      assert.throws(
        () => readCaffe(model, "net"),
        (error: unknown) => error instanceof UnsupportedError && message.test(error.message),
      );
    });
  }

  it("is refused if it is damaged or cannot be read", async () => {
    const odd = [new Uint8Array(), Buffer.from("PK\x03\x04"), Buffer.alloc(100, 0xff)];
    for (const model of odd) assert.throws(() => readCaffe(model, "odd"), CheckpointError);
    assert.throws(() => readCaffe(odd[1] as Buffer, "odd"), /^CheckpointError: odd: damaged, or of another format/);
    await assert.rejects(
      readCaffeFile("/nonexistent/net.caffemodel"),
      /^CheckpointError: .*cannot be read: .*no such file/,
    );
  });

  for (const { name, model } of cases) {
    it(`is refused or read whole, whatever is damaged: ${name}`, () => {
      let read = 0;
      for (const damaged of mutations(Buffer.from(model, "base64"), MUTATIONS / cases.length, name)) {
        try {
          const total = [...readCaffe(damaged, name).tensors.values()].reduce((sum, { length }) => sum + length, 0);
          assert.ok(total <= 20 * damaged.length);
          read++;
        } catch (error) {
          if (!(error instanceof AlexNetError)) throw error;
        }
      }
      assert.ok(read > 0);
    });
  }
});

describe("a mean of Caffe", () => {
  it("is read by colour, red first", async () => {
    const levels = Float32Array.from({ length: 3 * 4 }, (_, i) => [104, 117, 123][Math.floor(i / 4)] as number);
    const { num, channels, height, width, data } = blobTable;
    const encoded = concatenated(
      ...[num, channels, height, width].map((field, i) => int(field.number, [1, 3, 2, 2][i] as number)),
      bytes(data.number, new Uint8Array(levels.buffer)),
    );
    const file = await messageBytes(encoded);
    assert.deepEqual(readCaffeMean(file, "mean"), [123 / 255, 117 / 255, 104 / 255]);
    assert.throws(() => readCaffeMean(file.slice(0, 4), "mean"), CheckpointError);
  });
});
