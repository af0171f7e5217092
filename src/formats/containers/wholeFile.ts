/** Files that are read whole: protobuf messages, which have no index. */
import { readFile, stat } from "node:fs/promises";
import { CheckpointError, codeOf, messageOf } from "../../errors.ts";

/** Maximum size of a protobuf message. Source: protobuf, "Proto Limits". */
const MAX_BYTES = 2 ** 31 - 1;

/** Bytes of a file of at most 2 GiB. Throws CheckpointError for any other file, or one that cannot be read. */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  try {
    const file = await stat(path);
    if (!file.isFile()) throw new CheckpointError(`${path}: expected a file`);
    if (file.size > MAX_BYTES) throw new CheckpointError(`${path}: expected at most 2 GiB, got ${file.size} bytes`);
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === "") throw error;
    throw new CheckpointError(`${path}: cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
