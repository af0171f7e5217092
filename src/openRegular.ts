/** Opens files for random access. */
import { type FileHandle, open, stat } from "node:fs/promises";

/** Opens a file for reading. Throws an Error, before it would wait for a writer, for a pipe or socket, which has no random access. */
export async function openRegular(path: string): Promise<FileHandle> {
  const found = await stat(path);
  if (found.isFIFO() || found.isSocket()) {
    throw new Error("expected a file, got a pipe; save its content to a file first");
  }
  return open(path, "r");
}
