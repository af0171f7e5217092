/** The user's cache folder. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** `$XDG_CACHE_HOME/alexnet`, or `~/.cache/alexnet`: an absolute path. */
export function userCache(): string {
  const { XDG_CACHE_HOME: cache } = process.env;
  return resolve(cache || join(homedir(), ".cache"), "alexnet");
}
