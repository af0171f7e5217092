/** Images of the reader by class: folders and files, decoded. */
import type { RawImage } from "../../image/rawImage.ts";
import { decodeImage, KEPT_SIDE } from "../images.ts";
import type { TakenFile } from "../view.ts";
import { messageOf } from "../worker/calls.ts";

/** Files of one class. */
export interface ClassFiles {
  readonly className: string;
  readonly files: readonly File[];
}

/** Files of a chosen folder by class: the folder that directly contains a file names its class. */
export function byFolder(files: readonly File[]): readonly ClassFiles[] {
  return byClass(
    files
      .filter(({ name }) => !name.startsWith("."))
      .map((file) => ({ file, className: file.webkitRelativePath.split("/").at(-2) })),
  );
}

/** Dropped files by class: that of their folder, or of the card that they were dropped on; others have none. */
export function byDrop(taken: readonly TakenFile[]): readonly ClassFiles[] {
  return byClass(taken.map(({ file, folder, className }) => ({ file, className: folder ?? className })));
}

/** Sorted by class, since a dropped folder lists its entries in any order. */
function byClass(
  files: readonly { readonly file: File; readonly className: string | undefined }[],
): readonly ClassFiles[] {
  const classes = new Map<string, File[]>();
  for (const { file, className } of files) {
    if (className !== undefined) classes.set(className, [...(classes.get(className) ?? []), file]);
  }
  return [...classes].map(([className, own]) => ({ className, files: own })).sort(byName);
}

function byName(a: ClassFiles, b: ClassFiles): number {
  return a.className < b.className ? -1 : 1;
}

/** Result of decoding. */
export interface DecodedFiles {
  readonly images: readonly RawImage[];
  /** Sentences about files that are not images, or too large. */
  readonly skipped: readonly string[];
}

/** Decodes files, reduced to the side that training keeps. */
export async function decodeAll(files: readonly File[], onProgress: (count: number) => void): Promise<DecodedFiles> {
  const images: RawImage[] = [];
  const skipped: string[] = [];
  for (const [i, file] of files.entries()) {
    try {
      images.push(await decodeImage(file, KEPT_SIDE));
    } catch (error) {
      skipped.push(messageOf(error));
    }
    onProgress(i + 1);
  }
  return { images, skipped };
}
