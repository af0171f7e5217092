/** Removes empty run directories. */
import { rmdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Removes a run's empty directory and the empty directories created for it, after a run that failed to start. `created` is the outermost
 * created directory, undefined if there was none.
 */
export async function removeEmptyFolders(directory: string, created: string | undefined): Promise<void> {
  if (created !== undefined) await removeEmpty(resolve(directory), resolve(created));
}

async function removeEmpty(directory: string, outermost: string): Promise<void> {
  const removed = await rmdir(directory).then(
    () => true,
    () => false,
  );
  if (removed && directory !== outermost) await removeEmpty(dirname(directory), outermost);
}
