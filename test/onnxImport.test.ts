/** PyTorch's ONNX files, round trips, refusals by name. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { UnsupportedError } from "../src/errors.ts";
import type { OnnxOptions } from "../src/formats/onnx/describe.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import type { Preprocessing } from "../src/image/prepare/preprocess.ts";
import { conv2d } from "../src/layers/kinds.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { type Network, withInput } from "../src/network/network.ts";
import { assertClose } from "./assertClose.ts";
import { drawn, floats, readGolden } from "./golden.ts";
import { computeImported } from "./onnxCases.ts";
import { everyKind, weighted } from "./onnxNetworks.ts";
import { bytesOf, runOnnx } from "./onnxRuntime.ts";

interface TorchCase {
  readonly opset: number;
  readonly model: string;
  readonly images: string;
  readonly output: string;
}

/** Sums of at most 72 products, then a softmax: f32 on both sides. */
const TOLERANCE = { relative: 1e-5, absolute: 1e-7 };

describe("what PyTorch writes", async () => {
  const { cases } = await readGolden<{ cases: readonly TorchCase[] }>("onnx-torch");
  for (const { opset, model, images, output } of cases) {
    it(`gives PyTorch's output: opset ${opset}`, async () => {
      const read = readOnnx(Buffer.from(model, "base64"), `opset ${opset}`);
      assert.equal(read.metadata.producer, "pytorch 1.13.0");
      assert.equal(read.metadata.endsInSoftmax, true);
      for (const engine of [createReferenceEngine(), createOneDnnEngine()]) {
        assertClose(await computeImported(engine, read, floats(images), 2), floats(output), TOLERANCE, engine.name);
      }
    });
  }
});

it("calls a network after the file where PyTorch calls its graph as it calls all, else after the graph", async () => {
  const { cases } = await readGolden<{ cases: readonly TorchCase[] }>("onnx-torch");
  const model = Buffer.from(cases[0]?.model ?? "", "base64");
  const at = model.indexOf("torch_jit");
  assert.ok(at > 0 && model.indexOf("torch_jit", at + 1) < 0);
  const nameOf = (graph: string, file: string) => {
    const renamed = Buffer.from(model);
    renamed.write(graph.padEnd(9), at);
    return readOnnx(renamed, file).network.name;
  };
  assert.equal(nameOf("torch_jit", "/models/my.net.onnx"), "my.net");
  assert.equal(nameOf("torch_jit", "MY.ONNX"), "MY");
  assert.equal(nameOf("torch_jit", "models/.onnx"), "onnx");
  assert.equal(nameOf("         ", "photos.onnx"), "photos");
  assert.equal(nameOf("their_net", "photos.onnx"), "their_net");
});

const preprocessing: Preprocessing = {
  size: [19, 17],
  channels: 3,
  fit: { kind: "resize" },
  resize: "bilinear",
  mean: [0.5, 0.4, 0.3],
  deviation: [0.2, 0.3, 0.4],
};

describe("what this program writes", () => {
  const forms: readonly OnnxOptions[] = [
    {},
    { lrn: "decomposed", output: "probabilities", batchSize: 4 },
    { pixels: "nhwc", preprocessing, classNames: ["a", "b", "c", "d", "e"] },
  ];
  for (const options of forms) {
    it(`comes back to the bit: ${Object.keys(options).join(", ") || "as it is"}`, async () => {
      const { network, values } = weighted(everyKind);
      const bytes = await bytesOf(writeOnnx(network, (name) => values.get(name) as Float32Array, options));
      const { network: back, tensors, metadata } = readOnnx(bytes, "model.onnx");
      assert.deepEqual(back, network);
      assert.deepEqual(new Map(tensors), values);
      assert.deepEqual(metadata, {
        endsInSoftmax: options.output === "probabilities",
        head: "softmax",
        producer: "alexnet",
        ...(options.classNames && { classNames: options.classNames }),
        ...(options.preprocessing && { preprocessing: options.preprocessing }),
      });
    });
  }

  it("is read by its graph where the metadata tell of another network", async () => {
    const { network, values } = weighted(withInput(findNetwork("alexnet-small"), [3, 32, 32]));
    const bytes = await bytesOf(writeOnnx(network, (name) => values.get(name) as Float32Array));
    // The same length, so that the file stays whole: another padding in the network that the metadata tell.
    const text = Buffer.from(bytes).toString("latin1");
    const changed = text.replace('"kernelSize":3,"stride":2,"padding":0', '"kernelSize":3,"stride":2,"padding":1');
    assert.notEqual(changed, text);
    const read = readOnnx(Buffer.from(changed, "latin1"), "model.onnx");
    const shown = ({ layers }: Network) => layers.filter(({ kind }) => kind !== "dropout");
    assert.deepEqual(read.network.layers, shown(network));
    assert.match(read.network.source, /^ONNX model by alexnet/);
    assert.deepEqual(new Map(read.tensors), values);
  });
});

describe("a convolution that is padded unevenly", () => {
  it("gives ONNX Runtime's output, as one with a larger kernel", async () => {
    const layers = [conv2d("conv", { outChannels: 4, kernelSize: 3, padding: 1, stride: 2 })];
    const { network, values } = weighted({ ...everyKind, input: [3, 9, 8], layers });
    const bytes = Buffer.from(await bytesOf(writeOnnx(network, (name) => values.get(name) as Float32Array)));
    const images = drawn(5, "images", 2 * 3 * 9 * 8, -1, 1);
    // Field 8, `ints`, four times; sums along both axes stay, and so does the output's shape.
    const at = bytes.indexOf(Buffer.from("4001400140014001", "hex"));
    assert.ok(at > 0);
    for (const pads of ["4000400240024000", "4002400140004001", "4000400040024002"]) {
      const model = Buffer.from(bytes);
      model.set(Buffer.from(pads, "hex"), at);
      const read = readOnnx(model, pads);
      assert.match(read.network.deviations.join(), /kernel 3×3 converted to/);
      const expected = await runOnnx(model, images, [2, 3, 9, 8]);
      for (const engine of [createReferenceEngine(), createOneDnnEngine()]) {
        const actual = await computeImported(engine, read, images, 2);
        // Sums of 27 products of up to 1.
        assertClose(actual, expected, { relative: 1e-5, absolute: 1e-6 }, `${pads}, ${engine.name}`);
      }
    }
  });
});

describe("an ONNX model that networks here cannot be", () => {
  it("is refused by operator and attribute", async () => {
    const { network, values } = weighted(everyKind);
    const bytes = await bytesOf(writeOnnx(network, (name) => values.get(name) as Float32Array, { lrn: "native" }));
    const changed = (from: string, to: string) =>
      Buffer.from(Buffer.from(bytes).toString("latin1").replace(from, to), "latin1");
    const refused = (model: Uint8Array, message: RegExp) =>
      assert.throws(
        () => readOnnx(model, "model.onnx"),
        (error: unknown) => error instanceof UnsupportedError && message.test(error.message),
      );
    refused(changed("Tanh", "Sinh"), /^model\.onnx: Sinh "tanh1": operator Sinh is not supported/);
    refused(changed("strides", "striped"), /^model\.onnx: Conv "conv1": not supported: attribute striped/);
    refused(changed("MaxPool", "MinPool"), /MinPool/);
  });
});
