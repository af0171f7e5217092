/** Location of Fashion-MNIST on this machine. */
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const FILES = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
];
const PACKAGE_FOLDER = "/usr/share/datasets/fashion-mnist";

export function fashionMnistCache(env) {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "alexnet/fashion-mnist");
}

/** First folder that contains all four files, compressed or not. */
export function findFashionMnist(env) {
  return [PACKAGE_FOLDER, fashionMnistCache(env)].find((folder) =>
    FILES.every((file) => isFilled(join(folder, `${file}.gz`)) || isFilled(join(folder, file))),
  );
}

function isFilled(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  return Boolean(stat?.isFile() && stat.size > 0);
}
