/** Files that are dropped on the page, with those in dropped folders. */
import type { TakenFile } from "./view.ts";

/** Reads the files of a drop. Must be called in the event's handler, before anything is awaited. */
export function droppedFiles({ dataTransfer, target }: DragEvent): Promise<readonly TakenFile[]> {
  const card = (target as Partial<Element> | null)?.closest?.("[data-class]");
  const className = card?.getAttribute("data-class") ?? undefined;
  const entries = [...(dataTransfer?.items ?? [])].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length > 0) {
    return Promise.all(entries.map((entry) => filesOf(entry, undefined))).then((all) =>
      all.flat().map(({ file, folder }) => ({ file, folder, className })),
    );
  }
  const files = [...(dataTransfer?.files ?? [])];
  return Promise.resolve(files.map((file) => ({ file, folder: undefined, className })));
}

type Found = Pick<TakenFile, "file" | "folder">;

async function filesOf(entry: FileSystemEntry, folder: string | undefined): Promise<readonly Found[]> {
  if (isFile(entry)) {
    // A file that cannot be read is taken as an empty one, which is then named as no image.
    const file = await new Promise<File>((resolve) => entry.file(resolve, () => resolve(new File([], entry.name))));
    return file.name.startsWith(".") ? [] : [{ file, folder }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Found[] = [];
  // A reader returns at most a hundred entries at a time.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const each of some) found.push(...(await filesOf(each, entry.name)));
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}
