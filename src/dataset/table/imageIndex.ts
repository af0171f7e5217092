/** Lookup of image files by the texts of a table: paths with or without extension, relative to one folder. */
import type { FileEntry } from "../folder/folderEntries.ts";
import { extensionOf } from "../folder/imageNames.ts";

/** Image files of a folder, by path. */
export interface ImageIndex {
  readonly images: readonly FileEntry[];
  /** Image with this path, or this path without extension; undefined if there is none, `several` if there are more. */
  find(path: string): FileEntry | "several" | undefined;
  /** Folders from which this text is the path of an image. */
  foldersOf(text: string): readonly string[];
}

/** Indexes image files. Paths are compared in Unicode's form NFC. */
export function indexImages(images: readonly FileEntry[]): ImageIndex {
  const whole = new Map(images.map((image) => [image.path.normalize("NFC"), image]));
  const stems = lazily(() => {
    const found = new Map<string, FileEntry | "several">();
    for (const [path, image] of whole) {
      const stem = withoutExtension(path);
      found.set(stem, found.has(stem) ? "several" : image);
    }
    return found;
  });
  const byName = lazily(() => {
    const found = new Map<string, string[]>();
    for (const path of whole.keys()) {
      const name = withoutExtension(path.slice(path.lastIndexOf("/") + 1));
      const same = found.get(name);
      if (same) same.push(path);
      else found.set(name, [path]);
    }
    return found;
  });
  return {
    images,
    find(text) {
      const path = text.normalize("NFC");
      return whole.get(path) ?? stems().get(path);
    },
    foldersOf(text) {
      const path = text.normalize("NFC");
      const name = path.slice(path.lastIndexOf("/") + 1);
      const same = [...(byName().get(name) ?? []), ...(byName().get(withoutExtension(name)) ?? [])];
      const folders = same.flatMap((each) => {
        const end = [each, withoutExtension(each)].find((whole) => whole.endsWith(`/${path}`));
        return end === undefined ? [] : [end.slice(0, -path.length - 1)];
      });
      return [...new Set(folders)];
    },
  };
}

function withoutExtension(path: string): string {
  const extension = extensionOf(path);
  return extension === "" ? path : path.slice(0, -extension.length - 1);
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Folder that the paths of a table are relative to, seen from the folder of the images: below it, or above it. */
export type PathBase = { readonly below: string } | { readonly above: string };

/** Path in the folder of the images that a text of a table stands for; undefined if it leads outside. */
export function placedPath(text: string, base: PathBase): string | undefined {
  const plain = text.replaceAll("\\", "/").replace(/^(?:\.\/)+/, "");
  if ("below" in base) return base.below === "" ? plain : `${base.below}/${plain}`;
  return plain.startsWith(`${base.above}/`) ? plain.slice(base.above.length + 1) : undefined;
}
