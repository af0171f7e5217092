/** The user's cache folder. */
import { homedir } from "node:os";
import { join } from "node:path";

/** `$XDG_CACHE_HOME/alexnet`, or `~/.cache/alexnet`. */
export function userCache(): string {
  const { XDG_CACHE_HOME: cache } = process.env;
  return join(cache || join(homedir(), ".cache"), "alexnet");
}
