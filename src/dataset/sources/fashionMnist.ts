/** Fashion-MNIST as a data set. */
import { DataError } from "../../errors.ts";
import { type Dataset, type DatasetSource, limitSplit, type Split, splitMoments } from "../dataset.ts";
import { type FashionMnistOptions, findFiles, obtainFiles } from "./fashionMnistFiles.ts";
import { readIdx } from "./idx.ts";

const classNames: readonly string[] = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** Of the 47,040,000 training pixels / 255; a test computes them from the files. */
const mean = 0.2860405969887955;
const deviation = 0.35302424451492237;

/** Height and width of every picture. */
const extent = 28;

/** Fashion-MNIST. Source: Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking". */
export const fashionMnist: DatasetSource = {
  name: "fashion-mnist",
  description: "60,000 training and 10,000 test pictures of clothes, 28×28, grey, in 10 classes (Zalando, 2017)",
  channels: 1,
  load: loadFashionMnist,
  locate: async (options) => (await findFiles(options))?.folder,
};

/**
 * Reads Fashion-MNIST from `dataDir` if given, else from the system's folder, else from the user's cache, into which it is
 * downloaded first if it is nowhere.
 *
 * Throws DataError with the remedy if it cannot be had, or naming the file that is damaged or does not fit the others.
 */
export async function loadFashionMnist(options: FashionMnistOptions = {}): Promise<Dataset> {
  const { folder, paths } = await obtainFiles(options);
  const [train, test] = await Promise.all([
    readSplit(paths.trainImages, paths.trainLabels),
    readSplit(paths.testImages, paths.testLabels),
  ]);
  const training = limitSplit(train, options.trainLimit);
  return {
    name: fashionMnist.name,
    classNames,
    train: training,
    test: limitSplit(test, options.testLimit),
    channels: 1,
    imageSize: { width: extent, height: extent },
    mean: [mean],
    deviation: [deviation],
    moments: () => splitMoments(training, 1),
    source: folder,
  };
}

/** Throws DataError if a file is damaged or the two do not fit together. */
async function readSplit(imageFile: string, labelFile: string): Promise<Split> {
  const [images, labels] = await Promise.all([readIdx(imageFile, 3), readIdx(labelFile, 1)]);
  const [length = 0, height, width] = images.shape;
  if (height !== extent || width !== extent) {
    throw new DataError(`${imageFile}: expected pictures of ${extent}×${extent}, got ${height}×${width}`);
  }
  if (labels.data.length !== length) {
    throw new DataError(
      `${labelFile}: expected ${length} labels, one for each picture of ${imageFile}, got ${labels.data.length}`,
    );
  }
  const wrong = labels.data.findIndex((label) => label >= classNames.length);
  if (wrong >= 0) {
    throw new DataError(
      `${labelFile}: label ${wrong}: expected 0 to ${classNames.length - 1}, got ${labels.data[wrong]}`,
    );
  }
  const size = extent * extent;
  return {
    length,
    label: (index) => labels.data[index] as number,
    image: (index) => ({
      width: extent,
      height: extent,
      channels: 1,
      data: images.data.subarray(index * size, (index + 1) * size),
    }),
  };
}
