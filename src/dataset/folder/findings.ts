/** What can be wrong with a folder of pictures, kind by kind. */
import { type OddReason, oddTitles } from "./skippedFile.ts";

/** A kind of finding, as it is said of all of that kind. */
export interface FindingKind {
  /** In the plural. */
  readonly title: string;
  /** Whether training would fail, lack something, learn something wrong or be measured wrongly. */
  readonly affectsTraining: boolean;
  /** What can be done about it; empty where there is no need. */
  readonly remedy: string;
}

/** The shorter side below which a picture is called tiny, in pixels: less than any common data set has (MNIST: 28). */
export const tinySide = 16;
/** Largest class ÷ smallest from which classes are called unbalanced. */
export const unbalancedRatio = 10;

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
  emptyFile: harmful("empty files", getAgain),
  damaged: harmful("damaged or incomplete pictures", getAgain),
  refusedFormat: harmful("pictures in formats that are not read", "Convert them to JPEG or PNG, or take them away."),
  tooLarge: harmful("pictures that are too large", "Make them smaller: the network does not see more."),
  unreadable: harmful("files that cannot be read", "See to their permissions and to the disk, or take them away."),
  unreadableEntry: harmful(oddTitles.unreadableEntry, "See to permissions, names and links, or take them away."),
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
  pictureNamedFolder: harmless(oddTitles.pictureNamedFolder),
  outsideClass: harmless(oddTitles.outsideClass, "Put pictures into the folder of their class."),
  special: harmless(oddTitles.special),
  repeatedFolder: harmless(oddTitles.repeatedFolder),
  notPicture: harmless(oddTitles.notPicture),
  hidden: harmless(oddTitles.hidden),
} as const satisfies Readonly<Record<string, FindingKind>> & Readonly<Record<OddReason, FindingKind>>;

/** Names every kind of finding; `--json` prints it. */
export type FindingName = keyof typeof findingKinds;

/** Something that is wrong with a data set. */
export interface Finding {
  readonly kind: FindingName;
  readonly affectsTraining: boolean;
  /** Files or folders relative to the root; none if it is about all. */
  readonly paths: readonly string[];
  /** What was found there. */
  readonly message: string;
  readonly remedy: string;
}

/** A finding of a kind, with the remedy that the kind has. */
export function finding(kind: FindingName, paths: readonly string[], message: string): Finding {
  const { affectsTraining, remedy } = findingKinds[kind];
  return { kind, affectsTraining, paths, message, remedy };
}
