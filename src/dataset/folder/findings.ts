/** Everything that can be wrong with an image folder: the kinds of finding, and the checks that find them. */

import { alikeNames, isOddName, quotedName } from "./classNames.ts";
import type { ImageFacts } from "./examine.ts";
import type { FolderScan, ScannedPart } from "./folderScan.ts";
import { extensionOf, formatOfName } from "./imageNames.ts";
import { type PartName, partsInside } from "./partFolders.ts";
import { type SkipReason, skipTitles } from "./skippedFile.ts";

/** A kind of finding, as it is said of all of that kind. */
export interface FindingKind {
  /** In the plural. */
  readonly title: string;
  /** True if training would fail, lack something, learn something wrong or be measured wrongly. */
  readonly affectsTraining: boolean;
  /** Remedy; empty where there is no need. */
  readonly remedy: string;
}

/** The shorter side below which an image is called tiny, in pixels: less than any common data set has (MNIST: 28). */
const tinySide = 16;
/** Largest class ÷ smallest from which classes are called unbalanced. */
const unbalancedRatio = 10;

const harmful = (title: string, remedy: string): FindingKind => ({ title, affectsTraining: true, remedy });
const harmless = (title: string, remedy = ""): FindingKind => ({ title, affectsTraining: false, remedy });

const getAgain = "Get these files again, or take them away.";

/** Every kind, in the order of a report: what affects training first. */
export const findingKinds = {
  tooFewClasses: harmful("fewer than two classes with pictures", "Make a folder for each class."),
  emptyPart: harmful("folders for a part, without pictures in classes", "Fill them, or take them away."),
  emptyClass: harmful("classes without pictures", "Fill them, or take them away."),
  missingClass: harmful(
    "classes that are missing from a part",
    "Add pictures of them: what is not trained is not known, what is not tested is not measured.",
  ),
  caseOnlyNames: harmful("class names that differ in case only", "Put them together, or tell them apart by more."),
  alikeNames: harmful("class names that look alike", "Put them together, or tell them apart by more."),
  partInsideClass: harmful(
    "folders for parts inside classes, whose pictures are all used alike",
    "Put the parts above the classes, as in train/cat, not cat/train.",
  ),
  emptyFile: harmful("empty files", getAgain),
  damaged: harmful("damaged or incomplete pictures", getAgain),
  refusedFormat: harmful("pictures in formats that are not read", "Convert them to JPEG or PNG, or take them away."),
  tooLarge: harmful("pictures that are too large", "Make them smaller: the network does not see more."),
  unreadable: harmful("files that cannot be read", "See to their permissions and to the disk, or take them away."),
  unreadableEntry: harmful(skipTitles.unreadableEntry, "See to permissions, names and links, or take them away."),
  duplicateAcrossClasses: harmful(
    "the same picture in several classes",
    "Keep each in one class: the others are wrong labels.",
  ),
  duplicateAcrossParts: harmful(
    "the same picture in several parts",
    "Keep each in one part: what was trained with does not measure.",
  ),
  duplicateAcrossDivision: harmful(
    "the same picture on both sides of the division that training makes",
    "Keep one of each: what was trained with does not measure.",
  ),
  duplicateInClass: harmless(
    "the same picture more than once in a class",
    "It counts more than others; keep one, above all if parts are still to be drawn.",
  ),
  unbalanced: harmless("unbalanced classes", "Rare classes are learnt less well: add pictures of them."),
  tiny: harmless(`pictures with a side below ${tinySide} pixels`, "There is little to see in them: look at them."),
  wrongExtension: harmless("names that promise another format", "They are read by their content all the same."),
  oddName: harmless(
    "class names with spaces at an end or in a row, or invisible characters",
    "Rename them: people will write the name without.",
  ),
  partNamedClass: harmless(skipTitles.partNamedClass, "If it is a part, add a folder train beside it."),
  pictureNamedFolder: harmless(skipTitles.pictureNamedFolder),
  outsideClass: harmless(skipTitles.outsideClass, "Put pictures into the folder of their class."),
  special: harmless(skipTitles.special),
  repeatedFolder: harmless(skipTitles.repeatedFolder),
  notPicture: harmless(skipTitles.notPicture),
  hidden: harmless(skipTitles.hidden),
} as const satisfies Readonly<Record<string, FindingKind>> & Readonly<Record<SkipReason, FindingKind>>;

/** Names every kind of finding; `--json` prints it. */
export type FindingName = keyof typeof findingKinds;

/** Something that is wrong with a data set. */
export interface Finding {
  readonly kind: FindingName;
  readonly affectsTraining: boolean;
  /** Files or folders relative to the root; none if it is about all. */
  readonly paths: readonly string[];
  /** Description of the problem. */
  readonly message: string;
  readonly remedy: string;
}

/** A finding of a kind, with the remedy that the kind has. */
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
    ...missingClasses(filled),
    ...classFindings(parts),
    ...parts.slice(0, 1).flatMap(imbalance),
    ...skipped.map(({ path, reason, detail }) => finding(reason, [path], detail)),
  ];
}

function hasImages({ classes }: ScannedPart): boolean {
  return classes.some(({ images }) => images.length > 0);
}

/** The folder of a class, relative to the root. */
function classFolder({ folder }: ScannedPart, className: string): string {
  return folder === "" ? className : `${folder}/${className}`;
}

/** The first part is the one that training uses. */
function classCount([training]: readonly ScannedPart[]): readonly Finding[] {
  const filled = training?.classes.filter(({ images }) => images.length > 0) ?? [];
  if (filled.length >= 2) return [];
  const [only] = filled;
  return [finding("tooFewClasses", [], only ? `pictures of ${only.name} only` : "no class with pictures")];
}

function emptyPart({ name, folder }: ScannedPart): readonly Finding[] {
  return folder === "" ? [] : [finding("emptyPart", [folder], `no picture in a class for ${name}`)];
}

function emptyClasses(part: ScannedPart): readonly Finding[] {
  return part.classes
    .filter(({ images }) => images.length === 0)
    .map(({ name }) => finding("emptyClass", [classFolder(part, name)], "no picture"));
}

function missingClasses(parts: readonly ScannedPart[]): readonly Finding[] {
  const everywhere = new Set(parts.flatMap(({ classes }) => classes.map(({ name }) => name)));
  return parts.flatMap((part) => {
    const present = new Set(part.classes.map(({ name }) => name));
    return [...everywhere]
      .filter((name) => !present.has(name))
      .map((name) => finding("missingClass", [classFolder(part, name)], "no such folder"));
  });
}

/** Findings about classes that training would keep apart, or put together, otherwise than people expect. */
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
    return folders.length < 2 ? [] : [finding("partInsideClass", [path], `${folders.join(", ")} in it`)];
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
  return [finding("unbalanced", paths, `${largest.count} and ${smallest.count} pictures, ${ratio} to 1`)];
}

/** An image, where it belongs. */
export interface PlacedImage {
  readonly path: string;
  readonly part: PartName;
  /** True if training would hold it out, where it splits the images itself. */
  readonly isHeldOut: boolean;
  readonly className: string;
  readonly bytes: number;
}

/** Kinds of a file's error by its words; the first match counts. A test holds them against real files. */
const errorWords: readonly (readonly [words: RegExp, kind: FindingName])[] = [
  [/got an empty file/, "emptyFile"],
  [/expected a complete |expected an intact |expected a width and a height/, "damaged"],
  [/of at most \d+ megapixels/, "tooLarge"],
  [/ image, got |expected a common kind of/, "refusedFormat"],
];

/** A file that is no image to train with, by what was said of it. */
export function unreadableImage({ path }: PlacedImage, error: string): Finding {
  return finding(errorWords.find(([words]) => words.test(error))?.[1] ?? "unreadable", [path], error);
}

/** Findings about an image that can be read. */
export function soundImage({ path }: PlacedImage, { format, width, height }: ImageFacts): readonly Finding[] {
  const findings: Finding[] = [];
  if (Math.min(width, height) < tinySide) findings.push(finding("tiny", [path], `${width}×${height} pixels`));
  if (formatOfName(path) !== format) {
    const extension = extensionOf(path);
    const named = extension === "" ? "no extension" : `the extension .${extension}`;
    findings.push(finding("wrongExtension", [path], `a ${format} image with ${named}`));
  }
  return findings;
}

/** Images with the same pixels, whatever the bytes of their files, set by set, in the order of the first of each. */
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
    const sides = `${heldOut} held out and ${same.length - heldOut} trained with, at the usual share and seed`;
    findings.push(finding("duplicateAcrossDivision", paths, sides));
  }
  if (findings.length > 0) return findings;
  return [finding("duplicateInClass", paths, `${paths.length} files in ${classNames[0]}`)];
}
