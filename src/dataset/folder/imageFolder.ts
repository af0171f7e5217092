/** Image folder as a listing; split where it has no train/ and val/. */

import { resolve } from "node:path";
import { DataError } from "../../errors.ts";
import type { DatasetSource } from "../dataset.ts";
import { visibleName } from "./classNames.ts";
import { classFindings, findingKinds } from "./findings.ts";
import { expectedLayout, type FolderScan, type ScannedPart, scanFolder } from "./folderScan.ts";
import { type ImageListing, type ListedImage, listingDigest } from "./imageListing.ts";
import { loadListing } from "./listedDataset.ts";
import { partsInside } from "./partFolders.ts";
import { firstNames, skippedNotes } from "./skippedFile.ts";
import { type SplitOptions, splitFolder, splitOptionsOf } from "./splitFolder.ts";

/** Default: `defaultSplit`. Aborted, the signal ends it. */
export type ImageFolderOptions = { readonly [Key in keyof SplitOptions]?: SplitOptions[Key] | undefined } & {
  readonly signal?: AbortSignal | undefined;
};

/** Purpose of a listing: training, unless `allAsTest` is set. */
export interface FolderPurpose extends ImageFolderOptions {
  /** To measure a network by that was trained on something else: all as test images, where no folder says which. */
  readonly allAsTest?: boolean | undefined;
  /** The part to measure by. Default `test`. */
  readonly part?: "train" | "validation" | "test" | undefined;
  /** The digest of what it was trained on: a folder whose listing has that digest is divided as for training. */
  readonly trainedOn?: string | undefined;
}

/** Lists a folder of images for a purpose. Throws what `listImageFolder` or `listTestFolder` throws. */
export async function listFolder(
  root: string,
  { allAsTest, part, trainedOn, ...division }: FolderPurpose,
): Promise<ImageListing> {
  if (!allAsTest) return listImageFolder(root, division);
  if (trainedOn !== undefined) {
    const listing = await listImageFolder(root, division).catch(unlessData);
    if (listing && listingDigest(listing) === trainedOn) return listing;
  }
  return listTestFolder(root, { ...division, part });
}

/** A folder that cannot be trained on was not trained on. */
function unlessData(error: unknown): undefined {
  if (!(error instanceof DataError)) throw error;
}

/**
 * Lists a folder of images for training. With folders for parts: `train`, `validation` and `test` are those; without one for testing, `test`
 * is the same list as `validation`. With a folder for training alone, or none: a part of each class is set aside as `test`, the same on every machine.
 * A class or part without images is left out, with a note.
 *
 * Throws DataError if there is no such folder, there are fewer than two classes, or a class of another part is missing from `train`;
 * ConfigError if the share is not between 0 and 1.
 */
export async function listImageFolder(
  root: string,
  { validationShare, seed, signal }: ImageFolderOptions = {},
): Promise<ImageListing> {
  const split = splitOptionsOf({ validationShare, seed });
  const { scan, parts, notes } = await filledParts(root, signal);
  const training = parts.find(({ name }) => name === "train" || name === "whole");
  const classNames = training === undefined ? [] : namesOf(training);
  if (training === undefined || classNames.length < 2) throw tooFewClasses(root, "at least two", scan);
  const [validation, test] = (["validation", "test"] as const).map((name) => {
    const part = parts.find((candidate) => candidate.name === name);
    return part && listOther(root, part, training, classNames);
  });
  const listing = { name: scan.root, root: scan.root, classNames, notes };
  const train = listPart(training, classNames);
  if (validation && test) return { ...listing, train, validation, test };
  if (validation) return { ...listing, train, validation, test: validation };
  if (test) return { ...listing, train, test };
  const divided = splitFolder(train, classNames, split);
  if (divided.test.length > 0) return { ...listing, ...divided };
  throw new DataError(
    `${root}: expected a class with two pictures or more, one to train with and one to measure by; each class has one`,
  );
}

/**
 * Lists a folder of images to measure a trained network by. With folders for parts, `test` is the one for testing, else that for validation; otherwise every
 * image there is. If another part is asked for, that part alone; without such a folder, no images. The classes are those of the part.
 *
 * Throws DataError if there is no such folder, or no image in the folder of a class.
 */
export async function listTestFolder(
  root: string,
  { part: wanted = "test", signal }: Pick<FolderPurpose, "part" | "signal"> = {},
): Promise<ImageListing> {
  const { scan, parts, notes } = await filledParts(root, signal);
  const last = parts.at(-1); // In the order of scanFolder the one for testing comes last.
  if (last === undefined) throw tooFewClasses(root, "at least one", scan);
  const part = wanted === "test" ? last : parts.find(({ name }) => name === wanted);
  const classNames = namesOf(part ?? last);
  const images = part ? listPart(part, classNames) : [];
  const listing = { name: scan.root, root: scan.root, classNames, train: [], test: [], notes };
  if (wanted === "validation") return { ...listing, validation: images };
  return { ...listing, [wanted]: images };
}

interface FilledParts {
  readonly scan: FolderScan;
  readonly parts: readonly ScannedPart[];
  readonly notes: readonly string[];
}

/** Parts and classes that have images, and notes of all else. */
async function filledParts(root: string, signal: AbortSignal | undefined): Promise<FilledParts> {
  const scan = await scanFolder(root, signal);
  const parts = scan.parts.map((part) => ({
    ...part,
    classes: part.classes.filter(({ images }) => images.length > 0),
  }));
  const emptyClasses = scan.parts.flatMap(({ folder, classes }) =>
    classes.filter(({ images }) => images.length === 0).map(({ name }) => (folder === "" ? name : `${folder}/${name}`)),
  );
  const emptyParts = parts.filter(({ folder, classes }) => folder !== "" && classes.length === 0);
  const notes = [
    ...note("classes without pictures, left out", emptyClasses),
    ...note(
      "folders without pictures in classes, left out",
      emptyParts.map(({ folder }) => folder),
    ),
    ...classFindings(scan.parts).map(({ kind, message }) => `${findingKinds[kind].title}: ${message}`),
    ...skippedNotes(scan.skipped),
  ];
  return { scan, parts: parts.filter(({ classes }) => classes.length > 0), notes };
}

function note(title: string, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : [`${title}: ${names.length} (${firstNames(names)})`];
}

function namesOf({ classes }: ScannedPart): readonly string[] {
  return classes.map(({ name }) => name);
}

/** By class, then by path. */
function listPart({ classes }: ScannedPart, classNames: readonly string[]): readonly ListedImage[] {
  const labels = new Map(classNames.map((name, label) => [name, label]));
  return classes.flatMap(({ name, images }) => {
    const label = labels.get(name);
    return label === undefined ? [] : images.map(({ path }) => ({ path, label }));
  });
}

/** The images of a part to measure by, whose classes must be among those of the training part. */
function listOther(
  root: string,
  part: ScannedPart,
  training: ScannedPart,
  classNames: readonly string[],
): readonly ListedImage[] {
  const unknown = namesOf(part).filter((name) => !classNames.includes(name));
  if (unknown.length === 0) return listPart(part, classNames);
  throw new DataError(
    `${root}: expected in ${part.folder} no classes but those of ${training.folder}, got ${firstNames(unknown.map(visibleName))}; ` +
      `put training pictures of ${unknown.length === 1 ? "it" : "them"} into ${training.folder}, or take ${
        unknown.length === 1 ? "it" : "them"
      } out of ${part.folder}`,
  );
}

function tooFewClasses(root: string, expected: string, { parts, skipped }: FolderScan): DataError {
  const found = parts.flatMap(({ classes }) => classes);
  const filled = found.filter(({ images }) => images.length > 0).map(({ name }) => name);
  const count = filled.length === 0 ? "no class with pictures" : `pictures of ${firstNames([...new Set(filled)])} only`;
  const others = skippedNotes(skipped).map((line) => `; ${line}`);
  const [only] = found;
  const inside = found.length === 1 && only ? partsInside(only.images, only.name) : [];
  if (inside.length > 0)
    others.push(`; ${only?.name} contains ${firstNames(inside)}: give that folder, ${root}/${only?.name}`);
  const remedy = parts.some(({ folder }) => folder !== "") ? "; if train is a class, give its folder another name" : "";
  return new DataError(
    `${root}: expected ${expectedLayout}, and pictures in ${expected}; got ${count}${others.join("")}${remedy}`,
  );
}

/** A folder of images with a folder for each class. */
export function folderSource(path: string): DatasetSource {
  const folder = resolve(path);
  return {
    name: folder,
    description: `the pictures in ${folder}`,
    channels: 3,
    async load(options) {
      const listing = await listFolder(options.dataDir ?? folder, options);
      return { ...(await loadListing(listing, options)), name: folder };
    },
    locate: async () => folder,
  };
}
