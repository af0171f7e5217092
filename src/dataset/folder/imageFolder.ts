/** Listing of an image folder, labelled by folders or by a table; holds images out if there is no part for evaluation. */

import { resolve } from "node:path";
import { DataError } from "../../errors.ts";
import { type DatasetSource, type LayoutOptions, loadDefaults } from "../dataset.ts";
import { visibleName } from "./classNames.ts";
import { orderedClasses } from "./classOrder.ts";
import { classFindings, findingKinds } from "./findings.ts";
import { expectedLayout, type FolderScan, type ScannedPart } from "./folderScan.ts";
import { foldListing, foldOptionsOf } from "./foldListing.ts";
import { type ImageListing, listingDigest } from "./imageListing.ts";
import { loadListing } from "./listedDataset.ts";
import { createLists } from "./listParts.ts";
import { partsInside } from "./partFolders.ts";
import { scanImages } from "./scanImages.ts";
import { firstNames, type SkipReason, skippedNotes, skipTitles } from "./skippedFile.ts";
import { type SplitOptions, splitFolder, splitOptionsOf } from "./splitFolder.ts";

/** Default: `defaultSplit`. An aborted signal stops the listing. */
export type ImageFolderOptions = {
  readonly [Key in keyof SplitOptions]?: SplitOptions[Key] | undefined;
} & LayoutOptions & {
    /** Maximum fraction of rows without an image. Default: 0.01. */
    readonly maxBad?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  };

/** Purpose of a listing: training, unless `allAsTest` is set. */
export interface FolderPurpose extends ImageFolderOptions {
  /** List for evaluating a network that was trained on other data: all images are test images if there are no folders for parts. */
  readonly allAsTest?: boolean | undefined;
  /** Part to evaluate on. Default: `test`. */
  readonly part?: "train" | "validation" | "test" | undefined;
  /** Digest of the network's training data: a folder whose listing has this digest is split as for training. */
  readonly trainedOn?: string | undefined;
}

/** Lists an image folder for a purpose. Throws like `listImageFolder` or `listTestFolder`. */
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
 * Lists an image folder for training. Folders for parts become `train`, `validation` and `test`; without a folder for testing, `test` is the same
 * list as `validation`. With only a folder for training, or without folders for parts, a fraction of each class is held out as `test`, the same
 * on every machine. Classes and parts without images are left out, with a note.
 *
 * Throws DataError if the folder does not exist, has fewer than two classes, or a class of another part is missing from `train`. Throws
 * ConfigError if the fraction is not between 0 and 1.
 */
export async function listImageFolder(
  root: string,
  { validationShare, seed, signal, folds, fold, ...layout }: ImageFolderOptions = {},
): Promise<ImageListing> {
  const split = splitOptionsOf({ validationShare, seed });
  const folding = foldOptionsOf(folds, fold);
  const { scan, parts, notes: found } = await filledParts(root, layout, signal);
  const training = parts.find(({ name }) => name === "train" || name === "whole");
  if (training === undefined || training.classes.length < 2) throw tooFewClasses(root, "at least two", scan);
  const { names: classNames, notes: ofClasses } = await orderedClasses(namesOf(training), scan.root, layout);
  const notes = [...found, ...ofClasses];
  const [validationPart, testPart] = (["validation", "test"] as const).map((name) => {
    const part = parts.find((candidate) => candidate.name === name);
    if (part) requireKnown(root, part, training, classNames);
    return part;
  });
  const lists = createLists(scan, classNames);
  const train = lists.list(training);
  const [validation, test] = [validationPart && lists.list(validationPart), testPart && lists.list(testPart)];
  const listing = { name: scan.root, root: scan.root, classNames, ...lists.labelSets, notes };
  if (folding) {
    return foldListing(
      { ...listing, train, ...(validation && { validation }), ...(test && { test }) },
      folding,
      split.seed,
    );
  }
  if (validation && test) return { ...listing, train, validation, test };
  if (validation) return { ...listing, train, validation, test: validation };
  if (test) return { ...listing, train, test };
  const divided = splitFolder(train, classNames, split, lists.labelSets.labelSets);
  if (divided.test.length > 0) return { ...listing, ...divided };
  throw undivided(root, scan);
}

/** Error for images of which none can be held out. */
function undivided(root: string, { groups }: FolderScan): DataError {
  return new DataError(
    groups
      ? `${root}: expected at least two groups, one for training and one for evaluation, got one; choose another --group-column, or add a test part`
      : `${root}: expected a class with at least two images, one for training and one for evaluation; each class has one`,
  );
}

/**
 * Lists an image folder for evaluating a trained network. With folders for parts, `test` is the one for testing, else that for validation;
 * without, all images. If another part is requested, returns that part alone, without images if it does not exist. The classes are the part's.
 *
 * Throws DataError if the folder does not exist or no class contains images.
 */
export async function listTestFolder(
  root: string,
  { part: wanted = "test", signal, ...layout }: Omit<FolderPurpose, "allAsTest" | "trainedOn"> = {},
): Promise<ImageListing> {
  const { scan, parts, notes } = await filledParts(root, layout, signal);
  const last = parts.at(-1); // scanFolder returns the test part last.
  if (last === undefined) throw tooFewClasses(root, "at least one", scan);
  const part = wanted === "test" ? last : parts.find(({ name }) => name === wanted);
  const classNames = namesOf(part ?? last);
  const lists = createLists(scan, classNames);
  const images = part ? lists.list(part) : [];
  const listing = { name: scan.root, root: scan.root, classNames, ...lists.labelSets, train: [], test: [], notes };
  if (wanted === "validation") return { ...listing, validation: images };
  return { ...listing, [wanted]: images };
}

interface FilledParts {
  readonly scan: FolderScan;
  readonly parts: readonly ScannedPart[];
  readonly notes: readonly string[];
}

/** Parts and classes with images, and notes about the rest. Throws DataError for rows that cannot be used. */
async function filledParts(
  root: string,
  { maxBad = loadDefaults.maxBad, ...layout }: Pick<ImageFolderOptions, keyof LayoutOptions | "maxBad">,
  signal: AbortSignal | undefined,
): Promise<FilledParts> {
  const scan = await scanImages(root, layout, signal);
  refuseRows(root, scan, maxBad);
  const parts = scan.parts.map((part) => ({
    ...part,
    classes: part.classes.filter(({ images }) => images.length > 0),
  }));
  const emptyClasses = scan.parts.flatMap(({ folder, classes }) =>
    classes.filter(({ images }) => images.length === 0).map(({ name }) => (folder === "" ? name : `${folder}/${name}`)),
  );
  const emptyParts = parts.filter(({ folder, classes }) => folder !== "" && classes.length === 0);
  const notes = [
    ...(scan.notes ?? []).map((line) => `${root}: ${line}`),
    ...note("classes without images, left out", emptyClasses),
    ...note(
      "folders without images in classes, left out",
      emptyParts.map(({ folder }) => folder),
    ),
    ...classFindings(scan.parts).map(({ kind, message }) => `${findingKinds[kind].title}: ${message}`),
    ...skippedNotes(scan.skipped),
  ];
  return { scan, parts: parts.filter(({ classes }) => classes.length > 0), notes };
}

/** Problems of rows that training does not tolerate. */
const refused: readonly SkipReason[] = ["badCell", "unknownSplit", "contradictingRow"];
const NAMED_ROWS = 5;

function refuseRows(root: string, { rows, skipped }: FolderScan, maxBad: number): void {
  if (rows === undefined) return;
  const first = skipped.find(({ reason }) => refused.includes(reason));
  const reason = first?.reason ?? "rowWithoutImage";
  const bad = skipped.filter((each) => each.reason === reason);
  if (first === undefined && bad.length <= maxBad * rows) return;
  const problem = first
    ? `${skipTitles[reason]}: expected none, got ${bad.length}; correct or remove them`
    : `expected an image for each of ${rows} rows, got none for ${bad.length}; correct the paths or the folder, remove the rows, or raise --max-bad`;
  const named = bad.slice(0, NAMED_ROWS).map(({ path, detail }) => `\n  ${path}: ${detail}`);
  throw new DataError(`${root}: ${problem}; alexnet check lists them all; the first are:${named.join("")}`);
}

function note(title: string, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : [`${title}: ${names.length} (${firstNames(names)})`];
}

function namesOf({ classes }: ScannedPart): readonly string[] {
  return classes.map(({ name }) => name);
}

/** Throws DataError unless the classes of another part are among those of the training part. */
function requireKnown(root: string, part: ScannedPart, training: ScannedPart, classNames: readonly string[]): void {
  const unknown = namesOf(part).filter((name) => !classNames.includes(name));
  if (unknown.length === 0) return;
  throw new DataError(
    `${root}: expected only classes of ${training.folder} in ${part.folder}, got ${firstNames(unknown.map(visibleName))}; ` +
      `add training images of ${unknown.length === 1 ? "it" : "them"} to ${training.folder}, or remove ${
        unknown.length === 1 ? "it" : "them"
      } from ${part.folder}`,
  );
}

function tooFewClasses(root: string, expected: string, { parts, skipped, rows }: FolderScan): DataError {
  const found = parts.flatMap(({ classes }) => classes);
  const filled = found.filter(({ images }) => images.length > 0).map(({ name }) => name);
  const count = filled.length === 0 ? "no class with images" : `images of ${firstNames([...new Set(filled)])} only`;
  const others = skippedNotes(skipped).map((line) => `; ${line}`);
  if (rows !== undefined) {
    return new DataError(
      `${root}: expected training images in ${expected} of the table's classes; got ${count}${others.join("")}`,
    );
  }
  const [only] = found;
  const inside = found.length === 1 && only ? partsInside(only.images, only.name) : [];
  if (inside.length > 0)
    others.push(`; ${only?.name} contains ${firstNames(inside)}: pass that folder, ${root}/${only?.name}`);
  const remedy = parts.some(({ folder }) => folder !== "") ? "; if train is a class, rename its folder" : "";
  return new DataError(
    `${root}: expected ${expectedLayout}, with images in ${expected}; got ${count}${others.join("")}${remedy}`,
  );
}

/** An image folder with a folder per class, as the source of a data set. */
export function folderSource(path: string): DatasetSource {
  const folder = resolve(path);
  return {
    name: folder,
    description: `the images in ${folder}`,
    channels: 3,
    async load(options) {
      const listing = await listFolder(options.dataDir ?? folder, options);
      return { ...(await loadListing(listing, options)), name: folder };
    },
    locate: async () => folder,
  };
}
