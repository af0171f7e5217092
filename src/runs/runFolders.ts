/** Removes empty run directories. */
import { rmdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Removes a run's directory and those around it that were made for it, while they are empty: those of a run that could not even be started. `created` is
 * the outermost that was made, undefined if none was.
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
