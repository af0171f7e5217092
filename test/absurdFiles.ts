/** Writes the files of `absurdInputs.ts`: absurd numbers in every format that a command reads. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { encodePng } from "../src/image/files/decode.ts";
import { flatten, linear } from "../src/layers/kinds.ts";
import { writeModel } from "../src/model/modelFile.ts";
import { snapshotOf } from "./caffeSnapshots.ts";
import { type NodeLine, onnxModel } from "./onnxModels.ts";
import { smallNetwork, weighted } from "./onnxNetworks.ts";
import { ihdr, pngChunk, pngFile } from "./pngFiles.ts";
import { dict, type Python, writeCheckpoint } from "./pytorchCheckpoints.ts";

const network = smallNetwork(2);

/** Writes the files that the commands read. */
export async function writeAbsurdInputs(folder: string): Promise<void> {
  const write = (name: string, content: string | Uint8Array) => writeFile(join(folder, name), content);
  await writeNetworks(write);
  await writeOnnxFiles(write);
  await writeTensorFiles(write, folder);
  await writeImages(write);
  for (const name of ["idx", "idxCount", "tar"]) await mkdir(join(folder, name));
  await writeArchives(write);
  for (const name of ["green", "red"]) {
    await mkdir(join(folder, "photos", name), { recursive: true });
    for (let i = 0; i < 4; i++) {
      const data = Uint8Array.from({ length: 300 }, (_, at) => (at * (i + 7) * name.length) % 256);
      await write(`photos/${name}/${i}.png`, await encodePng({ width: 10, height: 10, channels: 3, data }));
    }
  }
  const { values } = weighted(network);
  await writeModel(join(folder, "own.safetensors"), {
    ...{ network, classNames: ["green", "red"], weights: values, metrics: {}, precision: "f32", exact: true },
    preprocessing: {
      ...{ size: [8, 8], channels: 3, fit: { kind: "resize" }, resize: "bilinear" },
      ...{ mean: [0, 0, 0], deviation: [1, 1, 1] },
    },
  });
}

type Write = (name: string, content: string | Uint8Array) => Promise<void>;

async function writeNetworks(write: Write): Promise<void> {
  const withLayers = (...layers: readonly object[]) =>
    JSON.stringify({ ...network, layers: [...layers, flatten("flatten"), linear("fc2", { outFeatures: 2 })] });
  const text = JSON.stringify(network);
  await write("net.json", text);
  await write("mark.json", `\uFEFF${text}`);
  await write("nested.json", text.replace('"layers":[', `"layers":[${"[".repeat(1e6)}${"]".repeat(1e6)},`));
  await write(
    "kernel.json",
    withLayers({ name: "conv1", kind: "conv2d", outChannels: 1, kernelSize: 1e6, padding: 5e5 }),
  );
  await write("channels.json", withLayers({ name: "conv1", kind: "conv2d", outChannels: 2 ** 53 - 1, kernelSize: 3 }));
  await write("adaptive.json", withLayers({ name: "pool1", kind: "adaptiveAveragePool2d", outputSize: 1e6 }));
  await write(
    "random.json",
    JSON.stringify({ random: { trials: 1e9, space: { learningRate: { min: 0.001, max: 0.1 } } } }),
  );
  const values = Array.from({ length: 1000 }, (_, i) => (i + 1) / 1e5);
  await write(
    "grid.json",
    JSON.stringify({ grid: { learningRate: values, "optimizer.momentum": values, "optimizer.weightDecay": values } }),
  );
}

async function writeOnnxFiles(write: Write): Promise<void> {
  const input = ["N", 3, 8, 8] as const;
  const chain = Array.from(
    { length: 16_000 },
    (_, i): NodeLine => [i % 2 === 0 ? "Relu" : "Tanh", [`v${i}`], `v${i + 1}`],
  );
  const last: NodeLine = ["MatMul", ["f", "fw"], "y"];
  const fw = [[192, 2], new Float32Array(384)] as const;
  const flattened: NodeLine = ["Flatten", ["x"], "f"];
  await write(
    "deep.onnx",
    await onnxModel({
      nodes: [["Flatten", ["x"], "v0"], ...chain, ["MatMul", ["v16000", "fw"], "y"]],
      constants: { fw },
      input,
    }),
  );
  await write(
    "tensor.onnx",
    await onnxModel({ nodes: [flattened, last], constants: { fw: [[2 ** 30, 2 ** 22], Float32Array.of(1)] }, input }),
  );
  const filled: NodeLine = ["ConstantOfShape", ["big"], "fw"];
  await write(
    "filled.onnx",
    await onnxModel({ nodes: [filled, flattened, last], constants: { big: [[2], [2 ** 20, 2 ** 20]] }, input }),
  );
  const sums = Array.from({ length: 10_000 }, (_, i): NodeLine => ["Add", [`w${i}`, `w${i}`], `w${i + 1}`]);
  await write(
    "sums.onnx",
    await onnxModel({
      nodes: [["ConstantOfShape", ["big"], "w0"], ...sums, flattened, ["MatMul", ["f", "w10000"], "y"]],
      constants: { big: [[2], [192, 2 ** 12]] },
      input,
    }),
  );
  const pads = [[8], [0, 0, 1e9, 1e9, 0, 0, 1e9, 1e9]] as const;
  await write(
    "padded.onnx",
    await onnxModel({
      nodes: [["Pad", ["x", "pads"], "p"], ["Flatten", ["p"], "f"], last],
      constants: { fw, pads },
      input,
    }),
  );
}

async function writeTensorFiles(write: Write, folder: string): Promise<void> {
  const safetensors = (header: string, length = BigInt(header.length)) => {
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(length);
    return Buffer.concat([start, Buffer.from(header)]);
  };
  await write("claims.safetensors", safetensors("{}", 2n ** 60n));
  const huge = { dtype: "F32", shape: [2 ** 24, 2 ** 24], data_offsets: [0, 2 ** 50] };
  await write("extents.safetensors", safetensors(JSON.stringify({ w: huge })));
  const tensors = (length: number) =>
    Array.from({ length }, (_, i) => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`).join(",");
  await write("many.safetensors", safetensors(`{${tensors(500_000)}}`));
  await write("fewer.safetensors", safetensors(`{${tensors(99_000)}}`));
  await write("claims.pth", zipWithEntry("archive/data.pkl", 2 ** 32 - 2));
  const claimed: Python = { tensor: { shape: [2 ** 15, 2 ** 15], value: 0, stored: 1 } };
  await writeCheckpoint(join(folder, "tensor.pth"), dict({ "0.weight": claimed }));
  const shapes = { blobs: [[2 ** 30, 2 ** 22]], values: [[1]] };
  const layers = [
    { name: "data", type: "Data" },
    { name: "fc", type: "InnerProduct", linear: { numOutput: 2 }, ...shapes },
  ];
  await write("blob.caffemodel", await snapshotOf("blob", layers));
}

/** A zip file with one entry without contents that claims a size. */
function zipWithEntry(name: string, size: number): Buffer {
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50);
  local.writeUInt32LE(size, 18);
  local.writeUInt32LE(size, 22);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50);
  central.writeUInt32LE(size, 20);
  central.writeUInt32LE(size, 24);
  central.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(46 + name.length, 12);
  end.writeUInt32LE(30 + name.length, 16);
  return Buffer.concat([local, Buffer.from(name), central, Buffer.from(name), end]);
}

async function writeImages(write: Write): Promise<void> {
  const form = { width: 2 ** 31 - 1, height: 2 ** 31 - 1, bitDepth: 8, colourType: 2 };
  await write("huge.png", pngFile(ihdr(form), pngChunk("IDAT", deflateSync(Buffer.alloc(100)))));
  const large = { width: 10_000, height: 10_000, bitDepth: 1, colourType: 0 };
  await write("large.png", pngFile(ihdr(large), pngChunk("IDAT", deflateSync(Buffer.alloc(1251 * 10_000)))));
  const small = { width: 10, height: 10, bitDepth: 8, colourType: 0 };
  const text = Buffer.concat([Buffer.from("Comment\0\0"), deflateSync(Buffer.alloc(2 ** 26))]);
  const texts = Array.from({ length: 96 }, () => pngChunk("zTXt", text));
  await write("text.png", pngFile(ihdr(small), ...texts, pngChunk("IDAT", deflateSync(Buffer.alloc(110)))));
  await write(
    "huge.jpg",
    Buffer.from("ffd8ffc0001108ffffffff03011100021100031100ffda000c03010002000300003f0000ffd9", "hex"),
  );
  // VP8L: 14 bits of width − 1, 14 of height − 1.
  const lossless = Buffer.from("2fffffff0f00000000", "hex");
  const webp = Buffer.concat([Buffer.from("RIFF\x16\0\0\0WEBPVP8L\x09\0\0\0", "latin1"), lossless, Buffer.alloc(1)]);
  await write("huge.webp", webp);
  await write("huge.gif", Buffer.from("474946383961ffffffff800000000000ffffff2c00000000ffffffff0002024c01003b", "hex"));
}

/** Gzip members of 64 MB of zeros after a first one: about 6 GB from 6 MB. */
function gzipBomb(first: Uint8Array): Buffer {
  const member = gzipSync(Buffer.alloc(2 ** 26));
  return Buffer.concat([gzipSync(first), ...Array.from({ length: 96 }, () => member)]);
}

function idxHeader(...extents: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * extents.length);
  header.set([0, 0, 8, extents.length]);
  for (const [i, extent] of extents.entries()) header.writeUInt32BE(extent, 4 + 4 * i);
  return header;
}

async function writeArchives(write: Write): Promise<void> {
  for (const part of ["train", "t10k"]) {
    const labels = gzipSync(Buffer.concat([idxHeader(1), Buffer.alloc(1)]));
    for (const folder of ["idx", "idxCount"]) await write(`${folder}/${part}-labels-idx1-ubyte.gz`, labels);
    await write(`idx/${part}-images-idx3-ubyte.gz`, gzipBomb(idxHeader(1, 28, 28)));
    const claimed = Buffer.concat([idxHeader(2 ** 32 - 1, 28, 28), Buffer.alloc(784)]);
    await write(`idxCount/${part}-images-idx3-ubyte.gz`, gzipSync(claimed));
  }
  const header = Buffer.alloc(512);
  header.write("cifar-10-batches-bin/data_batch_1.bin");
  header.write("0000644\0", 100);
  header.write("77777777777\0", 124);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((a, b) => a + b, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  await write("tar/cifar-10-binary.tar.gz", gzipBomb(header));
}
