/** ImageNet as a listing of image files. */
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import type { DatasetSource } from "../dataset.ts";
import { byCodePoint } from "../folder/codePoints.ts";
import { type FolderContent, folderContent } from "../folder/folderEntries.ts";
import type { ImageListing, ListedImage } from "../folder/imageListing.ts";
import { loadListing } from "../folder/listedDataset.ts";
import {
  findImagenet,
  type ImagenetFiles,
  imagenetClassNames,
  readSynsets,
  type Synsets,
  wnidPattern,
} from "./imagenetFiles.ts";
import { readTruth, truthNames } from "./imagenetTruth.ts";

/** ImageNet, as in the challenge of 2012. */
export const imagenet: DatasetSource = {
  name: "imagenet",
  description:
    "1,281,167 training and 50,000 validation photos, of many sizes, colour, in 1,000 classes (ILSVRC 2012); never downloaded",
  channels: 3,
  load: async (options) => loadListing(await listImagenet(options), options),
  locate: locateImagenet,
};

/** Location of ImageNet. */
export interface ImagenetOptions {
  readonly dataDir?: string | undefined;
}

/** Images in the class folders of a part, and notes about other entries. */
interface ClassFolders {
  readonly wnids: readonly string[];
  readonly images: readonly ListedImage[];
  readonly notes: readonly string[];
}

/** Folder that contains `train` and `val`, or undefined. */
export async function locateImagenet({ dataDir }: ImagenetOptions): Promise<string | undefined> {
  return dataDir === undefined ? undefined : (await findImagenet(dataDir))?.root;
}

/**
 * Lists ImageNet, or a subset of its classes, from `dataDir` (or `ILSVRC/Data/CLS-LOC` in it): `train/<WNID>/*.JPEG`, and either `val/<WNID>/*.JPEG`
 * or `val/*.JPEG` with a ground truth: Kaggle's, Caffe's or the development kit's. Labels are in the order of WNIDs. The validation images are
 * the test part, since the classes of the actual test set are not published.
 *
 * Throws DataError naming the file or folder that is missing or does not match the others.
 */
export async function listImagenet({ dataDir }: ImagenetOptions): Promise<ImageListing> {
  if (dataDir === undefined) {
    throw new DataError(
      "imagenet: expected a folder that contains train and val, which is never downloaded; get ILSVRC 2012 from " +
        "image-net.org and pass the folder with --data-dir",
    );
  }
  const files = await findImagenet(dataDir);
  if (!files)
    throw new DataError(`${dataDir}: expected the folders train and val, or ILSVRC/Data/CLS-LOC; found neither`);
  const { root } = files;
  const train = await trainFolders(root);
  const synsets = await readSynsets(files);
  const classNames = imagenetClassNames(train.wnids, synsets);
  const val = await folderContent(join(root, "val"));
  const isInFolders = val.folders.some((name) => wnidPattern.test(name));
  const test = isInFolders
    ? await valFolders(root, val, train.wnids)
    : { images: await flatVal(files, val, train.wnids, synsets), notes: ignoredNotes("val", val.folders, val.others) };
  const notes = [...train.notes, ...test.notes];
  return { name: imagenet.name, root, classNames, train: train.images, test: test.images, notes };
}

async function trainFolders(root: string): Promise<ClassFolders> {
  const content = await folderContent(join(root, "train"));
  const wnids = content.folders.filter((name) => wnidPattern.test(name));
  if (wnids.length === 0) {
    throw new DataError(`${join(root, "train")}: expected folders named by WNID, such as n01440764, found none`);
  }
  return classFolders(root, "train", content, wnids);
}

async function valFolders(root: string, content: FolderContent, trainWnids: readonly string[]): Promise<ClassFolders> {
  const present = new Set(content.folders);
  const stranger = content.folders.find((name) => wnidPattern.test(name) && !trainWnids.includes(name));
  if (stranger !== undefined) {
    throw new DataError(
      `${join(root, "val", stranger)}: expected one of the ${trainWnids.length} classes of train, got another`,
    );
  }
  const missing = trainWnids.filter((wnid) => !present.has(wnid));
  const { notes, ...found } = await classFolders(root, "val", content, trainWnids, present);
  return { ...found, notes: missing.length === 0 ? notes : [...notes, `val: no folder for ${missing.join(", ")}`] };
}

/** Images of those `wnids` that have a folder among `present`, sorted by label and path. */
async function classFolders(
  root: string,
  part: string,
  content: FolderContent,
  wnids: readonly string[],
  present: ReadonlySet<string> = new Set(wnids),
): Promise<ClassFolders> {
  const lists = await Promise.all(
    wnids.map(async (wnid, label) => {
      if (!present.has(wnid)) return { images: [], others: 0 };
      const { images: names, others } = await folderContent(join(root, part, wnid));
      if (names.length === 0) throw new DataError(`${join(root, part, wnid)}: expected JPEG files, found none`);
      return { images: names.map((name) => ({ path: `${part}/${wnid}/${name}`, label })), others };
    }),
  );
  const others = lists.reduce((sum, list) => sum + list.others, content.others + content.images.length);
  const folders = content.folders.filter((name) => !wnidPattern.test(name));
  return { wnids, images: lists.flatMap(({ images }) => images), notes: ignoredNotes(part, folders, others) };
}

/** Images of one folder, with classes from the ground truth; sorted by label and path. */
async function flatVal(
  files: ImagenetFiles,
  { images: names }: FolderContent,
  trainWnids: readonly string[],
  synsets: Synsets | undefined,
): Promise<readonly ListedImage[]> {
  const val = join(files.root, "val");
  if (names.length === 0) throw new DataError(`${val}: expected folders named by WNID, or JPEG files; found neither`);
  const truth = await readTruth({ files, trainWnids, synsets });
  if (!truth) {
    throw new DataError(
      `${val}: expected class folders, or ${truthNames.join(" or ")} with the classes of its images; found none in ` +
        files.textFolders.join(", "),
    );
  }
  const { file, wnids } = truth;
  if (wnids.size !== names.length) {
    throw new DataError(`${file}: expected ${names.length} images, as in ${val}, got ${wnids.size}`);
  }
  const labels = new Map(trainWnids.map((wnid, label) => [wnid, label]));
  const images = names.map((name): ListedImage => {
    const wnid = wnids.get(name.replace(/\.\w+$/, ""));
    if (wnid === undefined) throw new DataError(`${file}: expected the class of ${name}, got none`);
    const label = labels.get(wnid);
    if (label !== undefined) return { path: `val/${name}`, label };
    throw new DataError(`${file}: ${name}: expected one of the ${trainWnids.length} classes of train, got ${wnid}`);
  });
  return images.sort((a, b) => a.label - b.label || byCodePoint(a.path, b.path));
}

function ignoredNotes(part: string, folders: readonly string[], files: number): readonly string[] {
  return [
    ...(folders.length === 0 ? [] : [`${part}: folders not named by WNID, ignored: ${folders.join(", ")}`]),
    ...(files === 0 ? [] : [`${part}: files outside the class folders or not JPEG, ignored: ${files}`]),
  ];
}
