/** Kinds of problems of an image folder, and the checks that find them. */

import { withArticle } from "../../image/files/format.ts";
import { alikeNames, isOddName, quotedName } from "./classNames.ts";
import type { ImageFacts } from "./examine.ts";
import type { FolderScan, ScannedPart } from "./folderScan.ts";
import { extensionOf, formatOfName } from "./imageNames.ts";
import { type PartName, partsInside } from "./partFolders.ts";
import { type SkipReason, skipTitles } from "./skippedFile.ts";

/** A kind of problem. */
export interface FindingKind {
  /** In the plural. */
  readonly title: string;
  /** True if training would fail, lack something, learn something wrong or be evaluated wrongly. */
  readonly affectsTraining: boolean;
  /** Remedy; empty if none is needed. */
  readonly remedy: string;
}

/** Shorter side, in pixels, below which an image is tiny: less than that of any common data set (MNIST: 28). */
const tinySide = 16;
/** Ratio of the largest class to the smallest from which classes are unbalanced. */
const unbalancedRatio = 10;

const harmful = (title: string, remedy: string): FindingKind => ({ title, affectsTraining: true, remedy });
const harmless = (title: string, remedy = ""): FindingKind => ({ title, affectsTraining: false, remedy });

const getAgain = "Restore these files, or remove them.";

/** All kinds, in the order of a report: those that affect training come first. */
export const findingKinds = {
  tooFewClasses: harmful("fewer than two classes with images", "Create a folder for each class."),
  emptyPart: harmful("folders for a part, without images in classes", "Add images, or remove them."),
  emptyClass: harmful("classes without images", "Add images, or remove them."),
  missingClass: harmful(
    "classes missing from a part",
    "Add images of them: a class must be in training to be learned, and in the test part to be evaluated.",
  ),
  caseOnlyNames: harmful("class names that differ only in case", "Merge them, or choose names that differ more."),
  alikeNames: harmful("class names that look alike", "Merge them, or choose names that differ more."),
  partInsideClass: harmful(
    "folders for parts inside classes; all their images are used alike",
    "Put the parts above the classes, as in train/cat, not cat/train.",
  ),
  emptyFile: harmful("empty files", getAgain),
  damaged: harmful("corrupt or truncated images", getAgain),
  refusedFormat: harmful("images in unsupported formats", "Convert them to JPEG or PNG, or remove them."),
  tooLarge: harmful("images that are too large", "Downscale them: the network's input is smaller."),
  unreadable: harmful("files that cannot be read", "Check their permissions and the disk, or remove them."),
  unreadableEntry: harmful(skipTitles.unreadableEntry, "Check permissions, names and links, or remove them."),
  badCell: harmful(skipTitles.badCell, "Correct or remove these rows."),
  unknownSplit: harmful(skipTitles.unknownSplit, "Write train, val or test."),
  contradictingRow: harmful(skipTitles.contradictingRow, "Keep one row for each image."),
  rowWithoutImage: harmful(
    skipTitles.rowWithoutImage,
    "Correct the paths, pass the folder they are relative to, or remove the rows.",
  ),
  sameNumber: harmful(skipTitles.sameNumber, "Write each number in one way: different texts are different classes."),
  duplicateAcrossClasses: harmful(
    "the same image in several classes",
    "Keep each in one class: its other labels are wrong.",
  ),
  duplicateAcrossParts: harmful(
    "the same image in several parts",
    "Keep each in one part: evaluating on training images overstates accuracy.",
  ),
  duplicateAcrossDivision: harmful(
    "the same image in both parts of the split that training makes",
    "Keep one of each: evaluating on training images overstates accuracy.",
  ),
  duplicateInClass: harmless(
    "the same image more than once in a class",
    "Keep one: duplicates count more than other images, and may end up in both parts of a split.",
  ),
  unbalanced: harmless(
    "unbalanced classes",
    "Add images of rare classes, or train with --class-weights or --sampler balanced.",
  ),
  tiny: harmless(`images with a side below ${tinySide} pixels`, "Check whether they show enough detail."),
  wrongExtension: harmless("file extensions of another format", "They are still read, by their content."),
  oddName: harmless(
    "class names with leading, trailing or repeated spaces, or invisible characters",
    "Rename them: such names are easily mistyped.",
  ),
  changedLabel: harmless(skipTitles.changedLabel, "Compare them with the source of the labels; keep names as text."),
  rowOutsideParts: harmless(
    skipTitles.rowOutsideParts,
    "Move the images into these folders, or add a column of splits.",
  ),
  repeatedRow: harmless(skipTitles.repeatedRow),
  imageWithoutRow: harmless(skipTitles.imageWithoutRow, "Add rows to use them."),
  partNamedClass: harmless(skipTitles.partNamedClass, "If it is a part, add a folder train next to it."),
  pictureNamedFolder: harmless(skipTitles.pictureNamedFolder),
  outsideClass: harmless(skipTitles.outsideClass, "Move images into the folder of their class."),
  special: harmless(skipTitles.special),
  repeatedFolder: harmless(skipTitles.repeatedFolder),
  notPicture: harmless(skipTitles.notPicture),
  hidden: harmless(skipTitles.hidden),
} as const satisfies Readonly<Record<string, FindingKind>> & Readonly<Record<SkipReason, FindingKind>>;

/** Name of a kind of problem, as `--json` prints it. */
export type FindingName = keyof typeof findingKinds;

/** A problem of a data set. */
export interface Finding {
  readonly kind: FindingName;
  readonly affectsTraining: boolean;
  /** Files or folders relative to the root; empty if the problem concerns the whole data set. */
  readonly paths: readonly string[];
  /** Description of the problem. */
  readonly message: string;
  readonly remedy: string;
}

/** Creates a finding, with the remedy of its kind. */
export function finding(kind: FindingName, paths: readonly string[], message: string): Finding {
  const { affectsTraining, remedy } = findingKinds[kind];
  return { kind, affectsTraining, paths, message, remedy };
}

/** Findings about parts, classes and skipped files. */
export function layoutFindings(scan: FolderScan): readonly Finding[] {
  const { parts, skipped } = scan;
  const filled = parts.filter(hasImages);
  return [
    ...classCount(parts),
    ...parts.filter((part) => !hasImages(part)).flatMap(emptyPart),
    ...filled.flatMap(emptyClasses),
    ...missingClasses(filled, scan.rows === undefined ? "no such folder" : "no row"),
    ...classFindings(parts),
    ...parts.slice(0, 1).flatMap(imbalance),
    ...skipped.map(({ path, reason, detail }) => finding(reason, [path], detail)),
  ];
}

function hasImages({ classes }: ScannedPart): boolean {
  return classes.some(({ images }) => images.length > 0);
}

/** Folder of a class, relative to the root. */
function classFolder({ folder }: ScannedPart, className: string): string {
  return folder === "" ? className : `${folder}/${className}`;
}

/** The first part is the one that training uses. */
function classCount([training]: readonly ScannedPart[]): readonly Finding[] {
  const filled = training?.classes.filter(({ images }) => images.length > 0) ?? [];
  if (filled.length >= 2) return [];
  const [only] = filled;
  return [finding("tooFewClasses", [], only ? `images of ${only.name} only` : "no class with images")];
}

function emptyPart({ name, folder }: ScannedPart): readonly Finding[] {
  return folder === "" ? [] : [finding("emptyPart", [folder], `no image in a class for ${name}`)];
}

function emptyClasses(part: ScannedPart): readonly Finding[] {
  return part.classes
    .filter(({ images }) => images.length === 0)
    .map(({ name }) => finding("emptyClass", [classFolder(part, name)], "no image"));
}

function missingClasses(parts: readonly ScannedPart[], message: string): readonly Finding[] {
  const everywhere = new Set(parts.flatMap(({ classes }) => classes.map(({ name }) => name)));
  return parts.flatMap((part) => {
    const present = new Set(part.classes.map(({ name }) => name));
    return [...everywhere]
      .filter((name) => !present.has(name))
      .map((name) => finding("missingClass", [classFolder(part, name)], message));
  });
}

/** Findings about classes that training keeps apart or merges in a way that people may not expect. */
export function classFindings(parts: readonly ScannedPart[]): readonly Finding[] {
  const placed = parts.flatMap((part) =>
    part.classes.map(({ name, images }) => ({ name, images, path: classFolder(part, name) })),
  );
  const pathsOf = (names: readonly string[]) =>
    placed.filter(({ name }) => names.includes(name)).map(({ path }) => path);
  const alike = alikeNames(placed.map(({ name }) => name)).map((names) => {
    const isCase = new Set(names.map((name) => name.toLowerCase())).size === 1;
    return isCase
      ? finding("caseOnlyNames", pathsOf(names), `classes ${names.join(", ")}`)
      : finding("alikeNames", pathsOf(names), `classes ${names.map(quotedName).join(", ")}`);
  });
  const odd = [...new Set(placed.map(({ name }) => name))]
    .filter((name) => isOddName(name) && !alike.some(({ paths }) => paths.includes(pathsOf([name])[0] as string)))
    .map((name) => finding("oddName", pathsOf([name]), `class ${quotedName(name)}`));
  const inside = placed.flatMap(({ images, path }) => {
    const folders = partsInside(images, path);
    return folders.length < 2 ? [] : [finding("partInsideClass", [path], `${folders.join(", ")} inside`)];
  });
  return [...alike, ...inside, ...odd];
}

function imbalance(part: ScannedPart): readonly Finding[] {
  const counted = part.classes
    .map(({ name, images }) => ({ name, count: images.length }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
  const [largest, smallest] = [counted[0], counted.at(-1)];
  if (!largest || !smallest || largest.count <= unbalancedRatio * smallest.count) return [];
  const paths = [largest, smallest].map(({ name }) => classFolder(part, name));
  const ratio = Math.round(largest.count / smallest.count);
  return [finding("unbalanced", paths, `${largest.count} and ${smallest.count} images, ${ratio} to 1`)];
}

/** An image with its part and class. */
export interface PlacedImage {
  readonly path: string;
  readonly part: PartName;
  /** True if training would hold it out when it splits the images itself. */
  readonly isHeldOut: boolean;
  readonly className: string;
}

/** Kinds of a file's error by its words; the first match counts. A test checks them against real files. */
const errorWords: readonly (readonly [words: RegExp, kind: FindingName])[] = [
  [/got an empty file/, "emptyFile"],
  [/expected a complete |expected an intact |expected a width and a height/, "damaged"],
  [/of at most \d+ megapixels/, "tooLarge"],
  [/ image, got |expected a common kind of/, "refusedFormat"],
];

/** Finding for an unreadable image file. */
export function unreadableImage({ path }: PlacedImage, error: string): Finding {
  return finding(errorWords.find(([words]) => words.test(error))?.[1] ?? "unreadable", [path], error);
}

/** Findings about a readable image. */
export function soundImage({ path }: PlacedImage, { format, width, height }: ImageFacts): readonly Finding[] {
  const findings: Finding[] = [];
  if (Math.min(width, height) < tinySide) findings.push(finding("tiny", [path], `${width}×${height} pixels`));
  if (formatOfName(path) !== format) {
    const extension = extensionOf(path);
    const named = extension === "" ? "no extension" : `the extension .${extension}`;
    findings.push(finding("wrongExtension", [path], `${withArticle(format)} image with ${named}`));
  }
  return findings;
}

/** Sets of images with the same pixels, whatever their files' bytes, in the order of each set's first image. */
export function duplicates(images: Iterable<readonly [PlacedImage, ImageFacts]>): readonly Finding[] {
  const sets = new Map<string, PlacedImage[]>();
  for (const [image, { hash }] of images) {
    const same = sets.get(hash);
    if (same) same.push(image);
    else sets.set(hash, [image]);
  }
  return [...sets.values()].filter((same) => same.length > 1).flatMap(duplicateSet);
}

function duplicateSet(same: readonly PlacedImage[]): readonly Finding[] {
  const paths = same.map(({ path }) => path);
  const classNames = [...new Set(same.map(({ className }) => className))];
  const parts = [...new Set(same.map(({ part }) => part))];
  const findings: Finding[] = [];
  if (classNames.length > 1) findings.push(finding("duplicateAcrossClasses", paths, `in ${classNames.join(", ")}`));
  if (parts.length > 1) findings.push(finding("duplicateAcrossParts", paths, `in ${parts.join(", ")}`));
  const heldOut = same.filter(({ isHeldOut }) => isHeldOut).length;
  if (heldOut > 0 && heldOut < same.length) {
    const sides = `${heldOut} held out and ${same.length - heldOut} in training, with the default fraction and seed`;
    findings.push(finding("duplicateAcrossDivision", paths, sides));
  }
  if (findings.length > 0) return findings;
  return [finding("duplicateInClass", paths, `${paths.length} files in ${classNames[0]}`)];
}
