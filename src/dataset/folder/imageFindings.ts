/** What is wrong with the pictures of a folder by their content. */
import type { PictureFacts } from "./examination.ts";
import { type Finding, type FindingName, finding, tinySide } from "./findings.ts";
import type { PartName } from "./folderScan.ts";
import { extensionOf, formatOfName } from "./imageNames.ts";

/** A picture, where it belongs. */
export interface PlacedPicture {
  readonly path: string;
  readonly part: PartName;
  /** Whether training would hold it out, where it divides the pictures itself. */
  readonly isHeldOut: boolean;
  readonly className: string;
  readonly bytes: number;
}

/** What kind the error of a file is, by its words; the first that fits. A test holds them against real files. */
const errorWords: readonly (readonly [words: RegExp, kind: FindingName])[] = [
  [/got an empty file/, "emptyFile"],
  [/expected a complete |expected an intact |expected a width and a height/, "damaged"],
  [/of at most \d+ megapixels/, "tooLarge"],
  [/ image, got |expected a common kind of/, "refusedFormat"],
];

/** A file that is no picture to train with, by what was said of it. */
export function badPicture({ path }: PlacedPicture, error: string): Finding {
  return finding(errorWords.find(([words]) => words.test(error))?.[1] ?? "unreadable", [path], error);
}

/** What is to be said of a picture that can be read. */
export function soundPicture({ path }: PlacedPicture, { format, width, height }: PictureFacts): readonly Finding[] {
  const findings: Finding[] = [];
  if (Math.min(width, height) < tinySide) findings.push(finding("tiny", [path], `${width}×${height} pixels`));
  if (formatOfName(path) !== format) {
    const extension = extensionOf(path);
    const named = extension === "" ? "no extension" : `the extension .${extension}`;
    findings.push(finding("wrongExtension", [path], `a ${format} image with ${named}`));
  }
  return findings;
}

/** Pictures whose files have the same content, set by set, in the order of the first of each. */
export function duplicates(pictures: Iterable<readonly [PlacedPicture, PictureFacts]>): readonly Finding[] {
  const sets = new Map<string, PlacedPicture[]>();
  for (const [picture, { hash }] of pictures) {
    const same = sets.get(hash);
    if (same) same.push(picture);
    else sets.set(hash, [picture]);
  }
  return [...sets.values()].filter((same) => same.length > 1).flatMap(duplicateSet);
}

function duplicateSet(same: readonly PlacedPicture[]): readonly Finding[] {
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
