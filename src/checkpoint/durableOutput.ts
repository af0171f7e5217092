/** Durable output in chunks. */
import { type FileHandle, open, rm } from "node:fs/promises";
import { commitFile, explainingWrites, temporaryFor } from "./durable.ts";

/** A file written in chunks under a temporary name; it appears at its path once complete. */
export interface DurableOutput {
  append(content: string | Uint8Array): Promise<void>;
  /** Overwrites the file's first bytes. */
  overwriteStart(bytes: Uint8Array): Promise<void>;
  /** Moves the complete file to its path. */
  commit(): Promise<void>;
  /** Closes it; keeps the old content unless committed. */
  close(): Promise<void>;
}

/** Opens an output. It and its members throw CheckpointError if the file cannot be written; the old content is then kept. */
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
