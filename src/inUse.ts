/** Files and folders that another program has open, which Windows refuses to rename. */
import { rename } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { codeOf } from "./errors.ts";

/** First and last wait of `retryWhileInUse`, in milliseconds; the waits double, and take 1.3 s together. */
const [FIRST_WAIT, LAST_WAIT] = [10, 640];
const inUse: ReadonlySet<string> = new Set(["EPERM", "EACCES", "EBUSY"]);

/** Repeats an action that Windows refuses while another program, such as a virus scanner or `alexnet live`, has the file open. */
export async function retryWhileInUse<T>(action: () => Promise<T>, platform = process.platform): Promise<T> {
  for (let wait = FIRST_WAIT; ; wait *= 2) {
    try {
      return await action();
    } catch (error) {
      if (platform !== "win32" || wait > LAST_WAIT || !inUse.has(codeOf(error))) throw error;
      await setTimeout(wait);
    }
  }
}

/** Renames a file, replacing a file of that name, or a folder. */
export function moveOver(from: string, to: string): Promise<void> {
  return retryWhileInUse(() => rename(from, to));
}
