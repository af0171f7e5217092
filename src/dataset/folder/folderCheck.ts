/** Check of an image folder for all kinds of problems. */
import { join } from "node:path";
import type { ImageFormat } from "../../image/files/format.ts";
import type { Examination, Examine, ImageFacts } from "./examine.ts";
import { duplicates, type Finding, layoutFindings, type PlacedImage, soundImage, unreadableImage } from "./findings.ts";
import { fileSizes } from "./folderEntries.ts";
import type { FolderScan } from "./folderScan.ts";
import { createLists } from "./listParts.ts";
import type { PartName } from "./partFolders.ts";
import { defaultSplit, splitFolder } from "./splitFolder.ts";

/** Width and height in pixels. */
export type ImageSize = readonly [width: number, height: number];

/** Sizes of the readable images, ordered by number of pixels. */
export interface SizesSeen {
  readonly smallest: ImageSize;
  readonly median: ImageSize;
  readonly largest: ImageSize;
  /** Number of distinct sizes. */
  readonly shapes: number;
}

/** Figures of a part. */
export interface CheckedPart {
  readonly name: PartName;
  readonly folder: string;
  readonly classes: readonly { readonly name: string; readonly pictures: number }[];
  /** Number of images without a label, if images may have several labels or none. */
  readonly unlabelled?: number;
}

/** Result of checking an image folder. */
export interface FolderCheck {
  readonly root: string;
  readonly parts: readonly CheckedPart[];
  readonly pictures: number;
  readonly bytes: number;
  /** Number of readable images by format, and by grey or colour. */
  readonly formats: Readonly<Partial<Record<ImageFormat, number>>>;
  readonly channels: { readonly grey: number; readonly colour: number };
  /** Absent if no image is readable. */
  readonly sizes?: SizesSeen;
  readonly findings: readonly Finding[];
  readonly affectsTraining: boolean;
}

/** Examination of files, and a progress callback. */
export interface CheckOptions {
  readonly examine: Examine;
  readonly onProgress?: ((images: number, of: number) => void) | undefined;
}

/** Examines every image of a scanned folder. Writes nothing. */
export async function checkFolder(scan: FolderScan, options: CheckOptions): Promise<FolderCheck> {
  const images = placedImages(scan);
  const { sound, bad } = await examineAll(images, options);
  const findings = [
    ...layoutFindings(scan),
    ...bad,
    ...sound.flatMap(([image, facts]) => soundImage(image, facts)),
    ...duplicates(sound),
  ];
  return {
    root: scan.root,
    parts: scan.parts.map(({ name, folder, classes, unlabelled }) => ({
      name,
      folder,
      classes: classes.map((found) => ({ name: found.name, pictures: found.images.length })),
      ...(unlabelled ? { unlabelled: unlabelled.length } : {}),
    })),
    pictures: images.size,
    bytes: (await fileSizes([...images.keys()])).reduce((sum, bytes) => sum + bytes, 0),
    ...figures(sound.map(([, facts]) => facts)),
    findings,
    affectsTraining: findings.some(({ affectsTraining }) => affectsTraining),
  };
}

/** Both lists are in the order of the scan, whatever the order of examination. */
async function examineAll(
  images: ReadonlyMap<string, PlacedImage>,
  { examine, onProgress }: CheckOptions,
): Promise<{ readonly sound: readonly (readonly [PlacedImage, ImageFacts])[]; readonly bad: readonly Finding[] }> {
  const results = new Map<string, Examination>();
  for await (const { path, result } of examine([...images.keys()])) {
    results.set(path, result);
    onProgress?.(results.size, images.size);
  }
  const sound: (readonly [PlacedImage, ImageFacts])[] = [];
  const bad: Finding[] = [];
  for (const [path, image] of images) {
    const result = results.get(path);
    if (result === undefined) throw new Error(`check: ${path} was not examined`);
    if ("error" in result) bad.push(unreadableImage(image, result.error));
    else sound.push([image, result]);
  }
  return { sound, bad };
}

/** Keyed by absolute path. */
function placedImages(scan: FolderScan): ReadonlyMap<string, PlacedImage> {
  const heldOut = heldOutOf(scan);
  const { root } = scan;
  const placed = new Map<string, PlacedImage>();
  for (const { name: part, classes, unlabelled = [] } of scan.parts) {
    const named = [...classes, { name: "", images: unlabelled }];
    for (const { name, images } of named) {
      for (const { path } of images) {
        const before = placed.get(join(root, path))?.className;
        const className = before === undefined ? name : `${before}; ${name}`;
        placed.set(join(root, path), { path, part, isHeldOut: heldOut.has(path), className });
      }
    }
  }
  return placed;
}

/** Paths of the images that training would hold out of the only part with images; empty if there are several parts. */
function heldOutOf(scan: FolderScan): ReadonlySet<string> {
  const [part, ...others] = scan.parts.filter(({ classes }) => classes.some(({ images }) => images.length > 0));
  if (!part || others.length > 0) return new Set();
  const filled = part.classes.filter(({ images }) => images.length > 0);
  const classNames = filled.map(({ name }) => name);
  const { list, labelSets } = createLists(scan, classNames);
  const { test } = splitFolder(list(part), classNames, defaultSplit, labelSets.labelSets);
  return new Set(test.map(({ path }) => path));
}

/** Summary of the readable images. */
function figures(facts: readonly ImageFacts[]): Pick<FolderCheck, "formats" | "channels" | "sizes"> {
  const formats: Partial<Record<ImageFormat, number>> = {};
  for (const { format } of facts) formats[format] = (formats[format] ?? 0) + 1;
  const grey = facts.filter(({ channels }) => channels === 1).length;
  const sizes = sizesSeen(facts.map(({ width, height }) => [width, height]));
  return { formats, channels: { grey, colour: facts.length - grey }, ...(sizes ? { sizes } : {}) };
}

function sizesSeen(sizes: readonly ImageSize[]): SizesSeen | undefined {
  const sorted = [...sizes].sort(([w1, h1], [w2, h2]) => w1 * h1 - w2 * h2 || w1 - w2);
  const [smallest, median, largest] = [sorted[0], sorted[Math.floor((sorted.length - 1) / 2)], sorted.at(-1)];
  if (!smallest || !median || !largest) return undefined;
  return { smallest, median, largest, shapes: new Set(sorted.map((size) => size.join("×"))).size };
}
