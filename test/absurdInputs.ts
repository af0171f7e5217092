/** Inputs with absurd numbers, and the command that reads each: shared by a test of messages and memory, and by a table of costs. */
/** A command, and the message that it prints. */
export interface AbsurdInput {
  readonly name: string;
  readonly args: readonly string[];
  /** Default 1. */
  readonly exit?: number;
  readonly message: RegExp;
  /** Standard input; default none. */
  readonly endless?: true;
}

const facts = "--fit resize --mean 0,0,0 --deviation 1,1,1 --head softmax".split(" ");
const importing = (file: string) => ["import", file, "--run", "imported", ...facts];
const predicting = (file: string) => ["predict", "own.safetensors", file];
const reading = (file: string) => ["predict", file, "photos/red/0.png"];
const training = (...args: readonly string[]) => ["train", "photos", "--run", "run", "--network", "net.json", ...args];

/** The commands run in the folder of `writeAbsurdInputs`. */
export const absurdInputs: readonly AbsurdInput[] = [
  { name: "kernelSize 10^6", args: ["summary", "kernel.json"], message: /conv1: weight .* would need 12\.0 TB/ },
  { name: "kernelSize 10^6, training", args: training("--network", "kernel.json"), message: /would need 12\.0 TB/ },
  {
    name: "outChannels 2^53 − 1",
    args: ["summary", "channels.json"],
    message: /outChannels: expected a number of at most/,
  },
  { name: "adaptive pool to 10^6", args: ["summary", "adaptive.json"], message: /pool1: output .* would need/ },
  { name: "nested 10^6 deep", args: ["summary", "nested.json"], message: /nested\.json: / },
  {
    name: "input size 10^6",
    args: ["summary", "alexnet", "--input-size", "1000000"],
    message: /input: images .* would need 12\.0 TB/,
  },
  {
    name: "10^9 classes",
    args: ["summary", "alexnet", "--classes", "1000000000"],
    message: /fc8: weight .* would need/,
  },
  {
    name: "batch 2^53, training",
    args: training("--batch-size", "9007199254740992"),
    exit: 2,
    message: /expected a whole number/,
  },
  { name: "batch 10^9, training", args: training("--batch-size", "1000000000"), message: /batch/ },
  {
    name: "batch 2^53, evaluation",
    args: ["evaluate", "own.safetensors", "--dataset", "photos", "--batch-size", "9007199254740992"],
    exit: 2,
    message: /expected a whole number/,
  },
  {
    name: "batch 10^9, evaluation",
    args: ["evaluate", "own.safetensors", "--dataset", "photos", "--batch-size", "1000000000"],
    message: /batch/,
  },
  {
    name: "batch 10^9, prediction",
    args: ["predict", "own.safetensors", "photos", "--batch-size", "1000000000"],
    message: /batch/,
  },
  { name: "sweep of 10^9 random trials", args: ["sweep", "random.json", "--run", "sweep"], message: /trials/ },
  { name: "sweep of 10^9 combinations", args: ["sweep", "grid.json", "--run", "sweep"], message: /trials/ },
  { name: "ONNX, 16,000 nodes", args: importing("deep.onnx"), exit: 0, message: /deep\.onnx/ },
  {
    name: "ONNX, tensor of 2^60 values",
    args: importing("tensor.onnx"),
    message: /tensor\.onnx: tensor "fw": expected .* bytes, got 4/,
  },
  {
    name: "ONNX, constant of 2^40 values",
    args: importing("filled.onnx"),
    message: /the constants computed in the graph are too large/,
  },
  {
    name: "ONNX, 10,000 sums of 2^20 values",
    args: importing("sums.onnx"),
    message: /the constants computed in the graph are too large/,
  },
  { name: "ONNX, padding of 10^9", args: importing("padded.onnx"), message: /Pad: not supported: pads/ },
  {
    name: "safetensors, header of 2^60 bytes",
    args: reading("claims.safetensors"),
    message: /corrupt, or not a safetensors file/,
  },
  {
    name: "safetensors, tensor of 2^50 bytes",
    args: reading("extents.safetensors"),
    message: /corrupt, or not a safetensors file/,
  },
  {
    name: "safetensors, 500,000 tensors",
    args: reading("many.safetensors"),
    message: /expected at most 100,000 tensors/,
  },
  {
    name: "safetensors, 99,000 tensors",
    args: reading("fewer.safetensors"),
    message: /the file does not state everything/,
  },
  { name: "PyTorch, entry of 2^40 bytes", args: importing("claims.pth"), message: /claims\.pth/ },
  {
    name: "PyTorch, 2^30 values in 4 bytes",
    args: importing("tensor.pth"),
    message: /storage 0: expected 1073741824 values of F32, got 4 bytes/,
  },
  {
    name: "Caffe, blob of 2^60 values",
    args: [...importing("blob.caffemodel"), "--input-size", "8"],
    message: /blob\.caffemodel/,
  },
  {
    name: "IDX, 6 MB of gzip for 6 GB",
    args: ["train", "fashion-mnist", "--data-dir", "idx", "--run", "run"],
    message: /images-idx3-ubyte\.gz: expected at most 268 MB of data, got more/,
  },
  {
    name: "IDX, 2^32 images claimed",
    args: ["train", "fashion-mnist", "--data-dir", "idxCount", "--run", "run"],
    message: /images-idx3-ubyte\.gz: expected at most 268 MB of data, got more/,
  },
  {
    name: "tar, 6 MB of gzip for 6 GB",
    args: ["train", "cifar10", "--data-dir", "tar", "--run", "run"],
    message: /cifar-10-binary\.tar\.gz/,
  },
  { name: "PNG of 2^31 × 2^31", args: predicting("huge.png"), message: /huge\.png: / },
  {
    name: "PNG of 10^8 pixels, all data",
    args: predicting("large.png"),
    message: /of at most 64 megapixels, got 10000×10000/,
  },
  { name: "PNG, 6 MB of text for 6 GB", args: predicting("text.png"), exit: 0, message: /text\.png/ },
  { name: "JPEG of 65535 × 65535", args: predicting("huge.jpg"), message: /got 65535×65535/ },
  { name: "WebP of 16384 × 16384", args: predicting("huge.webp"), message: /got 16384×16384/ },
  { name: "GIF of 65535 × 65535", args: predicting("huge.gif"), message: /got 65535×65535/ },
  {
    name: "image of endless zeros",
    args: predicting("/dev/zero"),
    message: /expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF/,
  },
  {
    name: "endless standard input",
    args: predicting("-"),
    endless: true,
    message: /expected a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF/,
  },
  { name: "JSON with a byte order mark", args: ["summary", "mark.json"], exit: 0, message: /net/ },
];
