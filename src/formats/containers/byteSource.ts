/** Random access to the bytes of a file or of memory. */
import { DataError, messageOf } from "../../errors.ts";
import { openRegular } from "../../openRegular.ts";

/** Random-access bytes: a file, or memory. */
export interface ByteSource {
  /** Name for messages. */
  readonly path: string;
  readonly size: number;
  /** Fills `into` from a position. Throws DataError if the bytes end earlier. */
  read(position: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file. Throws DataError if it is missing or unreadable. */
export async function openBytes(path: string): Promise<ByteSource> {
  const explaining = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (cause) {
      throw new DataError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
    }
  };
  const handle = await explaining(() => openRegular(path));
  try {
    const { size } = await explaining(() => handle.stat());
    return {
      path,
      size,
      async read(position, into) {
        checkRange(path, size, position, into.length);
        for (let done = 0; done < into.length; ) {
          const rest = into.length - done;
          const { bytesRead } = await explaining(() => handle.read(into, done, rest, position + done));
          if (bytesRead === 0) throw endedAt(path, position + done);
          done += bytesRead;
        }
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Bytes in memory, with a name for messages. */
export function bytesInMemory(path: string, bytes: Uint8Array): ByteSource {
  return {
    path,
    size: bytes.length,
    async read(position, into) {
      checkRange(path, bytes.length, position, into.length);
      into.set(bytes.subarray(position, position + into.length));
    },
    async close() {},
  };
}

/** Reads a part of a source. Throws DataError, before allocating memory, if the source ends earlier. */
export async function readPiece(source: ByteSource, position: number, length: number): Promise<Buffer> {
  checkRange(source.path, source.size, position, length);
  const piece = Buffer.alloc(length);
  await source.read(position, piece);
  return piece;
}

function checkRange(path: string, size: number, position: number, length: number): void {
  if (!Number.isSafeInteger(position + length) || position + length > size) throw endedAt(path, size);
}

function endedAt(path: string, end: number): DataError {
  return new DataError(`${path}: damaged: it ends at byte ${end}, before the end of its declared contents`);
}
