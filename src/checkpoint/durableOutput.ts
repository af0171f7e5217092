/** Durable output written piece by piece. */
import { type FileHandle, open, rm } from "node:fs/promises";
import { commitFile, explainingWrites, temporaryFor } from "./durable.ts";

/** A file that is written piece by piece under another name, and is there when it is whole. */
export interface DurableOutput {
  append(content: string | Uint8Array): Promise<void>;
  /** Replaces the file's first bytes. */
  overwriteStart(bytes: Uint8Array): Promise<void>;
  /** Puts the file in its place. */
  commit(): Promise<void>;
  /** Leaves what was there before, unless it was committed. */
  close(): Promise<void>;
}

/** Throws CheckpointError, as all its members do, if the file cannot be written; then the old content stays. */
export async function openDurableOutput(path: string): Promise<DurableOutput> {
  const temporary = temporaryFor(path);
  const handle = await explainingWrites(path, () => open(temporary, "w"));
  let isOpen = true;
  async function end(action: () => Promise<void>): Promise<void> {
    if (!isOpen) return;
    isOpen = false;
    try {
      await action();
    } finally {
      await rm(temporary, { force: true });
    }
  }
  return {
    append: (content) => explainingWrites(path, () => handle.appendFile(content)),
    overwriteStart: (bytes) => explainingWrites(path, () => writeAll(handle, bytes)),
    commit: () =>
      explainingWrites(path, () =>
        end(async () => {
          await handle.sync().finally(() => handle.close());
          await commitFile(temporary, path);
        }),
      ),
    close: () => end(() => handle.close()),
  };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, done);
    done += bytesWritten;
  }
}
